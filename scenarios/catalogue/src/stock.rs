//! Orders that fail on stock.

use events::Reason;
use testbed::cast::{BITCOIN, CHARLIE};

use crate::{
    ending::Ending,
    play::{Play, Wish},
};

pub(super) async fn out_of_stock(play: &mut Play) -> anyhow::Result<()> {
    play.owns(CHARLIE, 10_000).await?;
    let order = play.publish(&Wish::of(CHARLIE, &[(BITCOIN, 15)])).await?;
    let ending = Ending::cancelled(Reason::OutOfStock, 0)
        .because(&[
            "OrderRequested",
            "OrderCreated",
            "BalanceReserved",
            "PaymentAuthorized",
            "StockRejected",
            "PaymentVoided",
            "BalanceReleased",
            "OrderCancelled",
            "NotificationSent",
        ])
        .rows(|rows| {
            (rows.account, rows.payment, rows.inventory) = (Some("CANCELLED"), Some("CANCELLED"), Some("REJECTED"));
        });
    play.ends(order, &ending).await?;
    play.then_owns(CHARLIE, 10_000).await
}
