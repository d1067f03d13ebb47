//! Parked events in a whole program over a real Kafka: only their saga waits, nothing overtakes them, and what an
//! operator retries or resolves is processed in order.

#[path = "../service/toy.rs"]
#[expect(dead_code, reason = "the other tests need more of the toy")]
mod toy;

use saga::transport::Transport;
use std::time::Duration;

use rdkafka::producer::{FutureProducer, FutureRecord};
use saga::{
    Event, EventId, Program, SagaId, Service,
    config::Config,
    envelope::Envelope,
    parked::desk::{self, Content, Done, Signature, Wish},
    publisher::source_of,
    testing::{TestDatabase, commit, event},
};
use uuid::Uuid;

use toy::{
    Ask, Command, Counter, MIGRATIONS, Task, count, database,
    desk::{Stumbled, Wanted},
    task,
};

const OPERATOR: Signature<'_> = Signature { by: "ophelia", note: "the limit has been raised" };

fn config(db: &TestDatabase) -> Config {
    let brokers = std::env::var("TEST_KAFKA_BROKERS").expect("TEST_KAFKA_BROKERS is set: `make test` starts a Kafka");
    let url = db.url();
    Config::from_arguments([
        "counter",
        "--database-url",
        &url,
        "--kafka-brokers",
        &brokers,
        "--http-addr",
        "127.0.0.1:0",
    ])
    .expect("arguments")
}

/// Bound for any wait of a test.
const BOUND: Duration = Duration::from_secs(30);

/// Polls until there is an answer.
async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    saga::testing::eventually(BOUND, what, ask).await
}

/// Publishes on one partition, in this order.
async fn publish<E: Event>(producer: &FutureProducer, letters: &[(EventId, E)]) {
    for (id, event) in letters {
        let mut headers = Envelope {
            id: *id,
            event_type: E::TYPE.to_owned(),
            version: 1,
            source: source_of("desk"),
            subject: None,
            time: None,
            causation_id: None,
            traceparent: None,
        }
        .to_headers();
        headers.push(("x-odd", "\0".to_owned()));
        let headers = saga::outbox::kafka::headers(&headers);
        let value = serde_json::to_vec(event).expect("JSON");
        let record =
            FutureRecord::to(E::PUBLISHER.topic()).partition(0).key("parking").payload(&value).headers(headers);
        producer.send(record, Duration::from_secs(10)).await.expect("published");
    }
}

/// Events of one order; the toy's table refuses the first.
fn created(order: &Task, totals: &[i64]) -> Vec<(EventId, Wanted)> {
    totals.iter().map(|&total| (EventId::new(), Wanted { task: Task { total, ..order.clone() } })).collect()
}

/// The parked events of an order, with their status.
async fn standing(db: &TestDatabase, order: SagaId) -> Vec<(Uuid, String)> {
    let list = desk::list(db.pool()).await.expect("listed");
    list.into_iter().filter(|work| work.saga_id == order.0).map(|work| (work.id, work.status)).collect()
}

async fn act(db: &TestDatabase, id: EventId, wish: Wish<'_>) -> Done {
    desk::act(db.pool(), id.0, wish, OPERATOR).await.expect("acted")
}

async fn causes(db: &TestDatabase, order: SagaId) -> Vec<Uuid> {
    sqlx::query_scalar("select causationid from outbox where aggregateid = $1 order by seq")
        .bind(order.to_string())
        .fetch_all(db.pool())
        .await
        .expect("read")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_order_concerned_waits_and_then_goes_through_in_order() {
    let db = database().await;
    let config = config(&db);
    let cluster = config.kafka.clone().over(&Transport::plain());
    let producer: FutureProducer = cluster.producer("test").create().expect("a producer");
    saga::topics::ensure(&cluster, "test", &saga::topics::needed_by(&Counter::table())).await.expect("topics");
    let program = Program::new(Counter, config, &MIGRATIONS).expect("a program");

    let (stuck, other, hopeless) = (task(), task(), task());
    let events = created(&stuck, &[1001, 1, 2]);
    let bad = (EventId::new(), Stumbled { task: hopeless.clone() });
    let behind = created(&hopeless, &[5]);
    publish(&producer, &events).await;
    publish(&producer, std::slice::from_ref(&bad)).await;
    publish(&producer, &behind).await;
    publish(&producer, &created(&other, &[7])).await;
    let running = tokio::spawn(program.run());

    // The partition goes on; nothing of the two orders overtakes their parked events.
    eventually("the other saga", async || count(&db, other.task_id).await.filter(|count| *count == 7)).await;
    let ids: Vec<Uuid> = events.iter().map(|(id, _)| id.0).collect();
    let words = |words: [&str; 3]| ids.iter().copied().zip(words.map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(standing(&db, stuck.task_id).await, words(["parked", "waiting", "waiting"]));
    assert_eq!((count(&db, stuck.task_id).await, count(&db, hopeless.task_id).await), (None, None));
    let details = desk::find(db.pool(), ids[0]).await.expect("read").expect("there");
    let Content::Event(record) = details.content else { panic!("an event is parked") };
    assert!(record.headers.contains(&("x-odd".to_owned(), vec![0])), "kept whole: {record:?}");

    // Only calls have answers.
    assert!(matches!(act(&db, events[0].0, Wish::Answer("yes")).await, Done::WrongKind(_)));
    // Retried without a fix, it is parked again; a waiting event cannot be retried.
    assert!(matches!(act(&db, events[1].0, Wish::Retry).await, Done::NotNow(_)));
    assert!(matches!(act(&db, events[0].0, Wish::Retry).await, Done::Yes(_)));
    let again =
        async || desk::list(db.pool()).await.ok()?.into_iter().find(|work| work.id == ids[0] && work.tries == 2);
    let again = eventually("a second failure", again).await;
    assert_eq!(again.status, "parked");
    assert!(again.error.is_some_and(|error| error.contains("check constraint")));

    // Once fixed, it is processed, then those behind it.
    db.run("alter table counts drop constraint counts_count_check").await;
    assert!(matches!(act(&db, events[0].0, Wish::Retry).await, Done::Yes(_)));
    eventually("all three", async || count(&db, stuck.task_id).await.filter(|count| *count == 1004)).await;
    assert_eq!(causes(&db, stuck.task_id).await, ids);
    assert!(standing(&db, stuck.task_id).await.is_empty());

    // A resolved event is skipped.
    let mut signature = OPERATOR;
    signature.note = "it will never do";
    let done = desk::act(db.pool(), bad.0.0, Wish::Resolve, signature).await.expect("acted");
    assert!(matches!(done, Done::Yes(_)));
    eventually("the one behind it", async || count(&db, hopeless.task_id).await.filter(|count| *count == 5)).await;
    let actions = desk::find(db.pool(), bad.0.0).await.expect("read").expect("there").actions;
    assert_eq!(
        actions.iter().map(|a| (a.by_whom.as_str(), a.action.as_str(), a.note.as_str())).collect::<Vec<_>>(),
        [("ophelia", "resolve", "it will never do")]
    );

    // Acting again changes nothing, and the order goes on.
    for id in [events[0].0, bad.0] {
        assert!(matches!(act(&db, id, Wish::Retry).await, Done::NotNow(_)));
        assert!(matches!(act(&db, id, Wish::Resolve).await, Done::NotNow(_)));
    }
    publish(&producer, &events).await;
    publish(&producer, &created(&stuck, &[10])).await;
    eventually("a later event", async || count(&db, stuck.task_id).await.filter(|count| *count == 1014)).await;

    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).expect("raised");
    running.await.expect("no panic").expect("stopped cleanly");
}

/// Another instance parks an event while this one waits for it at the inbox: this one's next event of the order must see
/// that.
#[tokio::test]
async fn an_event_that_another_instance_parks_meanwhile_is_not_overtaken() {
    let db = database().await;
    let (work, order) = (db.work(Counter), task());
    let first = EventId::new();
    let counting = |total| Command::new(Task { total, ..order.clone() }, Ask::Count);

    let mut parking = db.pool().begin().await.expect("begun");
    sqlx::query("insert into inbox (event_id) values ($1)").bind(first.0).execute(&mut *parking).await.expect("seen");
    let batch = [saga::testing::event_with_id(first, "first", counting(1001)), event("second", counting(1))];
    let both = tokio::spawn({
        let work = work.clone();
        async move { commit(&work, &batch).await }
    });
    db.until_blocked().await;
    sqlx::query(
        "insert into parked_events (event_id, order_id, topic, partition, record_offset, record_timestamp, error)
         values ($1, $2, 'order.events', 0, 0, 0, 'another instance')",
    )
    .bind(first.0)
    .bind(order.task_id.0)
    .execute(&mut *parking)
    .await
    .expect("parked");
    parking.commit().await.expect("committed");
    use saga::unit_of_work::Outcome;
    assert_eq!(both.await.expect("no panic"), [Outcome::Duplicate, Outcome::Held]);
    assert_eq!(count(&db, order.task_id).await, None);
}

#[tokio::test]
async fn a_parked_call_is_open_again_after_a_retry_or_an_answer_and_cannot_be_resolved() {
    let db = database().await;
    let work = db.work(Counter);
    for wish in [Wish::Retry, Wish::Answer("yes")] {
        let order = task();
        commit(&work, &[event("call", Command::new(order.clone(), Ask::Call { gives_up: false }))]).await;
        let id: Uuid =
            // A version that did not know answers may have left an earlier one behind.
            sqlx::query_scalar(
                "update attempts set status = 'parked', answer = 'no', tries = 9 where order_id = $1 returning id",
            )
            .bind(order.task_id.0)
            .fetch_one(db.pool())
            .await
            .expect("parked");
        assert_eq!(standing(&db, order.task_id).await, [(id, "parked".to_owned())]);
        let refused = desk::act(db.pool(), id, Wish::Resolve, OPERATOR).await.expect("acted");
        assert!(matches!(refused, Done::WrongKind(_)), "its saga waits for the answer: {refused:?}");
        let Done::Yes(after) = desk::act(db.pool(), id, wish, OPERATOR).await.expect("acted") else {
            panic!("not done")
        };
        assert_eq!(after.status, "open");
        let answer: Option<String> = sqlx::query_scalar("select answer from attempts where id = $1")
            .bind(id)
            .fetch_one(db.pool())
            .await
            .expect("read");
        assert_eq!(answer.as_deref(), (wish == Wish::Answer("yes")).then_some("yes"), "{wish:?}");
        assert!(matches!(desk::act(db.pool(), id, wish, OPERATOR).await.expect("acted"), Done::NotNow(_)));
        assert_eq!(desk::find(db.pool(), id).await.expect("read").expect("there").actions.len(), 1);
    }
}
