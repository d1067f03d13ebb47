//! What the buyer is told, in events and by mail, is what has happened.

use events::Reason;
use notification::{Ending, Notice, letter};
use order::{Money, Purchase, Status};
use saga::barrier;

use crate::{
    bus::{Change, Event, Occasion, Saga, World},
    shop::{STRANGER, address},
};

pub(super) fn truth(saga: &Saga, world: &World) -> Result<(), String> {
    let Some(purchase) = world.databases.order.purchases.get(&saga.order_id) else { return Ok(()) };
    let Some(end) = saga.events().find(|event| ends_an_order(event)) else { return Ok(()) };
    let ending = ending(saga, world, purchase, end)?;
    match world.databases.notification.notices.get(&saga.order_id) {
        Some(notice) => letter_is_true(notice, world, purchase, ending),
        None => Ok(()),
    }
}

fn ends_an_order(event: &Event) -> bool {
    let ends = matches!(event.said.event_type, "OrderCompleted" | "OrderCancelled" | "OrderRejected");
    ends && event.occasion != Occasion::Operator
}

/// How the order ended; its event and its row have to agree.
fn ending(saga: &Saga, world: &World, purchase: &Purchase, end: &Event) -> Result<Ending, String> {
    let said = (end.said.event_type, end.content.reason, end.content.refunded);
    let (ending, money) = match said {
        ("OrderCompleted", None, None) => (Ending::Completed, Money::Open),
        ("OrderCancelled", Some(reason), Some(refunded)) => {
            (Ending::Cancelled { reason, refunded }, Money::Settled { reason, refunded })
        }
        ("OrderRejected", Some(reason), None) => (Ending::Rejected { reason }, Money::Open),
        _ => return Err(format!("{said:?} is no end")),
    };
    let row = (purchase.status, purchase.reason, purchase.money);
    let status = match ending {
        Ending::Completed => Status::Completed,
        Ending::Cancelled { .. } => Status::Cancelled,
        Ending::Rejected { .. } => Status::Rejected,
    };
    if row != (status, end.content.reason, money) {
        return Err(format!("{said:?} was said, and {row:?} is written down"));
    }
    let (told, given_back) = (end.content.refunded.unwrap_or(0), given_back(saga, world));
    if told != given_back {
        return Err(format!("the buyer was told of {told} given back, but {given_back} were"));
    }
    Ok(ending)
}

/// The amount returned by the account service.
fn given_back(saga: &Saga, world: &World) -> i64 {
    let row = world.databases.account.reservations.get(&saga.order_id);
    row.filter(|row| row.status == barrier::Status::Refunded).map_or(0, |row| row.amount)
}

fn letter_is_true(notice: &Notice, world: &World, purchase: &Purchase, ending: Ending) -> Result<(), String> {
    let letter = letter::write(&purchase.facts, ending);
    if (notice.kind, &notice.subject, &notice.body) != (letter.kind, &letter.subject, &letter.body) {
        return Err(format!("the mail says\n{}\nbut should say\n{}", notice.body, letter.body));
    }
    let reason = match ending {
        Ending::Completed => None,
        Ending::Cancelled { reason, .. } | Ending::Rejected { reason } => Some(reason),
    };
    let named = |reason: Reason| notice.body.contains(&format!("({reason})"));
    if !reason.is_none_or(named) {
        return Err(format!("the mail does not give the reason {reason:?}"));
    }
    let user = purchase.facts.user_id;
    let moved = world.changes.contains(&Change::Moved).then(|| format!("new.{}", address(user)));
    let known = [Some(address(user)).filter(|_| user != STRANGER), moved];
    let own = format!("user-{user}@{}", notification::MAIL_DOMAIN);
    let right = known.into_iter().flatten().any(|address| address == notice.recipient);
    if right || user == STRANGER && notice.recipient == own {
        return Ok(());
    }
    Err(format!("the mail of user {user} goes to {}", notice.recipient))
}
