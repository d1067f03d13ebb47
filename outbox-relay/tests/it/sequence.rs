//! A sequence that does not lead on from the cursor.

use chrono::{TimeDelta, Utc};
use outbox_relay::{Drained, Lost, Relay};
use sqlx::AssertSqlSafe;

use crate::support::{World, append_at, in_a_world, lead, until};

async fn run(world: &World, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&world.pool).await.unwrap();
}

async fn refusal(relay: &Relay) -> Lost {
    let refused = relay.stand_by().await.unwrap().try_to_lead().await.err();
    refused.expect("it does not lead")
}

/// Publishes ten rows.
async fn ten_rows(world: &World) {
    for _ in 0..10 {
        world.append("order-1", "Before").await;
    }
    let mut tenure = lead(&world.relay()).await;
    assert_eq!(tenure.drain().await.unwrap(), Drained::Empty);
    tenure.resign().await.unwrap();
}

#[tokio::test]
async fn a_sequence_behind_the_cursor_stops_the_relay_and_the_advice_helps() {
    in_a_world(async |world| {
        ten_rows(world).await;
        // What a switch-over leaves behind that takes rows and no sequences along.
        run(world, "select setval('outbox_seq', 1, false)").await;
        append_at(&world.pool, &world.aggregatetype, "Lost", Utc::now() + TimeDelta::hours(1)).await;
        let lost = refusal(&world.relay()).await;
        assert!(matches!(lost, Lost::SequenceBehind { last_value: 1, cursor: 10 }), "{lost}");

        // Half of the advice: the row is still behind the cursor.
        run(world, "select setval('outbox_seq', 10)").await;
        let lost = refusal(&world.relay()).await;
        assert!(matches!(lost, Lost::RowsBehind { rows: 1, first_seq: 1, cursor: 10, .. }), "{lost}");

        run(world, "update outbox set seq = nextval('outbox_seq') where type = 'Lost'").await;
        assert_eq!(lead(&world.relay()).await.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.published().await.last().map(String::as_str), Some("Lost"));
    })
    .await;
}

#[tokio::test]
async fn a_sequence_that_is_set_back_under_a_leader_stops_it() {
    in_a_world(async |world| {
        ten_rows(world).await;
        let mut tenure = lead(&world.relay()).await;
        run(world, "select setval('outbox_seq', 5)").await;
        let tenure = tokio::sync::Mutex::new(&mut tenure);
        let lost = until("the leader has looked", || async { tenure.lock().await.step().await.err() }).await;
        assert!(matches!(lost, Lost::SequenceBehind { last_value: 5, cursor: 10 }), "{lost}");
    })
    .await;
}

#[tokio::test]
async fn a_sequence_that_is_cached_stops_the_relay() {
    in_a_world(async |world| {
        run(world, "alter sequence outbox_seq cache 20").await;
        let lost = refusal(&world.relay()).await;
        assert!(matches!(lost, Lost::SequenceCached { cache: 20 }), "{lost}");
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_may_not_lead_is_not_ready_and_says_what_to_do() {
    in_a_world(async |world| {
        ten_rows(world).await;
        run(world, "select setval('outbox_seq', 1)").await;
        let (relay, stopping) = world.run(world.settings());
        let trouble = until("it is in trouble", || async {
            relay.trouble().filter(|it| it.contains("setval('outbox_seq', 10)"))
        });
        trouble.await;
        run(world, "select setval('outbox_seq', 10)").await;
        until("it is well", || async { relay.trouble().is_none().then_some(()) }).await;
        crate::support::stop(stopping).await;
    })
    .await;
}
