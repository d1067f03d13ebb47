//! An outbox that is handed over to Debezium, and back.

use outbox_relay::Standing;
use sqlx::AssertSqlSafe;

use crate::support::{World, in_a_world, stop, until};

/// The statement of a script that is about the cursor; the rest is Debezium's.
async fn run(world: &World, script: &str, last_seq: i64) {
    let begins = script.find("update relay_cursor").expect("it writes the cursor");
    let statement = script[begins..].split(';').next().unwrap().replace(":last_seq", &last_seq.to_string());
    sqlx::query(AssertSqlSafe(statement)).execute(&world.pool).await.unwrap();
}

#[tokio::test]
async fn an_outbox_that_was_handed_over_is_left_alone_and_can_be_given_back() {
    const OVER: &str = include_str!("../../../docker/debezium/hand-over.sql");
    const BACK: &str = include_str!("../../../docker/debezium/hand-back.sql");
    in_a_world(async |world| {
        let (relay, running) = world.run(world.settings());
        world.append("order-1", "First").await;
        until("it publishes", || async { (world.cursor().await == 1).then_some(()) }).await;

        // Even with a relay running that was not stopped.
        run(world, OVER, 0).await;
        until("it stands by", || async { (relay.standing() == Standing::StandingBy).then_some(()) }).await;
        world.append("order-1", "By Debezium").await;
        assert_eq!(world.cursor().await, i64::MAX);
        stop(running).await;

        let (relay, running) = world.run(world.settings());
        until("it stands by", || async { (relay.standing() == Standing::StandingBy).then_some(()) }).await;
        assert_eq!(relay.trouble(), None, "there is nothing to repair");
        assert_eq!(world.cursor().await, i64::MAX);

        run(world, BACK, 2).await;
        world.append("order-1", "Third").await;
        until("it publishes again", || async { (world.cursor().await == 3).then_some(()) }).await;
        assert_eq!(world.published().await, ["First", "Third"]);
        stop(running).await;
    })
    .await;
}
