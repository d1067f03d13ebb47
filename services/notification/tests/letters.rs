//! Golden files of the letters: `letters/*.txt`. `UPDATE_LETTERS=1` rewrites them.

use std::{fmt::Write as _, fs, path::Path};

use events::{Currency, Item, Kind, Order, OrderId, PaymentMethodId, ProductId, Reason, UserId};
use notification::{
    Wording,
    letter::{Ending, Letter, LetterKind, write, write_in},
};

fn order(currency: &str, items: &[(i64, i64, i64)]) -> Order {
    Order {
        order_id: OrderId(uuid::uuid!("0192f0c1-1111-7222-8333-444455556666")),
        user_id: UserId(1),
        payment_method_id: PaymentMethodId(2),
        currency: currency.parse().expect("a currency"),
        total: items.iter().map(|(_, quantity, unit_price)| quantity * unit_price).sum(),
        items: items
            .iter()
            .map(|&(product, quantity, unit_price)| Item {
                product_id: ProductId(product),
                quantity,
                unit_price,
                kind: Kind::Digital,
            })
            .collect(),
        ship_to: None,
    }
}

/// Two characters at 25 points each.
fn characters() -> Order {
    order("PTS", &[(500, 2, 25)])
}

/// The letters for these endings, in the present wording and in that of the first version.
fn judge(name: &str, endings: &[(&Order, Ending)]) {
    for (folder, wording) in [("", Wording::NOW), ("first", Wording::FIRST)] {
        let letters: Vec<Letter> = endings.iter().map(|(order, ending)| write_in(wording, order, *ending)).collect();
        let recognised = letters.iter().all(|letter| std::ptr::eq(Wording::of(&letter.body), wording));
        assert!(recognised, "a letter tells in which wording it was written");
        compare(&Path::new(folder).join(name), &letters);
    }
}

fn compare(name: &Path, letters: &[Letter]) {
    let mut text = String::new();
    for Letter { kind, subject, body } in letters {
        let rule = "-".repeat(72);
        writeln!(text, "{kind}: {subject}\n{rule}\n{body}{rule}\n").expect("a String takes everything");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/letters").join(name);
    if std::env::var_os("UPDATE_LETTERS").is_some() {
        fs::write(&path, &text).expect("the golden file can be written");
    }
    let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(text, golden, "{} is what buyers read; is it meant to change?", path.display());
}

#[test]
fn receipts() {
    let one = order("JPY", &[(1, 1, 100)]);
    let mixed =
        Order { ship_to: Some("Alice\n1-1 Chiyoda\nTokyo".to_owned()), ..order("EUR", &[(1, 2, 1999), (7, 1, 50)]) };
    judge("receipts.txt", &[(&one, Ending::Completed), (&mixed, Ending::Completed)]);
}

#[test]
fn welcomes() {
    judge("welcomes.txt", &[(&characters(), Ending::Completed)]);
}

#[test]
fn cancellations_for_every_reason() {
    let order = characters();
    let cancelled = |reason, refunded| (&order, Ending::Cancelled { reason, refunded });
    let mut endings: Vec<_> = Reason::ALL.iter().map(|&reason| cancelled(reason, 50)).collect();
    endings.push(cancelled(Reason::OutOfStock, 0));
    judge("cancellations.txt", &endings);
}

#[test]
fn rejections_for_every_reason() {
    let order = characters();
    let endings: Vec<_> = Reason::ALL.iter().map(|&reason| (&order, Ending::Rejected { reason })).collect();
    judge("rejections.txt", &endings);
}

/// Orders that were refused before they had a price, or that were barely orders.
#[test]
fn rejections_of_odd_orders() {
    let ending = |reason| Ending::Rejected { reason };
    let unpriced = order(Currency::NONE.as_str(), &[(404, 1, 0), (1, -3, 0)]);
    let empty = order(Currency::NONE.as_str(), &[]);
    let endless = order("JPY", &(1..=100).map(|product| (product, 1, 1)).collect::<Vec<_>>());
    judge(
        "odd-orders.txt",
        &[
            (&unpriced, ending(Reason::UnknownProduct)),
            (&empty, ending(Reason::InvalidRequest)),
            (&endless, ending(Reason::InvalidRequest)),
        ],
    );
}

/// All reasons known to this version, and the longest that a newer one may give.
fn reasons() -> impl Iterator<Item = Reason> {
    Reason::ALL.iter().copied().chain(["held_at_customs_until_somebody_looked_in".parse().expect("a word")])
}

#[test]
fn every_letter_gives_the_reason_in_its_own_word() {
    for reason in reasons() {
        for ending in [Ending::Cancelled { reason, refunded: 50 }, Ending::Rejected { reason }] {
            let body = write(&characters(), ending).body;
            assert!(body.contains(&format!("({reason})")), "{body}");
        }
    }
}

/// Raw mail should be readable: no line needs folding, no character encoding.
#[test]
fn letters_are_plain_ascii_in_short_lines() {
    for reason in reasons() {
        for ending in [Ending::Completed, Ending::Cancelled { reason, refunded: 50 }, Ending::Rejected { reason }] {
            let Letter { subject, body, .. } = write(&characters(), ending);
            assert!(subject.is_ascii() && body.is_ascii(), "{body}");
            assert!(body.lines().all(|line| line.len() <= 78), "{body}");
        }
    }
}

#[test]
fn the_words_of_kinds_are_read_as_they_are_written() {
    for kind in LetterKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).expect("serializes"), kind.as_str());
    }
    assert!("postcard".parse::<LetterKind>().is_err());
}

#[test]
fn a_long_bill_says_how_many_products_it_leaves_out() {
    let bill = |products: i64| {
        let items: Vec<(i64, i64, i64)> = (1..=products).map(|product| (product, 1, 5)).collect();
        write(&order("JPY", &items), Ending::Completed).body
    };
    assert!(!bill(20).contains(" more"), "{}", bill(20));
    assert!(bill(20).contains("product 20 at"), "{}", bill(20));
    assert!(bill(21).contains("and 1 more") && !bill(21).contains("product 21 at"), "{}", bill(21));
}
