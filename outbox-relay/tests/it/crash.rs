//! The relay crashes, and nothing is lost.

use outbox_relay::{Drained, Outcome};

use crate::support::{in_a_world, lead, until};

#[tokio::test]
async fn a_crash_between_send_and_cursor_repeats_but_loses_nothing() {
    in_a_world(async |world| {
        // The partition has accepted a record: the next rows go together.
        let mut leader = lead(&world.relay()).await;
        world.append("order-1", "Before").await;
        assert_eq!(leader.drain().await.unwrap(), Drained::Empty);
        for name in ["First", "Second", "Third"] {
            world.append("order-1", name).await;
        }
        assert_eq!(leader.step().await.unwrap(), Outcome::Published { rows: 3, more: false });
        until("all three are on Kafka", || async { (world.published().await.len() == 4).then_some(()) }).await;
        drop(leader);
        assert_eq!(world.cursor().await, 1, "the cursor never runs ahead");

        world.append("order-1", "Fourth").await;
        let relay = world.relay();
        let mut successor = until("the session of the dead is gone", || crate::support::try_to_lead(&relay)).await;
        assert_eq!(successor.drain().await.unwrap(), Drained::Empty);
        let twice = ["Before", "First", "Second", "Third", "First", "Second", "Third", "Fourth"];
        assert_eq!(world.published().await, twice);
    })
    .await;
}
