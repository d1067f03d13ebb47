//! A database that falls silent: connections stay open, but no answer arrives.

use std::time::Duration;

use outbox_relay::{Settings, Timing};

use crate::support::{Line, World, in_a_world, stop, until};

/// A silent connection is discarded after three fifths of it.
const LEASE: Duration = Duration::from_secs(5);

async fn settings_over(line: &Line, world: &World) -> Settings {
    let timing = Timing { lease: LEASE, ..Timing::default() };
    Settings { options: line.options(&world.options), timing, ..world.settings() }
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_thrown_away_and_publishing_goes_on() {
    in_a_world(async |world| {
        let line = Line::to(&world.options).await;
        let (relay, running) = world.run(settings_over(&line, world).await);
        world.append("order-1", "First").await;
        until("it publishes", || async { (world.cursor().await == 1).then_some(()) }).await;

        // The server does not notice: the leader's session and its lock are still there.
        line.silence();
        world.append("order-1", "Second").await;
        until("it publishes again", || async { (world.cursor().await == 2).then_some(()) }).await;
        let mut published = world.published().await;
        published.dedup();
        assert_eq!(published, ["First", "Second"]);
        until("it is well", || async { relay.trouble().is_none().then_some(()) }).await;
        stop(running).await;
    })
    .await;
}

#[tokio::test]
async fn a_relay_whose_database_is_silent_for_good_is_not_ready_and_stops_all_the_same() {
    in_a_world(async |world| {
        let line = Line::to(&world.options).await;
        let (relay, running) = world.run(settings_over(&line, world).await);
        until("it is well", || async { relay.trouble().is_none().then_some(()) }).await;
        line.silence_for_good();
        let trouble = until("it is in trouble", || async { relay.trouble() }).await;
        assert!(trouble.contains("the database has not answered"), "{trouble}");
        stop(running).await;
    })
    .await;
}
