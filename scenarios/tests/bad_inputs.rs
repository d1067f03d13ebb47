//! Hundreds of bad inputs on a real Kafka: each becomes an unchanged dead letter, or an order that ends with a reason; and the
//! good orders behind them succeed.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]
#![expect(clippy::print_stdout, reason = "figures, for whoever runs it with --nocapture")]

use saga::outbox::kafka::Cluster;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use events::{
    EventId, OrderId,
    envelope::{read, read_data},
    publisher::dead_letter_topic,
    request::{ORDER_REQUESTED, OrderRequested},
};
use rand::{SeedableRng, rngs::StdRng};
use saga::{record::Record, shutdown::Shutdown};
use scenarios::{
    archive, audit,
    chaos::{
        bad_requests,
        records::Records,
        shoppers::{Shoppers, enrich},
        tally::Tally,
    },
    databases::Databases,
    requests::Client,
    stack::{self, Broker, Database, Options, Reporter, Stack, until},
};
use uuid::Uuid;

const SEED: u64 = 20_260_731;
const INPUTS: usize = 600;
/// Enough for every partition.
const GOOD: usize = 60;
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_inputs_become_dead_letters_or_rejections_and_nothing_stops_for_them() {
    let (_stop, shutdown) = Shutdown::by_hand();
    let reporter = Reporter::on_stderr();
    let run = stack::with(Options::new(Broker::Kafka), &reporter, &shutdown, async |stack| judge(stack).await);
    let counts = run.await.unwrap().unwrap();
    println!("{INPUTS} bad inputs, seed {SEED}: {counts:?}");
    // Every outcome has to occur, or the inputs were not bad enough.
    assert!(["dead letter", "order", "skipped", "repetition"].iter().all(|way| counts.contains_key(way)), "{counts:?}");
}

async fn judge(stack: &Stack) -> anyhow::Result<HashMap<&'static str, usize>> {
    let environment = stack.environment();
    enrich(environment).await?;
    let records = Records::new(&environment.brokers)?;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut inputs = Vec::new();
    for _ in 0..INPUTS {
        let mut record = bad_requests::draw(&mut random);
        let place = records.publish(&record).await?;
        (record.partition, record.offset) = (place.partition, place.offset);
        inputs.push(record);
    }
    let (client, mut shoppers) = (Client::new(&environment.brokers)?, Shoppers::new(SEED));
    let mut good = Vec::new();
    for _ in 0..GOOD {
        let wish = shoppers.next_wish();
        client.request(wish.order_id(), wish.data()).await?;
        good.push(wish.order_id());
    }
    // The good orders are behind the bad inputs on every partition: when they have ended, everything has been read.
    let databases = Databases::of(environment)?;
    let tally = Tally::settled(&databases, &good, PATIENCE).await?;
    assert!(tally.holds(), "{tally}");

    let letters = letters(&environment.brokers).await?;
    let unlettered = inputs.iter().filter(|input| !letters.contains_key(&(input.partition, input.offset)));
    let mut events: HashMap<EventId, Vec<OrderId>> = HashMap::new();
    unlettered.filter_map(requested).for_each(|(id, order)| events.entry(id).or_default().push(order));
    let known = ended(&databases, &events).await?;
    let mut counts = HashMap::new();
    for input in &inputs {
        let letter = letters.get(&(input.partition, input.offset));
        let order = requested(input);
        let way = match (letter, order) {
            (Some(letter), _) => {
                assert_same(input, letter);
                "dead letter"
            }
            (None, Some((_, order))) if known.contains(&order) => "order",
            // Of requests with the same event id only one counts, whichever was first.
            (None, Some((id, _))) if events[&id].iter().any(|order| known.contains(order)) => "repetition",
            (None, None) if is_something_else(input) => "skipped",
            (None, _) => panic!("{input:?} became nothing"),
        };
        *counts.entry(way).or_default() += 1;
    }
    let audited = audit::run(environment, PATIENCE).await?;
    let complaints: Vec<_> = audited.invariants.iter().filter(|invariant| !invariant.findings.is_empty()).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    Ok(counts)
}

/// The event id of a readable request, and its order.
fn requested(record: &Record) -> Option<(EventId, OrderId)> {
    record.with_raw(|raw| {
        let (envelope, data) = read(raw).ok().filter(|(envelope, _)| envelope.event_type == ORDER_REQUESTED)?;
        let request: OrderRequested = read_data(&envelope.event_type, &data).ok()?;
        Some((envelope.id, request.order_id_of(raw.original(), &events::order_id::Derivation::default())))
    })
}

/// The orders of these events, once there is one of each and all have ended.
async fn ended(databases: &Databases, events: &HashMap<EventId, Vec<OrderId>>) -> anyhow::Result<HashSet<OrderId>> {
    let ids: Vec<Uuid> = events.values().flatten().map(|order| order.0).collect();
    let all = async || {
        let rows: Vec<Uuid> =
            sqlx::query_scalar("select id from orders where id = any($1) and status not in ('PENDING', 'CANCELLING')")
                .bind(&ids)
                .fetch_all(databases.of_service(Database::ORDERS))
                .await
                .ok()?;
        let known: HashSet<OrderId> = rows.into_iter().map(OrderId).collect();
        events.values().all(|orders| orders.iter().any(|order| known.contains(order))).then_some(known)
    };
    until("every readable request has become an order that has ended", PATIENCE, all).await
}

/// Tells whether the record has an event type that the order service ignores.
fn is_something_else(record: &Record) -> bool {
    let event_type = record.headers.iter().find(|(name, _)| name == "ce_type");
    event_type.is_some_and(|(_, value)| std::str::from_utf8(value).is_ok_and(|text| text != ORDER_REQUESTED))
}

/// Dead letters by the position of their originals.
async fn letters(brokers: &Cluster) -> anyhow::Result<HashMap<(i32, i64), Record>> {
    let brokers = brokers.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut letters = HashMap::new();
        archive::read(&brokers, &[dead_letter_topic("order.requests")], |letter| {
            let header = |name: &str| letter.headers.iter().find(|(header, _)| header == name).unwrap().1.clone();
            let partition = i32::from_be_bytes(header("kafka_dlt-original-partition").try_into().unwrap());
            let offset = i64::from_be_bytes(header("kafka_dlt-original-offset").try_into().unwrap());
            letters.insert((partition, offset), letter);
        })?;
        Ok(letters)
    })
    .await?
}

/// Asserts that the letter has the original bytes, key and headers, followed by the reason.
fn assert_same(input: &Record, letter: &Record) {
    assert_eq!(letter.value, input.value);
    assert_eq!(letter.key, input.key);
    assert!(letter.headers.starts_with(&input.headers), "{:?} of {:?}", letter.headers, input.headers);
    let why = letter.headers.iter().find(|(name, _)| name == "kafka_dlt-exception-message");
    assert!(why.is_some_and(|(_, why)| !why.is_empty()), "{:?}", letter.headers);
    assert!(letter.headers.contains(&("kafka_dlt-original-topic".into(), b"order.requests".to_vec())));
}
