//! The three programs, each with its relay, over a real Postgres and a real Kafka.

use saga::transport::Transport;
use std::time::Duration;

use outbox_relay::{BATCH_ROWS, Relay, Settings, Span, Timing, replay};
use rdkafka::producer::{FutureProducer, FutureRecord};
use saga::{SagaId, config::Config, shutdown::Shutdown, testing::TestDatabase, topics};
use tokio::task::JoinHandle;
use trip::{
    MIGRATIONS, Supplier, Trip,
    car::Car,
    flight::{CLIENTS, Flight},
    hotel::Hotel,
};
use uuid::Uuid;

/// Initial stock.
type Stock = [(&'static str, i64); 3];
const SEATS: Stock = [("LX1", 40), ("LX2", 9), ("LX3", 0)];
const ROOMS: Stock = [("Rome", 12), ("Bern", 12), ("Oslo", 0)];
const CARS: Stock = [("Rome", 7), ("Bern", 0), ("Oslo", 9)];

/// Ended trips of a run, in the flight's database.
const ENDED: &str = "select count(*) from bookings where item like '%' || $1 and status <> 'RESERVED'";
/// Items of a run that are neither all free nor all booked.
const LOST: &str = "select count(*) from stock join opening using (item) where item like '%' || $1 and
    opening.free <> stock.free + (select count(*) from bookings b where b.item = stock.item and status = 'CONFIRMED')";
const SEEN: &str = "select count(*) from inbox where event_id = $1::uuid";

fn config(database_url: &str) -> Config {
    let brokers = std::env::var("TEST_KAFKA_BROKERS").expect("TEST_KAFKA_BROKERS is set: `make test` starts a Kafka");
    let arguments = ["trip", "--database-url", database_url, "--kafka-brokers", &brokers, "--http-addr", "127.0.0.1:0"];
    Config::from_arguments(arguments).expect("arguments")
}

/// A supplier's database with this stock, and its program and relay, which run until SIGTERM.
async fn start<S: Supplier>(supplier: S, stock: Stock, run: Uuid) -> (TestDatabase, JoinHandle<anyhow::Result<()>>) {
    let db = TestDatabase::create(&MIGRATIONS).await;
    for (item, free) in stock {
        let insert = sqlx::query("insert into stock (item, free, price) values ($1, $2, 9900)");
        insert.bind(format!("{item} {run}")).bind(free).execute(db.pool()).await.expect("inserted");
    }
    db.run("create table opening as select * from stock").await;
    let config = config(&db.url());
    let kafka = config.kafka.clone().over(&Transport::plain());
    topics::ensure(&kafka, "test", &topics::needed_by(&S::table())).await.expect("topics");
    let relay = Relay::new(Settings {
        database: S::PUBLISHER.name().to_owned(),
        options: db.url().parse().expect("a URL"),
        kafka,
        publisher: Some(S::PUBLISHER.name().to_owned()),
        timing: Timing::default(),
        batch_max: BATCH_ROWS,
    });
    let shutdown = Shutdown::on_signals().expect("signals");
    (db, tokio::spawn(async move { tokio::join!(trip::run(supplier, config), relay.run(&shutdown)).0 }))
}

async fn request(producer: &FutureProducer, trip: &Trip) {
    let (key, value) = (trip.trip_id.to_string(), serde_json::to_string(trip).expect("JSON"));
    let record = FutureRecord::to(CLIENTS.topic()).key(&key).payload(&value);
    producer.send(record, Duration::from_secs(10)).await.expect("published");
}

/// Polls until a query about this id returns the expected count.
async fn until(db: &TestDatabase, query: &'static str, id: Uuid, expected: usize) {
    let counted = async {
        let count = || sqlx::query_scalar::<_, i64>(query).bind(id.to_string()).fetch_one(db.pool());
        while count().await.expect("counted") != expected as i64 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), counted).await;
    waited.unwrap_or_else(|_| panic!("waited 60 s for a count of {expected}: {query}"));
}

/// A supplier's row for a trip, and all events that it has published about it.
async fn standing(db: &TestDatabase, trip_id: SagaId) -> String {
    let query = sqlx::query_scalar("select concat_ws(' ', status, reason) from bookings where trip_id = $1");
    let row: Option<String> = query.bind(trip_id.0).fetch_optional(db.pool()).await.expect("read");
    format!("{}: {}", row.unwrap_or_default(), db.said(trip_id).await.join(" "))
}

/// Republishes the flight's events of a trip: all of them unchanged, and the first one under this other id.
async fn repeat(flight: &TestDatabase, trip_id: SagaId, other: Uuid) {
    let (options, kafka) = (flight.url().parse().expect("a URL"), config("").kafka.over(&Transport::plain()));
    let span = Span { since: chrono::DateTime::UNIX_EPOCH, until: chrono::Utc::now() };
    replay(&options, &kafka, Some("flight"), span).await.expect("published again");
    let copy = "insert into outbox (id, aggregatetype, aggregateid, type, payload)
        select $1, aggregatetype, aggregateid, type, payload from outbox where aggregateid = $2 order by seq limit 1";
    sqlx::query(copy).bind(other).bind(trip_id.to_string()).execute(flight.pool()).await.expect("copied");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_trip_is_booked_whole_or_cancelled_whole() {
    // The topics retain requests of other runs, whose flights and cities do not exist here.
    let run = Uuid::now_v7();
    let (flight, flying) = start(Flight, SEATS, run).await;
    let (hotel, hosting) = start(Hotel, ROOMS, run).await;
    let (car, driving) = start(Car, CARS, run).await;
    let producer: FutureProducer =
        config("").kafka.over(&Transport::plain()).producer("test").create().expect("a producer");
    let trip = |flight: &str, city: &str| {
        let (flight, city) = (format!("{flight} {run}"), format!("{city} {run}"));
        Trip { trip_id: SagaId(Uuid::now_v7()), traveller: "Ada".to_owned(), flight, city, nights: 2 }
    };

    let mut trips = vec![trip("LX1", "Rome"), trip("LX1", "Bern"), trip("LX1", "Oslo"), trip("LX3", "Rome")];
    for trip in trips.iter().chain(&trips) {
        request(&producer, trip).await;
    }
    until(&flight, ENDED, run, trips.len()).await;
    let other = Uuid::now_v7();
    repeat(&flight, trips[0].trip_id, other).await;
    until(&hotel, SEEN, other, 1).await;
    for _ in 0..100 {
        let any = |of: Stock| of[rand::random_range(0..3)].0;
        trips.push(trip(any(SEATS), any(ROOMS)));
        request(&producer, &trips[trips.len() - 1]).await;
    }
    until(&flight, ENDED, run, trips.len()).await;

    let expected = [
        ["CONFIRMED: SeatHeld TripBooked SeatHeld", "CONFIRMED: RoomHeld RoomBooked", "CONFIRMED: CarBooked"],
        [
            "CANCELLED no_car: SeatHeld TripCancelled",
            "CANCELLED no_car: RoomHeld RoomReleased",
            "REJECTED no_car: CarRefused",
        ],
        ["CANCELLED no_room: SeatHeld TripCancelled", "REJECTED no_room: RoomRefused", ": "],
        ["REJECTED no_seat: TripCancelled", ": ", ": "],
    ];
    for (place, id) in trips.iter().map(|trip| trip.trip_id).enumerate() {
        let standings = [standing(&flight, id).await, standing(&hotel, id).await, standing(&car, id).await];
        let booked = standings.iter().filter(|standing| standing.starts_with("CONFIRMED")).count();
        assert!(booked == 0 || booked == 3, "{standings:?}");
        if let Some(expected) = expected.get(place) {
            assert_eq!(standings, *expected);
        }
    }
    for db in [&flight, &hotel, &car] {
        until(db, LOST, run, 0).await;
    }

    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).expect("raised");
    for running in [flying, hosting, driving] {
        running.await.expect("no panic").expect("stopped cleanly");
    }
}
