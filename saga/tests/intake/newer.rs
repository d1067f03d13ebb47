//! Events of a newer version than the one that reads them.

use saga::{
    SagaId,
    parked::desk::{self, Content, Done, Signature, Wish},
};
use serde_json::json;
use uuid::Uuid;

use crate::{Ground, eventually};

const OPERATOR: Signature<'_> = Signature { by: "ophelia", note: "upgraded" };

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_an_older_version_cannot_read_parks_its_order_and_is_read_after_an_upgrade() {
    let ground = Ground::prepare().await;
    let (order, other) = (SagaId(Uuid::now_v7()), SagaId(Uuid::now_v7()));
    // In one batch: earlier events are processed, later ones wait.
    ground.note(order, 1).await;
    let newer = ground.say(order, json!({ "task_id": order, "note": 2, "since_v2": "a_new_reason" })).await;
    let later = ground.note(order, 3).await;
    ground.note(other, 1).await;

    let old = ground.start::<1>();
    ground.noted(other, &[1]).await;
    ground.noted(order, &[1]).await;
    let standing = async || -> Vec<(Uuid, String)> {
        let list = desk::list(ground.db.pool()).await.expect("listed");
        list.into_iter().filter(|work| work.saga_id == order.0).map(|work| (work.id, work.status)).collect()
    };
    let expected = [(newer.0, "parked".to_owned()), (later.0, "waiting".to_owned())];
    eventually("both in their order", async || (standing().await == expected).then_some(())).await;
    let details = desk::find(ground.db.pool(), newer.0).await.expect("read").expect("there");
    assert!(details.work.error.is_some_and(|error| error.contains("a word of a newer version")));
    let Content::Event(record) = details.content else { panic!("an event is parked") };
    assert!(String::from_utf8_lossy(&record.value.expect("kept whole")).contains("a_new_reason"));

    // Retried without an upgrade, it is parked again.
    assert!(matches!(desk::act(ground.db.pool(), newer.0, Wish::Retry, OPERATOR).await, Ok(Done::Yes(_))));
    let again = async || {
        desk::list(ground.db.pool()).await.ok()?.into_iter().find(|work| work.id == newer.0 && work.tries == 2)
    };
    assert_eq!(eventually("a second try", again).await.status, "parked");
    ground.note(order, 4).await;
    old.stop().await;

    let new = ground.start::<2>();
    assert!(matches!(desk::act(ground.db.pool(), newer.0, Wish::Retry, OPERATOR).await, Ok(Done::Yes(_))));
    ground.noted(order, &[1, 2, 3, 4]).await;
    assert!(standing().await.is_empty());
    new.stop().await;
}
