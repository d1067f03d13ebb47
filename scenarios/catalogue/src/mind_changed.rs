//! Orders stopped by their buyer or by their deadline.

use anyhow::Context;
use events::Reason;
use testbed::{
    Database,
    cast::{BADGE, Good, JUDY, KEN, PODCAST, Person, SONG, VICTOR},
};

use crate::{
    ending::{BUYER_STOPPED, Ending},
    play::{Play, Wish},
};

/// Stopped during the card authorization: inventory receives the cancellation before anything else about the order.
fn stopped(reason: Reason, way_back: &'static [&'static str]) -> Ending {
    Ending::stopped(reason, way_back).because(&["OrderRequested", "OrderCreated", "BalanceReserved"])
}

async fn nothing_taken(play: &mut Play, person: Person, good: Good) -> anyhow::Result<()> {
    play.then_owns(person, 1_000).await?;
    play.then_in_stock(good, 10).await
}

pub(super) async fn buyer_cancels(play: &mut Play) -> anyhow::Result<()> {
    play.owns(JUDY, 1_000).await?;
    play.in_stock(PODCAST, 10).await?;
    let order = play.publish(&Wish::of(JUDY, &[(PODCAST, 1)])).await?;
    play.reaches(order, "BalanceReserved").await;
    play.stage().cancel(order).await?;
    let ending = stopped(Reason::CancelledByUser, BUYER_STOPPED);
    play.ends(order, &ending).await?;
    nothing_taken(play, JUDY, PODCAST).await
}

pub(super) async fn deadline_passes(play: &mut Play) -> anyhow::Result<()> {
    play.owns(KEN, 1_000).await?;
    play.in_stock(SONG, 10).await?;
    let order = play.publish(&Wish::of(KEN, &[(SONG, 1)])).await?;
    play.reaches(order, "BalanceReserved").await;
    // Moves the deadline instead of waiting for it.
    sqlx::query("update orders set deadline = now() where id = $1 and status = 'PENDING'")
        .bind(order.0)
        .execute(play.stage().databases.of_operator(Database::ORDERS))
        .await
        .context("moving the deadline forward")?;
    let ending = stopped(
        Reason::TimedOut,
        &["OrderTimedOut", "StockReleased", "PaymentVoided", "BalanceReleased", "OrderCancelled", "NotificationSent"],
    );
    play.ends(order, &ending).await?;
    nothing_taken(play, KEN, SONG).await
}

pub(super) async fn cancel_too_late(play: &mut Play) -> anyhow::Result<()> {
    play.owns(VICTOR, 1_000).await?;
    play.in_stock(BADGE, 10).await?;
    let order = play.publish(&Wish::of(VICTOR, &[(BADGE, 1)])).await?;
    play.reaches(order, "OrderCompleted").await;
    let refused = play.stage().cancel(order).await.err().map(|error| error.to_string());
    play.check("the cancellation is answered with 409", || match refused {
        Some(error) if error.contains("409") => None,
        other => Some(format!("it was answered otherwise: {}", other.as_deref().unwrap_or("202"))),
    });
    let ending = Ending::unlocked("receipt");
    play.ends(order, &ending).await?;
    play.then_owns(VICTOR, 1_000 - BADGE.price).await?;
    play.then_in_stock(BADGE, 9).await
}
