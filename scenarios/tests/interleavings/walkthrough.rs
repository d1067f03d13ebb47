//! The successful saga and its compensation, for reading.

use crate::{
    bus::{Action, Bus, What, World},
    shop::{self, NOWHERE, Shop},
    story,
    wish::{Pay, Wish},
};

/// All owed steps in turn; `meanwhile` is taken right after its event is published.
fn walk(wish: Wish, mut meanwhile: Option<(&str, What)>) -> String {
    let bus = Bus::default();
    let begin = shop::open(&Shop::default(), &[wish], &bus.cast);
    let mut world = begin.clone();
    let mut steps = Vec::new();
    while !world.is_at_rest() {
        let disturbance = meanwhile.take_if(|(event, _)| world.sagas[0].said().any(|said| said == *event));
        let disturbed = disturbance.map(|(_, what)| Action { order: 0, what });
        let step = disturbed.unwrap_or_else(|| owed(&bus, &world));
        world = bus.take(&world, step).expect("it can happen");
        steps.push(step);
    }
    story::tell(&bus, &begin, &steps)
}

fn owed(bus: &Bus, world: &World) -> Action {
    let mut steps = bus.steps(world).into_iter().filter(|step| step.what.is_owed());
    steps.find(|step| bus.take(world, *step).is_some()).expect("something is owed")
}

/// Forward: Try, then Confirm, each at account, payment and inventory in turn; then both branches are fulfilled.
#[test]
fn a_mixed_order_paid_by_card() {
    let story = walk(Wish::of(1, 1, Pay::Card), None);
    assert_eq!(
        story.lines().collect::<Vec<_>>(),
        [
            "order hears OrderRequested -> OrderCreated",
            "account hears OrderCreated -> BalanceReserved",
            "payment hears BalanceReserved -> calls authorize",
            "authorize is answered -> PaymentAuthorized",
            "inventory hears PaymentAuthorized -> StockReserved",
            "account hears StockReserved -> BalanceDebited",
            "payment hears BalanceDebited -> calls capture",
            "capture is answered -> PaymentCaptured",
            "inventory hears PaymentCaptured -> StockCommitted",
            "shipping hears StockCommitted -> ShipmentArranged",
            "entitlement hears StockCommitted -> EntitlementGranted",
            "order hears ShipmentArranged",
            "order hears EntitlementGranted -> OrderCompleted",
            "notification hears OrderCompleted -> calls mail",
            "mail is answered -> NotificationSent",
        ]
    );
}

/// Compensation: stock, payment and balance in turn, while the other branch is taken back.
#[test]
fn the_parcel_is_refused() {
    let story = walk(Wish { ship_to: NOWHERE.into(), ..Wish::of(1, 1, Pay::Card) }, None);
    assert_eq!(
        story.lines().collect::<Vec<_>>(),
        [
            "order hears OrderRequested -> OrderCreated",
            "account hears OrderCreated -> BalanceReserved",
            "payment hears BalanceReserved -> calls authorize",
            "authorize is answered -> PaymentAuthorized",
            "inventory hears PaymentAuthorized -> StockReserved",
            "account hears StockReserved -> BalanceDebited",
            "payment hears BalanceDebited -> calls capture",
            "capture is answered -> PaymentCaptured",
            "inventory hears PaymentCaptured -> StockCommitted",
            "shipping hears StockCommitted -> ShipmentRejected",
            "entitlement hears StockCommitted -> EntitlementGranted",
            "order hears ShipmentRejected",
            "inventory hears ShipmentRejected -> StockReleased",
            "payment hears StockReleased -> calls refund",
            "entitlement hears ShipmentRejected -> EntitlementRevoked",
            "order hears EntitlementGranted",
            "order hears EntitlementRevoked",
            "refund is answered -> PaymentRefunded",
            "account hears PaymentRefunded -> BalanceRefunded",
            "order hears BalanceRefunded -> OrderCancelled",
            "notification hears OrderCancelled -> calls mail",
            "mail is answered -> NotificationSent",
        ]
    );
}

/// A cancellation before the stock is committed comes in time. The payment is being captured by then: the capture has to finish
/// before it can be refunded.
#[test]
fn the_buyer_cancels_while_the_money_is_collected() {
    let story = walk(Wish::of(1, 0, Pay::Card), Some(("BalanceDebited", What::Cancel)));
    assert_eq!(
        story.lines().collect::<Vec<_>>(),
        [
            "order hears OrderRequested -> OrderCreated",
            "account hears OrderCreated -> BalanceReserved",
            "payment hears BalanceReserved -> calls authorize",
            "authorize is answered -> PaymentAuthorized",
            "inventory hears PaymentAuthorized -> StockReserved",
            "account hears StockReserved -> BalanceDebited",
            "the buyer cancels -> OrderCancelRequested",
            "inventory hears OrderCancelRequested -> StockReleased",
            "payment hears BalanceDebited -> calls capture",
            "payment hears StockReleased",
            "capture is answered -> calls refund",
            "refund is answered -> PaymentRefunded",
            "account hears PaymentRefunded -> BalanceRefunded",
            "order hears BalanceRefunded -> OrderCancelled",
            "notification hears OrderCancelled -> calls mail",
            "mail is answered -> NotificationSent",
        ]
    );
}
