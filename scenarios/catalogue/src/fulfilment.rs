//! Orders that reach fulfilment, and its outcomes.

use events::Reason;
use testbed::cast::{
    ALICE, BITCOIN, CHARACTER, E_BOOK, FRANK, GRACE, HARDWARE_WALLET, HEIDI, IVAN, LAMP, LAURA, MUG, POSTCARD, POSTER,
    RETIRED_CHARACTER, RETIRED_E_BOOK, RUPERT, SYBIL, THEME,
};

use crate::{
    ending::{COMPLETED, Ending, TO_COMMITTED},
    play::{Play, Wish},
};

const TOKYO: &str = "1-1 Chiyoda, Tokyo";
const ATLANTIS: &str = "3 Reef Street, Atlantis";

/// The compensation of an order whose fulfilment was refused, from the refusal on.
const UNSHIPPABLE: &[&str] =
    &["StockCommitted", "ShipmentRejected", "StockReleased", "PaymentRefunded", "BalanceRefunded"];
const DISCONTINUED: &[&str] =
    &["StockCommitted", "EntitlementRejected", "StockReleased", "PaymentRefunded", "BalanceRefunded"];
const CANCELLED: &[&str] = &["OrderCancelled", "NotificationSent"];

pub(super) async fn purchase(play: &mut Play) -> anyhow::Result<()> {
    play.owns(ALICE, 1_000).await?;
    play.in_stock(BITCOIN, 10).await?;
    let order = play.publish(&Wish::of(ALICE, &[(BITCOIN, 1)])).await?;
    let ending = Ending::unlocked("receipt");
    play.ends(order, &ending).await?;
    play.then_owns(ALICE, 900).await?;
    play.then_in_stock(BITCOIN, 9).await
}

pub(super) async fn parcel(play: &mut Play) -> anyhow::Result<()> {
    play.owns(LAURA, 1_000).await?;
    play.in_stock(HARDWARE_WALLET, 10).await?;
    let order = play.publish(&Wish::of(LAURA, &[(HARDWARE_WALLET, 2)]).shipped_to(TOKYO)).await?;
    let ending = Ending::completed("receipt")
        .because(TO_COMMITTED)
        .because(&["StockCommitted", "ShipmentArranged", "OrderCompleted", "NotificationSent"])
        .rows(|rows| rows.shipping = Some("CONFIRMED"));
    play.ends(order, &ending).await?;
    play.then_owns(LAURA, 400).await?;
    play.then_in_stock(HARDWARE_WALLET, 8).await
}

pub(super) async fn mixed(play: &mut Play) -> anyhow::Result<()> {
    play.owns(SYBIL, 1_000).await?;
    play.in_stock(POSTCARD, 10).await?;
    play.in_stock(THEME, 10).await?;
    let order = play.publish(&Wish::of(SYBIL, &[(POSTCARD, 1), (THEME, 1)]).shipped_to(TOKYO)).await?;
    let ending = Ending::completed("receipt")
        .because(TO_COMMITTED)
        .because(&["StockCommitted", "ShipmentArranged"])
        .because(&["StockCommitted", "EntitlementGranted"])
        .because(COMPLETED)
        .rows(|rows| (rows.shipping, rows.entitlement) = (Some("CONFIRMED"), Some("CONFIRMED")));
    play.ends(order, &ending).await?;
    play.then_owns(SYBIL, 830).await?;
    play.then_in_stock(POSTCARD, 9).await?;
    play.then_in_stock(THEME, 9).await
}

pub(super) async fn points_mall(play: &mut Play) -> anyhow::Result<()> {
    play.owns(FRANK, 200).await?;
    play.in_stock(CHARACTER, 10).await?;
    let order = play.publish(&Wish::of(FRANK, &[(CHARACTER, 1)])).await?;
    let ending = Ending::unlocked("welcome").mail_says("50 PTS");
    play.ends(order, &ending).await?;
    play.then_owns(FRANK, 150).await?;
    play.then_in_stock(CHARACTER, 9).await
}

/// Everything had been taken and is compensated.
fn all_given_back(reason: Reason, refunded: i64) -> Ending {
    Ending::cancelled(reason, refunded).because(TO_COMMITTED).rows(|rows| {
        (rows.account, rows.payment, rows.inventory) = (Some("REFUNDED"), Some("REFUNDED"), Some("REFUNDED"));
    })
}

pub(super) async fn discontinued(play: &mut Play) -> anyhow::Result<()> {
    play.owns(GRACE, 200).await?;
    play.in_stock(RETIRED_CHARACTER, 10).await?;
    let order = play.publish(&Wish::of(GRACE, &[(RETIRED_CHARACTER, 1)])).await?;
    let ending = all_given_back(Reason::Discontinued, 50)
        .because(DISCONTINUED)
        .because(&["BalanceRefunded", "OrderCancelled", "NotificationSent"])
        .rows(|rows| rows.entitlement = Some("REJECTED"))
        .mail_says("50 PTS");
    play.ends(order, &ending).await?;
    play.then_owns(GRACE, 200).await?;
    play.then_in_stock(RETIRED_CHARACTER, 10).await
}

pub(super) async fn unshippable(play: &mut Play) -> anyhow::Result<()> {
    play.owns(HEIDI, 1_000).await?;
    play.in_stock(MUG, 10).await?;
    let order = play.publish(&Wish::of(HEIDI, &[(MUG, 1)]).shipped_to(ATLANTIS)).await?;
    let ending = all_given_back(Reason::UnshippableAddress, 500)
        .because(UNSHIPPABLE)
        .because(&["BalanceRefunded", "OrderCancelled", "NotificationSent"])
        .rows(|rows| rows.shipping = Some("REJECTED"));
    play.ends(order, &ending).await?;
    play.then_owns(HEIDI, 1_000).await?;
    play.then_in_stock(MUG, 10).await
}

pub(super) async fn mixed_unshippable(play: &mut Play) -> anyhow::Result<()> {
    play.owns(IVAN, 1_000).await?;
    play.in_stock(POSTER, 10).await?;
    play.in_stock(E_BOOK, 10).await?;
    let order = play.publish(&Wish::of(IVAN, &[(POSTER, 1), (E_BOOK, 1)]).shipped_to(ATLANTIS)).await?;
    let ending = all_given_back(Reason::UnshippableAddress, 600)
        .because(UNSHIPPABLE)
        .because(&["ShipmentRejected", "EntitlementRevoked"])
        .because(CANCELLED)
        .perhaps("EntitlementGranted")
        .rows(|rows| (rows.shipping, rows.entitlement) = (Some("REJECTED"), Some("CANCELLED")));
    play.ends(order, &ending).await?;
    play.then_owns(IVAN, 1_000).await?;
    play.then_in_stock(POSTER, 10).await?;
    play.then_in_stock(E_BOOK, 10).await
}

pub(super) async fn mixed_discontinued(play: &mut Play) -> anyhow::Result<()> {
    play.owns(RUPERT, 1_000).await?;
    play.in_stock(LAMP, 10).await?;
    play.in_stock(RETIRED_E_BOOK, 10).await?;
    let order = play.publish(&Wish::of(RUPERT, &[(LAMP, 1), (RETIRED_E_BOOK, 1)]).shipped_to(TOKYO)).await?;
    let ending = all_given_back(Reason::Discontinued, 800)
        .because(DISCONTINUED)
        .because(&["EntitlementRejected", "ShipmentCancelled"])
        .because(CANCELLED)
        .perhaps("ShipmentArranged")
        .rows(|rows| (rows.shipping, rows.entitlement) = (Some("CANCELLED"), Some("REJECTED")));
    play.ends(order, &ending).await?;
    play.then_owns(RUPERT, 1_000).await?;
    play.then_in_stock(LAMP, 10).await?;
    play.then_in_stock(RETIRED_E_BOOK, 10).await
}
