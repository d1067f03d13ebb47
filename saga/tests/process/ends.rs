//! Programs that cannot do their work exit and say what to do.

use std::time::Duration;

use nix::sys::signal::Signal;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::{
    ALONE,
    child::Child,
    eventually, kafka, publish,
    toy::{count, desk::Wanted, task},
    with_deadlines,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_instance_id_another_has_taken_ends() {
    let _alone = ALONE.lock().await;
    let db = with_deadlines().await;
    let settings = [("KAFKA_INSTANCE_ID", "the-only-one")];
    let mut first = Child::start(&db.url(), &settings);
    first.until_ready().await;
    let second = Child::start(&db.url(), &settings);
    let (status, words) = first.ended().await;
    assert!(!status.success() && words.contains("give each process one of its own"), "{words}");

    second.until_ready().await;
    let facts = task();
    publish(&Wanted { task: facts.clone() }, "fenced").await;
    eventually("the other to go on", async || count(&db, facts.task_id).await).await;
}

/// Its successor need not wait for a session timeout.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_stopped_in_order_has_left_its_group() {
    let _alone = ALONE.lock().await;
    let db = with_deadlines().await;
    for settings in [&[][..], &[("KAFKA_INSTANCE_ID", "comes-and-goes")]] {
        let mut program = Child::start(&db.url(), settings);
        program.until_ready().await;
        // So that there is an offset to commit at the end.
        let facts = task();
        publish(&Wanted { task: facts.clone() }, "left").await;
        eventually("the event", async || count(&db, facts.task_id).await).await;
        assert_eq!(members(), 1, "{settings:?}");
        program.signal(Signal::SIGTERM);
        let (status, words) = program.ended().await;
        assert!(status.success(), "{words}");
        assert_eq!(members(), 0, "{settings:?}");
    }
}

/// Number of members in the programs' group.
fn members() -> usize {
    let client: BaseConsumer = kafka().client("test").create().expect("a client");
    let groups = client.fetch_group_list(Some("counter"), Duration::from_secs(10)).expect("the group");
    groups.groups().iter().map(|group| group.members().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_whose_port_is_taken_ends_at_once_even_while_it_waits_for_its_database() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let mut program = Child::start(nowhere, &[("HTTP_ADDR", &address)]);
    let (status, words) = program.ended().await;
    assert!(!status.success() && words.contains("is the port taken?"), "{words}");
}
