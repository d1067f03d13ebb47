use events::testing::{digital, order};
use proptest::prelude::*;

use super::*;

const OPENING: i64 = 1000;
const RESERVE: Ask = Ask::Reserve;
const DEBIT: Ask = Ask::Debit;
const GIVE_BACK: Ask = Ask::GiveBack(Reason::OutOfStock);

/// User 1 has 1000 JPY; there are no other balances.
fn books() -> Books {
    let purse = ((UserId(1), Currency::JPY), Balance { balance: OPENING, reserved: 0 });
    Books { users: [UserId(1)].into(), balances: Rows::loaded([purse]), ..Books::default() }
}

/// Books in which the order already has this status.
fn books_with(order: &Order, status: Option<Status>) -> Books {
    let mut books = books();
    let Some(status) = status else { return books };
    books.note(order, status, None);
    books.change(order, |balance, amount| match status {
        Status::Reserved => balance.reserved += amount,
        Status::Confirmed => balance.balance -= amount,
        Status::Cancelled | Status::Refunded | Status::Rejected => {}
    });
    Books { balances: books.balances.saved(), reservations: books.reservations.saved(), ..books }
}

fn ask(books: &mut Books, order: &Order, ask: Ask) -> Says {
    decide(books, &Command::new(order.clone(), ask))
}

/// No money is lost: what is held and what was debited equals the reservations.
fn assert_balanced(books: &Books) {
    let balance = books.balances.get(&(UserId(1), Currency::JPY)).expect("the buyer's balance");
    let sum = |status| -> i64 {
        let reservations = books.reservations.iter().filter(|(_, held)| held.status == status);
        reservations.map(|(_, held)| held.amount).sum()
    };
    assert_eq!(balance.reserved, sum(Status::Reserved), "held");
    assert_eq!(balance.balance + sum(Status::Confirmed), OPENING, "left and taken");
    assert!(0 <= balance.reserved && balance.reserved <= balance.balance, "{balance:?}");
}

/// A missing balance: nothing could be debited or returned, so no event is published.
#[test]
fn what_cannot_be_done_is_not_said_to_be_done() {
    let order = order([digital(1, 3)]);
    for (status, asked) in [(Status::Reserved, DEBIT), (Status::Reserved, GIVE_BACK), (Status::Confirmed, GIVE_BACK)] {
        let mut books = books_with(&order, Some(status));
        books.balances = Rows::default();
        let before = books.clone();
        let says = ask(&mut books, &order, asked);
        assert!(says.impossible.is_some_and(|why| why.contains("no balance in JPY")), "{asked:?} of {status:?}");
        assert!(says.events.is_empty() && books == before, "{asked:?} of {status:?}");
    }
    // Where nothing is held, nothing is missing.
    let mut nobody = Books { balances: Rows::default(), ..books() };
    assert_eq!(ask(&mut nobody, &order, GIVE_BACK).events.len(), 1);
}

#[test]
fn every_status_and_every_ask_have_an_outcome() {
    use Status::{Cancelled, Confirmed, Refunded, Rejected, Reserved};
    type Line = (Option<Status>, Ask, Option<Status>, Option<&'static str>);
    let table: [Line; 18] = [
        (None, RESERVE, Some(Reserved), Some("BalanceReserved")),
        (None, DEBIT, None, None),
        (None, GIVE_BACK, Some(Cancelled), Some("BalanceReleased")),
        (Some(Reserved), RESERVE, Some(Reserved), None),
        (Some(Reserved), DEBIT, Some(Confirmed), Some("BalanceDebited")),
        (Some(Reserved), GIVE_BACK, Some(Cancelled), Some("BalanceReleased")),
        (Some(Confirmed), RESERVE, Some(Confirmed), None),
        (Some(Confirmed), DEBIT, Some(Confirmed), None),
        (Some(Confirmed), GIVE_BACK, Some(Refunded), Some("BalanceRefunded")),
        (Some(Cancelled), RESERVE, Some(Cancelled), None),
        (Some(Cancelled), DEBIT, Some(Cancelled), None),
        (Some(Cancelled), GIVE_BACK, Some(Cancelled), None),
        (Some(Refunded), RESERVE, Some(Refunded), None),
        (Some(Refunded), DEBIT, Some(Refunded), None),
        (Some(Refunded), GIVE_BACK, Some(Refunded), None),
        (Some(Rejected), RESERVE, Some(Rejected), None),
        (Some(Rejected), DEBIT, Some(Rejected), None),
        (Some(Rejected), GIVE_BACK, Some(Rejected), None),
    ];
    for (before, asked, after, says) in table {
        let order = order([digital(1, 3)]);
        let mut books = books_with(&order, before);
        let untouched = books.clone();
        let outcome = ask(&mut books, &order, asked);
        let said: Vec<_> = outcome.events.iter().map(|said| said.event_type).collect();
        assert_eq!(said, Vec::from_iter(says), "{asked:?} on {before:?}");
        let status = books.reservations.get(&order.order_id).map(|held| held.status);
        assert_eq!(status, after, "{asked:?} on {before:?}");
        assert_eq!(outcome.ignored.is_some(), says.is_none(), "{asked:?} on {before:?} says why it does nothing");
        if says.is_none() {
            assert_eq!(books, untouched, "{asked:?} on {before:?}");
        }
        assert_balanced(&books);
    }
}

#[test]
fn who_cannot_pay_is_refused() {
    let affordable = order([digital(1, 10)]);
    let dear = order([digital(1, 11)]);
    let points = Order { currency: Currency::PTS, ..order([digital(1, 1)]) };
    let stranger = Order { user_id: UserId(77), ..order([digital(1, 1)]) };
    for (order, refusal) in [
        (affordable, None),
        (dear, Some(Reason::InsufficientBalance)),
        (points, Some(Reason::InsufficientBalance)),
        (stranger, Some(Reason::UnknownUser)),
    ] {
        let mut books = books();
        let says = ask(&mut books, &order, RESERVE);
        let expected = match refusal {
            None => Says::event(BalanceReserved { order: order.clone() }),
            Some(reason) => Says::event(BalanceRejected { order: order.clone(), reason }),
        };
        assert_eq!(says, expected);
        assert_eq!(books.reservations.get(&order.order_id).and_then(|held| held.reason), refusal);
        assert_balanced(&books);
    }
}

#[test]
fn what_is_held_for_one_order_is_not_there_for_another() {
    let mut books = books();
    let orders = [order([digital(1, 6)]), order([digital(1, 6)])];
    let says = orders.map(|order| ask(&mut books, &order, RESERVE).events[0].event_type);
    assert_eq!(says, ["BalanceReserved", "BalanceRejected"]);
    assert_balanced(&books);
}

#[test]
fn the_reason_is_written_down_too() {
    for before in [None, Some(Status::Reserved), Some(Status::Confirmed)] {
        let order = order([digital(1, 1)]);
        let mut books = books_with(&order, before);
        let says = ask(&mut books, &order, GIVE_BACK);
        assert!(says.events[0].payload.contains(r#""reason":"out_of_stock""#), "{before:?}: {says:?}");
        let kept = books.reservations.get(&order.order_id).and_then(|held| held.reason);
        assert_eq!(kept, Some(Reason::OutOfStock), "{before:?}");
    }
}

/// The reserved amount counts, even if a later event names another.
#[test]
fn as_much_comes_back_as_was_taken() {
    let taken = order([digital(1, 3)]);
    let mut books = books_with(&taken, Some(Status::Confirmed));
    let forged = Order { total: 900, ..taken };
    let says = ask(&mut books, &forged, GIVE_BACK);
    assert_eq!(says, Says::event(BalanceRefunded { order: forged, reason: Reason::OutOfStock, amount: 300 }));
    assert_balanced(&books);
}

proptest! {
    /// Whatever the commands and their order, no money is lost, and what has been undone stays undone.
    #[test]
    fn nothing_is_lost(
        quantities in prop::collection::vec(1..=6i64, 4),
        asks in prop::collection::vec((0..4usize, prop::sample::select(vec![RESERVE, DEBIT, GIVE_BACK])), 0..60),
    ) {
        let mut books = books();
        let orders: Vec<Order> = quantities.into_iter().map(|quantity| order([digital(1, quantity)])).collect();
        for (which, asked) in asks {
            let order = &orders[which];
            let _said = ask(&mut books, order, asked);
            assert_balanced(&books);
            if asked == GIVE_BACK {
                let status = books.reservations.get(&order.order_id).map(|held| held.status);
                prop_assert!(
                    matches!(status, Some(Status::Cancelled | Status::Refunded | Status::Rejected)), "{:?}", status
                );
            }
        }
    }
}
