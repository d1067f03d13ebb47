//! Every state of a letter against every command.

use chrono::{DateTime, TimeDelta, Utc};
use events::{Currency, Order, OrderId, Reason, UserId, erasure, testing};
use notification::{Command, Correspondence, Ending, LetterKind, Mail, Notice, Notification};
use personal_data::{Held, PersonKey, PersonKeys};
use saga::{Rows, Says, Service};

/// State of an order's letter.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Unwritten,
    Written,
    Sent,
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn notice(sent_at: Option<DateTime<Utc>>) -> Notice {
    Notice {
        kind: LetterKind::Receipt,
        recipient: "user-1@example.test".to_owned(),
        subject: "Your receipt".to_owned(),
        body: "Hello".to_owned(),
        sent_at,
    }
}

fn correspondence(order: OrderId, state: State) -> Correspondence {
    let notices = match state {
        State::Unwritten => Rows::default(),
        State::Written => Rows::loaded([(order, notice(None))]),
        State::Sent => Rows::loaded([(order, notice(Some(now() - TimeDelta::hours(1))))]),
    };
    Correspondence { notices, ..Correspondence::default() }
}

fn decide(rows: &mut Correspondence, command: &Command) -> Says {
    Notification::default().decide(rows, command, now())
}

fn endings() -> Vec<Ending> {
    let of_reason = |&reason: &Reason| {
        [
            Ending::Cancelled { reason, refunded: 0 },
            Ending::Cancelled { reason, refunded: 50 },
            Ending::Rejected { reason },
        ]
    };
    std::iter::once(Ending::Completed).chain(Reason::ALL.iter().flat_map(of_reason)).collect()
}

fn some_order() -> Order {
    testing::order([testing::digital(1, 1)])
}

#[test]
fn every_state_and_every_wish_has_its_outcome() {
    let order = some_order();
    let id = order.order_id;
    let mut wishes: Vec<Command> = endings().into_iter().map(|ending| Command::tell(order.clone(), ending)).collect();
    let erased = erasure::of_user(order.user_id, &[id]).remove(0);
    wishes.extend([Command::NoteSent { order: order.clone() }, Command::GiveUp { order_id: id }]);
    wishes.push(Command::Scrub(erased.clone()));

    for state in [State::Unwritten, State::Written, State::Sent] {
        for wish in &wishes {
            let mut rows = correspondence(id, state);
            let before = rows.clone();
            let says = decide(&mut rows, wish);
            match (wish, state) {
                (Command::Tell { .. }, State::Unwritten) => {
                    assert_eq!((says.events.len(), says.attempts.len()), (0, 1), "{wish:?}");
                    assert_eq!(rows.notices.new_rows().len(), 1, "{wish:?}");
                }
                (Command::NoteSent { .. }, State::Written) => {
                    let said: Vec<&str> = says.events.iter().map(|said| said.event_type).collect();
                    assert_eq!((said, says.attempts.len()), (vec!["NotificationSent"], 0));
                    assert_eq!(rows.notices.get(&id).expect("written").sent_at, Some(now()));
                }
                (Command::Scrub(_), _) => {
                    assert_eq!(says, saga::Says::silence());
                    let scrubs: Vec<_> = rows.scrubs.iter().collect();
                    assert_eq!(scrubs, [(order.user_id, &erased.orders[..])], "on {state:?}");
                    assert_eq!(rows.notices, before.notices, "the text goes in the database");
                }
                (Command::Tell { .. }, State::Written | State::Sent)
                | (Command::NoteSent { .. }, State::Unwritten | State::Sent)
                | (Command::GiveUp { .. }, State::Unwritten | State::Written | State::Sent) => {
                    assert!(says.ignored.is_some() && says.events.is_empty() && says.attempts.is_empty(), "{wish:?}");
                    assert_eq!(rows, before, "{wish:?} on {state:?}");
                }
            }
        }
    }
}

/// The first end of an order gets a letter; a second end, of whatever kind, gets none.
#[test]
fn an_order_gets_one_letter() {
    let order = some_order();
    for first in endings() {
        for second in endings() {
            let mut rows = correspondence(order.order_id, State::Unwritten);
            let letters: usize = [first, second]
                .into_iter()
                .map(|ending| decide(&mut rows, &Command::tell(order.clone(), ending)).attempts.len())
                .sum();
            assert_eq!(letters, 1, "{first:?}, then {second:?}");
        }
    }
}

#[test]
fn the_kind_follows_from_the_ending_and_the_currency() {
    let reason = Reason::Discontinued;
    for (currency, ending, kind) in [
        (Currency::JPY, Ending::Completed, LetterKind::Receipt),
        (Currency::PTS, Ending::Completed, LetterKind::Welcome),
        (Currency::PTS, Ending::Cancelled { reason, refunded: 50 }, LetterKind::Cancellation),
        (Currency::JPY, Ending::Rejected { reason }, LetterKind::Rejection),
        (Currency::NONE, Ending::Rejected { reason }, LetterKind::Rejection),
    ] {
        let order = Order { currency, ..some_order() };
        let mut rows = Correspondence::default();
        let says = decide(&mut rows, &Command::tell(order.clone(), ending));
        assert_eq!(rows.notices.get(&order.order_id).expect("written").kind, kind, "{ending:?} in {currency}");
        assert_eq!(says.attempts[0].request["kind"], kind.as_str());
    }
}

/// The attempt holds everything that the delivery needs, equal to the row, and is never given up.
#[test]
fn the_attempt_holds_the_whole_mail() {
    let order = some_order();
    let mut rows = Correspondence::default();
    let says = decide(&mut rows, &Command::tell(order.clone(), Ending::Completed));
    let attempt = &says.attempts[0];
    assert_eq!((attempt.kind, attempt.saga_id, attempt.gives_up), ("mail", order.order_id, false));

    let mail: Mail = serde_json::from_value(attempt.request.clone()).expect("a mail");
    let notice = rows.notices.get(&order.order_id).expect("written");
    assert_eq!(mail.order, order);
    assert_eq!(
        (&mail.recipient, &mail.subject, &mail.body, mail.kind, mail.written_at),
        (&notice.recipient, &notice.subject, &notice.body, notice.kind, now())
    );
}

#[test]
fn mail_goes_to_the_contact_or_to_an_address_made_from_the_buyers_number() {
    let order = Order { user_id: UserId(7), ..some_order() };
    for (contact, recipient) in [
        (Some((7, "Grace <grace@navy.example>")), "Grace <grace@navy.example>"),
        (Some((8, "h@h.example")), "user-7@shop.example"),
        (None, "user-7@shop.example"),
    ] {
        let contacts = contact.into_iter().map(|(user, address)| (UserId(user), address.to_owned())).collect();
        let mut rows = Correspondence { contacts, ..Correspondence::default() };
        let _written = Notification::new("shop.example").decide(
            &mut rows,
            &Command::tell(order.clone(), Ending::Completed),
            now(),
        );
        assert_eq!(rows.notices.get(&order.order_id).expect("written").recipient, recipient);
    }
}

/// Sealed, row and attempt are the same bytes and show nothing; they open to what would have been written in plain text.
#[test]
fn a_sealed_letter_opens_to_the_same_and_an_erased_buyer_gets_none() {
    let order = some_order();
    let buyer = order.user_id.0;
    let contact = || [(order.user_id, "Grace <grace@navy.example>".to_owned())].into();
    let tell = Command::tell(order.clone(), Ending::Completed);
    let mut plain = Correspondence { contacts: contact(), ..Correspondence::default() };
    let _written = decide(&mut plain, &tell);

    let keys = PersonKeys::sealing([(buyer, Held::Key(PersonKey::generate()))]);
    let mut rows = Correspondence { contacts: contact(), keys: keys.clone(), ..Correspondence::default() };
    let again = || decide(&mut rows.clone(), &tell);
    assert_eq!(again(), again(), "a decision that is taken again says the same");
    let says = decide(&mut rows, &tell);
    let notice = rows.notices.get(&order.order_id).expect("written");
    let mail: Mail = serde_json::from_value(says.attempts[0].request.clone()).expect("a mail");
    assert_eq!((&mail.recipient, &mail.subject, &mail.body), (&notice.recipient, &notice.subject, &notice.body));
    let seen = format!("{notice:?} {}", says.attempts[0].request);
    let written = plain.notices.get(&order.order_id).expect("written");
    let hidden = [&*written.recipient, "grace", &*written.subject].into_iter().chain(written.body.lines());
    for text in hidden.filter(|text| text.len() > 3) {
        assert!(!seen.contains(text), "{text}");
    }
    let opened = mail.opened(&keys).expect("opens");
    assert_eq!((opened.recipient, opened.subject, opened.body), {
        let Notice { recipient, subject, body, .. } = written.clone();
        (recipient, subject, body)
    });

    let mut erased = Correspondence { keys: PersonKeys::sealing([(buyer, Held::Erased)]), ..Correspondence::default() };
    let says = decide(&mut erased, &tell);
    assert!(says.events.len() == 1 && says.attempts.is_empty(), "{says:?}");
    let notice = erased.notices.get(&order.order_id).expect("a letter to nobody");
    assert_eq!([&notice.recipient, &notice.subject, &notice.body], ["erased"; 3]);
}
