//! Services that the runner was not compiled with: what a manifest names is started, published, waited for, audited and operated
//! like the shop's own services.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use events::OrderId;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use saga::{
    parked::desk::{self, Work},
    shutdown::Shutdown,
};
use scenarios::{
    audit::{self, Report},
    by_hand,
    cast::{ALICE, BITCOIN},
    databases::Databases,
    play::Wish,
    requests::Client,
    seed,
    stack::{self, Broker, Database, Environment, Manifest, Options, Reporter, Stack, until},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

const BOUND: Duration = Duration::from_secs(60);

/// The services of `examples/trip`, beside the runner.
const TRIP: &str = "
[[programs]]
name = 'flight'
database = 'flights'
requests = ['trip.requests']

[[programs]]
name = 'hotel'
database = 'hotels'

[[programs]]
name = 'car'
database = 'cars'
environment = { RUST_LOG = 'warn' }
";

struct Suppliers<'a> {
    environment: &'a Environment,
    databases: Databases,
}

impl<'a> Suppliers<'a> {
    async fn stocked(environment: &'a Environment) -> anyhow::Result<Self> {
        let suppliers = Suppliers { environment, databases: Databases::of(environment)? };
        for (supplier, item) in [("flight", "LX1"), ("hotel", "Rome"), ("car", "Rome")] {
            let insert = sqlx::query("insert into stock (item, free, price) values ($1, 100, 9900)").bind(item);
            insert.execute(suppliers.pool(supplier)).await?;
        }
        Ok(suppliers)
    }

    fn database(&self, supplier: &str) -> Database {
        self.environment.manifest.program(supplier).unwrap().database().unwrap()
    }

    fn pool(&self, supplier: &str) -> &PgPool {
        self.databases.of_service(self.database(supplier))
    }

    fn facts(trip: Uuid) -> Value {
        json!({ "trip_id": trip, "traveller": "Ada", "flight": "LX1", "city": "Rome", "nights": 2 })
    }

    async fn asks(&self, trip: Uuid) -> anyhow::Result<()> {
        let facts = Self::facts(trip);
        let client = Client::new(&self.environment.brokers)?;
        client.event("trip.requests", "/clients/ada", "TripRequested", OrderId(trip), &facts).await.map(drop)
    }

    async fn books(&self, trip: Uuid) -> anyhow::Result<()> {
        self.asks(trip).await?;
        let booked = async || {
            let query =
                "select 1 from outbox, relay_cursor where aggregateid = $1 and type = 'TripBooked' and seq <= last_seq";
            sqlx::query_scalar::<_, i32>(query)
                .bind(trip.to_string())
                .fetch_optional(self.pool("flight"))
                .await
                .ok()
                .flatten()
        };
        until("the trip is booked, and Kafka has it", BOUND, booked).await.map(drop)
    }

    /// Publishes a forged event of a service.
    async fn forges(&self, service: &str, event_type: &str, trip: Uuid, data: &Value) -> anyhow::Result<()> {
        let (topic, source) = (format!("{service}.events"), format!("/services/{service}"));
        Client::new(&self.environment.brokers)?.event(&topic, &source, event_type, OrderId(trip), data).await.map(drop)
    }
}

async fn in_a_system_with_trips(test: impl AsyncFnOnce(&Suppliers<'_>, &Stack) -> anyhow::Result<()>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trip.toml");
    std::fs::write(&file, TRIP).unwrap();
    let (reporter, (_stop, shutdown)) = (Reporter::silent(), Shutdown::by_hand());
    let manifest = Arc::new(Manifest::with_file(&file).unwrap());
    let options = Options { manifest, ..Options::new(Broker::Embedded) };
    let done = stack::with(options, &reporter, &shutdown, async |stack| {
        let environment = stack.environment().clone();
        seed::well_known(&environment).await?;
        test(&Suppliers::stocked(&environment).await?, stack).await
    });
    done.await.unwrap().unwrap();
}

fn findings(report: &Report) -> Vec<&str> {
    let findings = report.invariants.iter().flat_map(|invariant| &invariant.findings);
    findings.map(|finding| finding.what.as_str()).collect()
}

#[tokio::test]
async fn a_manifests_services_run_beside_the_shop_and_are_looked_after_like_its_own() {
    in_a_system_with_trips(async |suppliers, stack| {
        let environment = suppliers.environment;
        let variables: BTreeMap<String, String> = stack.variables().into_iter().collect();
        for name in ["PID_HOTEL", "HTTP_URL_CAR", "DATABASE_URL_FLIGHTS", "SYSTEM_MANIFEST", "PROGRAM_URLS"] {
            assert!(variables.contains_key(name), "{name}: {variables:?}");
        }
        let read = Environment::from_variables(|name| variables.get(name).cloned())?.unwrap();
        assert_eq!((&read.manifest, &read.further_programs), (&environment.manifest, &environment.further_programs));

        let (trip, wish) = (Uuid::now_v7(), Wish::of(ALICE, &[(BITCOIN, 1)]));
        Client::new(&environment.brokers)?.request(wish.order_id(), wish.data()).await?;
        suppliers.books(trip).await?;
        let audited = audit::run(environment, BOUND).await?;
        assert!(audited.holds(), "{audited:#?}");
        let looked_at: Vec<&str> = audited.invariants.iter().map(|invariant| invariant.looked_at.as_str()).collect();
        // SeatHeld, RoomHeld, CarBooked, RoomBooked, TripBooked.
        assert!(looked_at.contains(&"flight, hotel, car: 5 rows, 5 records"), "{looked_at:?}");

        is_behind(suppliers, stack).await?;
        is_parked(suppliers).await?;
        is_audited(suppliers, trip).await
    })
    .await;
}

/// What a service of the manifest has not read is in flight; and a service whose topics are unknown is not assumed to have read
/// everything.
async fn is_behind(suppliers: &Suppliers<'_>, stack: &Stack) -> anyhow::Result<()> {
    let environment = suppliers.environment;
    let hotel = environment.manifest.program("hotel").unwrap();
    let hotel = Pid::from_raw(i32::try_from(stack.pids().unwrap().borrow()[&hotel])?);
    let trip = Uuid::now_v7();
    kill(hotel, Signal::SIGSTOP)?;
    suppliers.asks(trip).await?;
    let held = async || {
        let query = "select 1 from outbox, relay_cursor where aggregateid = $1 and seq <= last_seq";
        let query = sqlx::query_scalar::<_, i32>(query).bind(trip.to_string());
        query.fetch_optional(suppliers.pool("flight")).await.ok().flatten()
    };
    let held = until("the seat is held, and Kafka has it", BOUND, held).await;
    let audited = audit::run(environment, Duration::from_secs(1)).await;
    kill(hotel, Signal::SIGCONT)?;
    let (audited, _) = (audited?, held?);
    let all = findings(&audited);
    assert!(all.contains(&"hotel has 1 events left to read"), "{all:?}");
    // While frozen, it does not serve its table; the topics that it has read before are checked.
    assert!(all.iter().any(|what| what.starts_with("nobody knows what `hotel` reads")), "{all:?}");
    let audited = audit::run(environment, BOUND).await?;
    assert!(audited.holds(), "it has read it by now: {audited:#?}");

    let unknown = Environment { further_programs: Vec::new(), ..environment.clone() };
    let audited = audit::run(&unknown, Duration::from_secs(1)).await?;
    let all = findings(&audited);
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all[0].contains("nobody knows what `flight` reads: let PROGRAM_URLS name"), "{all:?}");
    Ok(())
}

/// An event that a service of the manifest cannot process is parked, and settled as in the shop.
async fn is_parked(suppliers: &Suppliers<'_>) -> anyhow::Result<()> {
    let trip = Uuid::now_v7();
    suppliers.forges("car", "CarBooked", trip, &json!({ "trip": "unreadable" })).await?;
    let pool = suppliers.pool("hotel");
    let parked = async || desk::list(pool).await.ok()?.into_iter().next();
    let Work { id, .. } = until("it is parked", BOUND, parked).await?;
    let audited = audit::run(suppliers.environment, BOUND).await?;
    let all = findings(&audited);
    assert!(all.contains(&"1 events of hotels are parked and wait for a person"), "{all:?}");
    let database = suppliers.database("hotel");
    let details = desk::find(pool, id).await?.unwrap();
    assert_eq!(by_hand::resolve_objection(&suppliers.databases, database, &details).await?, None);
    let signature = desk::Signature { by: "anna", note: "forged" };
    desk::act(pool, id, desk::Wish::Resolve, signature).await?;
    let settled = async || desk::list(pool).await.is_ok_and(|left| left.is_empty()).then_some(());
    until("it is settled", BOUND, settled).await
}

/// Every difference between an outbox of the manifest and Kafka is found.
async fn is_audited(suppliers: &Suppliers<'_>, trip: Uuid) -> anyhow::Result<()> {
    let environment = suppliers.environment;
    let forged = audit::run(environment, BOUND).await?;
    let of_the_car = |what: &&str| what.starts_with("CarBooked is on Kafka (car.events/") && what.ends_with("forged");
    assert_eq!(findings(&forged).iter().filter(|what| of_the_car(what)).count(), 1, "{forged:#?}");

    let (hotel, flight) = (suppliers.pool("hotel"), suppliers.pool("flight"));
    let other =
        "update outbox set payload = jsonb_set(payload, '{price}', '1') where aggregateid = $1 and type = 'RoomHeld'";
    assert_eq!(sqlx::query(other).bind(trip.to_string()).execute(hotel).await?.rows_affected(), 1);
    let gone = "delete from outbox where aggregateid = $1 and type = 'TripBooked'";
    assert_eq!(sqlx::query(gone).bind(trip.to_string()).execute(flight).await?.rows_affected(), 1);
    let never_published = "insert into outbox (id, aggregatetype, aggregateid, type, payload, seq)
        select $1, aggregatetype, aggregateid, 'SeatLost', payload, -1 from outbox limit 1";
    assert_eq!(sqlx::query(never_published).bind(Uuid::now_v7()).execute(flight).await?.rows_affected(), 1);
    let audited = audit::run(environment, BOUND).await?;
    let all = findings(&audited);
    for expected in [
        "RoomHeld is on Kafka with the content",
        "TripBooked is on Kafka (flight.events/",
        "SeatLost is in the outbox of flight, but not on Kafka",
    ] {
        assert_eq!(all.iter().filter(|what| what.starts_with(expected)).count(), 1, "{expected}: {all:?}");
    }

    // One that cannot be looked at is a finding, and hides nothing of the others.
    sqlx::query("alter table dead_letters rename to gone").execute(suppliers.pool("car")).await?;
    let audited = audit::run(environment, Duration::from_secs(1)).await?;
    let all = findings(&audited);
    assert!(all.iter().any(|what| what.starts_with("nobody knows what is left to do for car")), "{all:?}");
    assert!(all.iter().any(|what| what.starts_with("SeatLost is in the outbox of flight")), "{all:?}");
    Ok(())
}
