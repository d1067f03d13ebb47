//! Orders that cannot be paid.

use events::Reason;
use testbed::cast::{ALICE, BITCOIN, BOB, BOMB, CONCERT, DAVE, ERIN, FILM, GAME, Good, PEGGY, Person, QUENTIN};

use crate::{
    ending::Ending,
    play::{Play, Wish},
};

/// The payment is declined before anything is charged.
const DECLINED: &[&str] = &[
    "OrderRequested",
    "OrderCreated",
    "BalanceReserved",
    "PaymentDeclined",
    "BalanceReleased",
    "OrderCancelled",
    "NotificationSent",
];

pub(super) async fn insufficient_balance(play: &mut Play) -> anyhow::Result<()> {
    play.owns(BOB, 500).await?;
    let order = play.publish(&Wish::of(BOB, &[(BITCOIN, 10)])).await?;
    let ending = Ending::cancelled(Reason::InsufficientBalance, 0)
        .because(&["OrderRequested", "OrderCreated", "BalanceRejected", "OrderCancelled", "NotificationSent"])
        .rows(|rows| rows.account = Some("REJECTED"));
    play.ends(order, &ending).await?;
    play.then_owns(BOB, 500).await
}

async fn declined(play: &mut Play, person: Person, good: Good, wish: Wish, reason: Reason) -> anyhow::Result<()> {
    play.owns(person, 10_000).await?;
    play.in_stock(good, 10).await?;
    let order = play.publish(&wish).await?;
    let ending = Ending::cancelled(reason, 0)
        .because(DECLINED)
        .rows(|rows| (rows.account, rows.payment) = (Some("CANCELLED"), Some("REJECTED")));
    play.ends(order, &ending).await?;
    play.then_owns(person, 10_000).await?;
    play.then_in_stock(good, 10).await
}

pub(super) async fn invalid_payment_method(play: &mut Play) -> anyhow::Result<()> {
    let wish = Wish::of(DAVE, &[(CONCERT, 1)]).paid_with(ALICE.id);
    declined(play, DAVE, CONCERT, wish, Reason::InvalidPaymentMethod).await
}

pub(super) async fn card_declined(play: &mut Play) -> anyhow::Result<()> {
    declined(play, PEGGY, FILM, Wish::of(PEGGY, &[(FILM, 1)]), Reason::CardDeclined).await
}

pub(super) async fn bomb(play: &mut Play) -> anyhow::Result<()> {
    declined(play, ERIN, BOMB, Wish::of(ERIN, &[(BOMB, 1)]), Reason::GatewayUnavailable).await
}

pub(super) async fn capture_failed(play: &mut Play) -> anyhow::Result<()> {
    play.owns(QUENTIN, 10_000).await?;
    play.in_stock(GAME, 10).await?;
    let order = play.publish(&Wish::of(QUENTIN, &[(GAME, 1)])).await?;
    let ending = Ending::cancelled(Reason::CardDeclined, GAME.price)
        .because(&[
            "OrderRequested",
            "OrderCreated",
            "BalanceReserved",
            "PaymentAuthorized",
            "StockReserved",
            "BalanceDebited",
            "PaymentCaptureFailed",
            "StockReleased",
            "PaymentVoided",
            "BalanceRefunded",
            "OrderCancelled",
            "NotificationSent",
        ])
        .rows(|rows| {
            (rows.account, rows.payment, rows.inventory) = (Some("REFUNDED"), Some("CANCELLED"), Some("CANCELLED"));
        });
    play.ends(order, &ending).await?;
    play.then_owns(QUENTIN, 10_000).await?;
    play.then_in_stock(GAME, 10).await
}
