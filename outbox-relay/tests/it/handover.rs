//! One leads, the others stand by.

use std::time::Duration;

use outbox_relay::{Drained, Lost, Tenure, Timing};

use crate::support::{World, in_a_world, lead, try_to_lead, until};

/// A short lease, but long enough for a busy broker to acknowledge within it (two fifths of it are allowed).
const SHORT: Timing = Timing {
    lease: Duration::from_secs(6),
    max_poll: Duration::from_millis(200),
    acknowledged_within: Duration::from_secs(20),
};

/// Ends the session in which a relay leads, as a crash of its process does.
async fn kill_leader(world: &World) {
    let killed: i64 = sqlx::query_scalar(
        "select count(*) filter (where pg_terminate_backend(pid, 5000)) from pg_locks
         where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!(killed, 1, "exactly one relay holds the lock of a leader");
}

async fn assert_replaced(mut former: Tenure) {
    let lost = former.step().await.unwrap_err();
    assert!(matches!(lost, Lost::Replaced { .. }), "{lost}");
}

#[tokio::test]
async fn one_leads_and_the_other_stands_by() {
    in_a_world(async |world| {
        let leader = lead(&world.relay()).await;
        assert!(try_to_lead(&world.relay()).await.is_none());
        leader.resign().await.unwrap();
        let successor = lead(&world.relay()).await;
        assert_eq!(successor.epoch(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_standby_takes_over_at_once_when_the_leaders_session_is_gone() {
    in_a_world(async |world| {
        let mut leader = lead(&world.relay()).await;
        world.append("order-1", "First").await;
        assert_eq!(leader.drain().await.unwrap(), Drained::Empty);
        kill_leader(world).await;

        // The lease has ten seconds left.
        let mut successor = lead(&world.relay()).await;
        world.append("order-1", "Second").await;
        assert_eq!(successor.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.published().await, ["First", "Second"]);
        let lost = leader.step().await.unwrap_err();
        assert!(matches!(lost, Lost::Database(_)), "{lost}");
    })
    .await;
}

#[tokio::test]
async fn a_standby_takes_over_from_a_frozen_leader_which_is_then_fenced() {
    in_a_world(async |world| {
        let mut leader = lead(&world.relay_with(SHORT)).await;
        world.append("order-1", "First").await;
        assert_eq!(leader.drain().await.unwrap(), Drained::Empty);

        // The leader is stepped no more, as if its process was frozen.
        let mut successor = until("the lease is over", || async { try_to_lead(&world.relay()).await }).await;
        assert_eq!(successor.epoch(), leader.epoch() + 1);
        world.append("order-1", "Second").await;

        assert_replaced(leader).await;
        assert_eq!(world.published().await, ["First"], "the former leader publishes nothing");
        assert_eq!(successor.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.published().await, ["First", "Second"]);

        // The former leader stands by again; having led gives it no claim.
        assert!(try_to_lead(&world.relay()).await.is_none());
    })
    .await;
}

#[tokio::test]
async fn the_cursor_of_a_former_leader_does_not_count() {
    in_a_world(async |world| {
        let mut leader = lead(&world.relay_with(SHORT)).await;
        world.append("order-1", "First").await;
        // It has published, but freezes before it saves its cursor.
        leader.step().await.unwrap();
        until("the record is on Kafka", || async { (world.published().await == ["First"]).then_some(()) }).await;
        let mut successor = until("the lease is over", || async { try_to_lead(&world.relay()).await }).await;

        assert_replaced(leader).await;
        assert_eq!(world.cursor().await, 0);
        assert_eq!(successor.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.published().await, ["First", "First"], "at least once");
        assert_eq!(world.cursor().await, 1);
    })
    .await;
}

#[tokio::test]
async fn of_many_who_try_at_once_one_leads() {
    in_a_world(async |world| {
        let relay = world.relay();
        let tries = (0..8).map(|_| try_to_lead(&relay));
        let leaders: Vec<_> = futures::future::join_all(tries).await.into_iter().flatten().collect();
        assert_eq!(leaders.len(), 1);
    })
    .await;
}
