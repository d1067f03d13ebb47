//! A service that was down for longer than its topics' retention.

use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use saga::SagaId;
use saga::transport::Transport;
use uuid::Uuid;

use crate::{Ground, REPORTS, behind, config, eventually};

/// Lost events, as the program counts them.
fn lost() -> u64 {
    let metrics = process::telemetry::init().expect("it has started").render();
    let counted = metrics.lines().filter(|line| line.starts_with("events_lost_total"));
    counted.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_were_removed_before_they_were_read_are_told_of() {
    let ground = Ground::prepare().await;
    let order = SagaId(Uuid::now_v7());
    let running = ground.start::<1>();
    ground.note(order, 1).await;
    ground.noted(order, &[1]).await;
    behind::until_passed(&ground, behind::end(&ground).await - 1).await;
    running.stop().await;
    assert_eq!(lost(), 0);

    // What retention does to a topic whose reader is down.
    for note in [2, 3, 4] {
        ground.note(order, note).await;
    }
    let mut kept_from = TopicPartitionList::new();
    let last = behind::end(&ground).await - 1;
    kept_from.add_partition_offset(REPORTS, 0, Offset::Offset(last)).expect("an offset");
    let admin: AdminClient<DefaultClientContext> =
        config(&ground.db).kafka.clone().over(&Transport::plain()).client("test").create().expect("a client");
    admin.delete_records(&kept_from, &AdminOptions::new()).await.expect("removed");

    let running = ground.start::<1>();
    ground.noted(order, &[1, 4]).await;
    eventually("the loss to be counted", async || (lost() == 2).then_some(())).await;
    running.stop().await;
}
