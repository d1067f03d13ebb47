//! A service that breaks laws in the middle of a run: both worlds agree that it does.

use std::{collections::BTreeMap, io::Write};

use chrono::{DateTime, Utc};
use saga::{
    Facts, Publisher, Rows, SagaId, Says, StoreError, Table, publisher, says, table::cancels, table::tries,
    testing::TestDatabase,
};
use saga_check::{Broken, Check, PlayError, Service, Simulation};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool, migrate::Migrator};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Call {
    call: SagaId,
}

impl Facts for Call {
    fn saga_id(&self) -> SagaId {
        self.call
    }
}

mod bell {
    saga::events! { saga::publisher!("bell"), call: super::Call, Rung { time: i64 } }
}
use bell::Rung;

const CALLERS: Publisher = Publisher::of_requests("caller", "bell.requests", "Ring");

/// A bell that rings at most so often for a call: each time is an end.
#[derive(Debug, Clone, Copy)]
struct Bell {
    most: i64,
}

impl saga::Service for Bell {
    type Command = Call;
    type Rows = Rows<SagaId, i64>;

    const PUBLISHER: Publisher = publisher!("bell");

    fn table() -> Table<Call> {
        Table::of(Self::PUBLISHER).on_request(CALLERS, "ring", says![completes Rung], |call: Call| call)
    }

    fn saga_of(call: &Call) -> SagaId {
        call.call
    }

    async fn load(&self, db: &mut PgConnection, calls: &[&Call]) -> Result<Self::Rows, StoreError> {
        let ids: Vec<_> = calls.iter().map(|call| call.call).collect();
        let rows: Vec<(SagaId, i64)> =
            sqlx::query_as("select id, times from calls where id = any($1) order by id for update")
                .bind(ids)
                .fetch_all(db)
                .await?;
        Ok(Rows::loaded(rows))
    }

    fn decide(&self, rows: &mut Self::Rows, call: &Call, _: DateTime<Utc>) -> Says {
        let time = rows.get(&call.call).copied().unwrap_or(0) + 1;
        if time > self.most {
            return Says::ignored("rung often enough");
        }
        rows.put(call.call, time);
        Says::event(Rung { call: call.clone(), time })
    }

    async fn save(&self, db: &mut PgConnection, rows: &Self::Rows) -> Result<(), StoreError> {
        for (id, times) in rows.new_rows().into_iter().chain(rows.changed_rows()) {
            sqlx::query("insert into calls values ($1, $2) on conflict (id) do update set times = excluded.times")
                .bind(id)
                .bind(times)
                .execute(&mut *db)
                .await?;
        }
        Ok(())
    }
}

fn check(most: i64) -> Check {
    let call = |number| Call { call: SagaId(uuid::Uuid::from_u128(number)) };
    let check = Check::new().service(Service::new(Bell { most }, Rows::default(), Rows::saved));
    check.request(CALLERS, &call(1)).request(CALLERS, &call(2))
}

async fn database() -> TestDatabase {
    let database = TestDatabase::create(&Migrator::DEFAULT).await;
    database.run("create table calls (id uuid primary key, times bigint not null)").await;
    database
}

fn pools(database: &TestDatabase) -> BTreeMap<&'static str, PgPool> {
    BTreeMap::from([("bell", database.pool().clone())])
}

fn broken(check: &Check) -> Broken {
    check.explore().broken.expect("a second end")
}

#[tokio::test]
async fn a_law_that_a_decision_breaks_is_broken_on_postgres_too() {
    let (check, database) = (check(2), database().await);
    let broken = broken(&check);
    assert_eq!(broken.law, "a saga ends once");
    let played = check.play(&broken.schedule, &pools(&database)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(played.broken, Some(broken));
}

#[tokio::test]
async fn a_simulation_finds_what_only_a_repeated_request_does() {
    let mut found = 0;
    let database = database().await;
    for seed in 0..20 {
        database.run("truncate calls, outbox, inbox").await;
        let run = check(2).simulate(Simulation { seed, deeds: 30 }, &pools(&database)).await;
        match run.unwrap_or_else(|error| panic!("seed {seed}: {error}")) {
            Ok(run) => writeln!(std::io::stderr(), "seed {seed}: {run:?}").expect("stderr takes a line"),
            Err(broken) => {
                assert_eq!(broken.law, "a saga ends once", "seed {seed}");
                found += 1;
            }
        }
        database.run("truncate calls, outbox, inbox").await;
        let sound = check(1).simulate(Simulation { seed, deeds: 30 }, &pools(&database)).await;
        sound
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"))
            .unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
    assert!(found > 10, "{found} of 20");
}

#[tokio::test]
async fn without_inboxes_nothing_is_played() {
    let check = check(2).forgetful();
    let played = check.play(&broken(&check).schedule, &pools(&database().await)).await;
    let Err(PlayError::Schedule(why)) = played else { panic!("{played:?}") };
    assert!(why.contains("without inboxes"), "{why}");
}

mod mirror {
    saga::events! { saga::publisher!("mirror"), call: super::Call, Reflected { time: i64 } }
}
use mirror::Reflected;

/// Reads its own events, and says another one each time.
struct Mirror;

impl saga::Service for Mirror {
    type Command = (Call, i64);
    type Rows = Rows<SagaId, i64>;

    const PUBLISHER: Publisher = publisher!("mirror");

    fn table() -> Table<Self::Command> {
        Table::of(Self::PUBLISHER).on_request(CALLERS, "reflect", says![Reflected], |call: Call| (call, 0)).on(
            "reflect again",
            says![Reflected],
            |event: Reflected| (event.call, event.time + 1),
        )
    }

    fn saga_of((call, _): &Self::Command) -> SagaId {
        call.call
    }

    async fn load(&self, _: &mut PgConnection, _: &[&Self::Command]) -> Result<Self::Rows, StoreError> {
        Ok(Rows::default())
    }

    fn decide(&self, _: &mut Self::Rows, (call, time): &Self::Command, _: DateTime<Utc>) -> Says {
        Says::event(Reflected { call: call.clone(), time: *time })
    }

    async fn save(&self, _: &mut PgConnection, _: &Self::Rows) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_run_that_never_comes_to_rest_is_given_up() {
    let database = TestDatabase::create(&Migrator::DEFAULT).await;
    let pools = BTreeMap::from([("mirror", database.pool().clone())]);
    let call = Call { call: SagaId(uuid::Uuid::from_u128(1)) };
    let check = Check::new().service(Service::new(Mirror, Rows::default(), Rows::saved)).request(CALLERS, &call);
    let run = check.simulate(Simulation { seed: 1, deeds: 0 }, &pools);
    let run = tokio::time::timeout(std::time::Duration::from_secs(120), run).await.expect("it ends");
    let error = run.expect_err("it does not come to rest").to_string();
    assert!(error.contains("does not come to rest"), "{error}");
}

mod desk {
    saga::events! { saga::publisher!("desk"), call: super::Call, Held {} Refused {} }
}
use desk::{Held, Refused};

/// Steps in the middle of the table, only to see that two phases on one occasion are refused.
struct Desk;

impl saga::Service for Desk {
    type Command = Call;
    type Rows = Rows<SagaId, i64>;

    const PUBLISHER: Publisher = publisher!("desk");

    fn table() -> Table<Call> {
        Table::of(Self::PUBLISHER)
            .on_request(CALLERS, tries("hold"), says![Held, refuses Refused], |call: Call| call)
            .when("a person", tries("hold"), says![Held])
            .when("a person", cancels("let go"), says![Refused])
    }

    fn saga_of(call: &Call) -> SagaId {
        call.call
    }

    async fn load(&self, _: &mut PgConnection, _: &[&Call]) -> Result<Self::Rows, StoreError> {
        Ok(Rows::default())
    }

    fn decide(&self, _: &mut Self::Rows, _: &Call, _: DateTime<Utc>) -> Says {
        Says::silence()
    }

    async fn save(&self, _: &mut PgConnection, _: &Self::Rows) -> Result<(), StoreError> {
        Ok(())
    }
}

#[test]
#[should_panic(expected = "`desk` has `hold` and `let go` on a person, in different phases")]
fn two_phases_on_one_occasion_are_refused() {
    let call = Call { call: SagaId(uuid::Uuid::from_u128(1)) };
    Check::new().service(Service::new(Desk, Rows::default(), Rows::saved)).request(CALLERS, &call).explore();
}
