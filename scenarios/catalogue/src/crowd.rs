//! A hundred sagas at once, with different outcomes.

use events::{OrderId, Reason};
use operations::{heard::Heard, listener::Listener, timeline};
use testbed::cast::{ALICE, CANCELLED_SHOW, SOLD_OUT, TICKET, crowd};

use crate::play::{Play, Wish};

/// Expected end of an order of the crowd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fate {
    end: &'static str,
    reason: Option<Reason>,
}

const COMPLETED: Fate = Fate { end: "OrderCompleted", reason: None };

const fn cancelled(reason: Reason) -> Fate {
    Fate { end: "OrderCancelled", reason: Some(reason) }
}

pub(super) async fn hundred_at_once(play: &mut Play) -> anyhow::Result<()> {
    play.in_stock(TICKET, 1_000).await?;
    play.in_stock(SOLD_OUT, 0).await?;
    play.in_stock(CANCELLED_SHOW, 1_000).await?;
    let mut wishes = Vec::new();
    for (place, person) in crowd().enumerate() {
        play.owns(person, 1_000).await?;
        wishes.push(match place % 10 {
            0..=4 => (Wish::of(person, &[(TICKET, 1)]), COMPLETED),
            5 | 6 => (Wish::of(person, &[(TICKET, 50)]), cancelled(Reason::InsufficientBalance)),
            7 => (Wish::of(person, &[(SOLD_OUT, 1)]), cancelled(Reason::OutOfStock)),
            8 => (Wish::of(person, &[(TICKET, 1)]).paid_with(ALICE.id), cancelled(Reason::InvalidPaymentMethod)),
            _ => (Wish::of(person, &[(CANCELLED_SHOW, 1)]), cancelled(Reason::Discontinued)),
        });
    }
    let stage = play.stage();
    let published =
        futures::future::join_all(wishes.iter().map(|(wish, _)| stage.client.request(wish.order_id(), wish.data())));
    published.await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;

    let orders: Vec<OrderId> = wishes.iter().map(|(wish, _)| wish.order_id()).collect();
    let ended = |listener: &Listener| orders.iter().all(|order| timeline::has_ended(&listener.of(*order)));
    let all = stage.listener.wait(stage.patience, ended).await;
    play.check("all hundred end, each with a mail", || {
        let open = orders.iter().filter(|order| !timeline::has_ended(&stage.listener.of(**order))).count();
        (!all).then(|| format!("{open} have not ended within {} s", stage.patience.as_secs()))
    });
    for fate in [
        COMPLETED,
        cancelled(Reason::InsufficientBalance),
        cancelled(Reason::OutOfStock),
        cancelled(Reason::InvalidPaymentMethod),
        cancelled(Reason::Discontinued),
    ] {
        let expected: Vec<OrderId> =
            wishes.iter().filter(|(_, wanted)| *wanted == fate).map(|(wish, _)| wish.order_id()).collect();
        let came = expected.iter().filter(|order| fate_of(&stage.listener.of(**order)) == Some(fate)).count();
        let what = format!(
            "{} are to end {}{}",
            expected.len(),
            fate.end,
            fate.reason.map_or(String::new(), |reason| format!(", {reason}"))
        );
        play.same(&what, &expected.len(), &came);
    }
    for order in orders {
        play.include(order);
    }
    Ok(())
}

/// How the order ended; None if it has not, or more than once.
fn fate_of(events: &[Heard]) -> Option<Fate> {
    let mut fates = events.iter().filter_map(|event| match event.event_type.as_str() {
        "OrderCompleted" => Some(COMPLETED),
        "OrderCancelled" => Some(Fate { end: "OrderCancelled", reason: event.reason()?.parse().ok() }),
        _ => None,
    });
    match (fates.next(), fates.next()) {
        (Some(fate), None) => Some(fate),
        _ => None,
    }
}
