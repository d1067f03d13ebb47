//! Events of a newer version than the one that reads them.

use saga::{
    SagaId,
    parked::desk::{self, Content, Done, Signature, Wish},
};
use serde_json::json;
use uuid::Uuid;

use crate::{Ground, eventually};

/// The unsettled events of a saga: id, status and the version that they wait for.
async fn standing(ground: &Ground, order: SagaId) -> Vec<(Uuid, String, Option<i32>)> {
    let query = "select event_id, status, needs_version from parked_events left join parked_newer using (event_id) where order_id = $1 and status <> 'settled' order by seq";
    sqlx::query_as(query).bind(order.0).fetch_all(ground.db.pool()).await.expect("read")
}

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
    assert!(details.work.error.is_some_and(|error| error.contains("a value that does not fit")));
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

/// A rolling change, and back: what an older instance leaves, a newer one takes up by itself, in order.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_later_version_waits_for_a_newer_program_and_needs_no_person() {
    let ground = Ground::prepare().await;
    let (order, other) = (SagaId(Uuid::now_v7()), SagaId(Uuid::now_v7()));
    let old = ground.start::<1>();
    ground.counted(order, 1, 1).await;
    // The older program could parse it, and would take pieces for dozens.
    let newer = ground.counted(order, 2, 24).await;
    let behind = ground.counted(order, 1, 3).await;
    let second = ground.counted(order, 2, 48).await;
    ground.counted(other, 1, 7).await;
    ground.noted(other, &[7]).await;
    ground.noted(order, &[1]).await;
    let waits = |id: Uuid| (id, "waiting".to_owned(), None);
    let needs_2 = |id: Uuid| (id, "parked".to_owned(), Some(2));
    let expected = [needs_2(newer.0), waits(behind.0), needs_2(second.0)];
    eventually("they wait in order", async || (standing(&ground, order).await == expected).then_some(())).await;
    let details = desk::find(ground.db.pool(), newer.0).await.expect("read").expect("there");
    let error = details.work.error.expect("a reason");
    assert!(error.contains("has version 2; this program reads versions up to 1"), "{error}");

    // An operator can do no harm: it waits again, and nothing behind it overtakes it.
    assert!(matches!(desk::act(ground.db.pool(), newer.0, Wish::Retry, OPERATOR).await, Ok(Done::Yes(_))));
    let again = async || desk::list(ground.db.pool()).await.ok()?.into_iter().find(|work| work.tries == 2);
    assert_eq!(eventually("a second try", again).await.status, "parked");
    assert_eq!(standing(&ground, order).await, expected);

    // Beside the older program, on one group. Whatever the older one has read was in dozens.
    let new = ground.start::<2>();
    let done = async || standing(&ground, order).await.is_empty().then_some(());
    eventually("the newer program has taken them up", done).await;
    let notes = crate::toy::notes(&ground.db, order).await;
    assert!(notes == [1, 24, 36, 48] || notes == [1, 24, 3, 48], "{notes:?}");
    // The signal stops both.
    let (old, new) = tokio::join!(old.stop(), new.stop());
    assert_eq!((old, new), ((), ()));

    // What the newer program reads and cannot decide needs a person, and is not tried for ever.
    let old = ground.start::<1>();
    let stuck = SagaId(Uuid::now_v7());
    let impossible = ground.counted(stuck, 2, crate::toy::IMPOSSIBLE).await;
    let is = async |expected| (standing(&ground, stuck).await == expected).then_some(());
    eventually("the older program leaves it", async || is([needs_2(impossible.0)]).await).await;
    let new = ground.start::<2>();
    eventually("a person is needed", async || is([(impossible.0, "parked".to_owned(), None)]).await).await;
    let tries = async || desk::find(ground.db.pool(), impossible.0).await.expect("read").expect("there").work;
    let work = tries().await;
    assert!(work.error.is_some_and(|error| error.contains("nobody can count to this")));
    // Both look for what is due: the newer one takes up another saga's event meanwhile.
    let next = SagaId(Uuid::now_v7());
    ground.counted(next, 2, 5).await;
    ground.noted(next, &[5]).await;
    assert_eq!((work.tries, tries().await.tries), (2, 2));
    let (old, new) = tokio::join!(old.stop(), new.stop());
    assert_eq!((old, new), ((), ()));

    // Rolled back: the later version waits, everything else goes on.
    let old = ground.start::<1>();
    let left = ground.counted(other, 2, 96).await;
    let kept = ground.counted(other, 1, 9).await;
    let expected = [needs_2(left.0), waits(kept.0)];
    eventually("it waits", async || (standing(&ground, other).await == expected).then_some(())).await;
    old.stop().await;
    // The next attempt reads versions 1 and 2.
    let new = ground.start::<2>();
    ground.noted(other, &[7, 96, 108]).await;
    assert!(standing(&ground, other).await.is_empty());
    new.stop().await;
}
