//! The laws that every service must hold, and that a violation of each is noticed.

use chrono::{DateTime, Utc};
use saga::{
    Event, Publisher, Rows, SagaId, Says, Service, StoreError, Table,
    barrier::{Move, Status, Step, pass},
    publisher, says,
    store::{all_inserted, parse},
    testing::{Conformance, TestDatabase},
};
use sqlx::{PgConnection, migrate::Migrator};
use uuid::Uuid;

macro_rules! seat_events {
    ($($name:ident)+) => { $(
        #[derive(serde::Serialize, serde::Deserialize)]
        struct $name {
            saga: SagaId,
        }

        impl Event for $name {
            const TYPE: &'static str = stringify!($name);
            const PUBLISHER: Publisher = publisher!("seats");

            fn saga_id(&self) -> SagaId {
                self.saga
            }
        }
    )+ };
}
seat_events! { SeatHeld SeatTaken SeatReleased }

/// A fault of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// A repeated Try holds one more.
    HoldsTwice,
    /// An undo releases nothing.
    KeepsWhatWasHeld,
    /// A Try behind its Cancel holds nevertheless.
    HangsOn,
    /// Rows are not locked, and a faster transaction is not noticed.
    LooksNowhere,
    /// The saga's own rows are locked, but not those that it shares with others.
    LocksItsOwnAlone,
    /// Changes of existing rows are not written.
    WritesNewRowsOnly,
    /// Of the decisions of one transaction, only the last is written into the plane.
    ForgetsWithinABatch,
}

#[derive(Debug, Clone, Copy)]
struct Seats(Fault);

struct Plane {
    free: i64,
    /// Decisions that changed something.
    moves: i64,
    steps: Rows<SagaId, Status>,
}

impl Service for Seats {
    type Command = (SagaId, Step<()>);
    type Rows = Plane;

    const PUBLISHER: Publisher = publisher!("seats");

    fn table() -> Table<Self::Command> {
        Table::of(Self::PUBLISHER).when("a test asks", "seat", says![SeatHeld, SeatTaken, SeatReleased])
    }

    fn saga_of(command: &Self::Command) -> SagaId {
        command.0
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Self::Command]) -> Result<Plane, StoreError> {
        let lock = if self.0 == Fault::LooksNowhere { "" } else { "for update" };
        let steps = format!("select saga, status from steps where saga = any($1) order by saga {lock}");
        let rows: Vec<(Uuid, String)> = sqlx::query_as(sqlx::AssertSqlSafe(steps))
            .bind(commands.iter().map(|command| command.0.0).collect::<Vec<_>>())
            .fetch_all(&mut *db)
            .await?;
        let shared = if self.0 == Fault::LocksItsOwnAlone { "" } else { lock };
        let free = sqlx::AssertSqlSafe(format!("select free from seats {shared}"));
        let steps = rows.into_iter().map(|(saga, status)| Ok((SagaId(saga), parse("steps", saga, &status)?)));
        let steps = steps.collect::<Result<Vec<_>, StoreError>>()?;
        Ok(Plane { moves: 0, free: sqlx::query_scalar(free).fetch_one(db).await?, steps: Rows::loaded(steps) })
    }

    fn decide(&self, plane: &mut Plane, &(saga, step): &Self::Command, _now: DateTime<Utc>) -> Says {
        let status = plane.steps.get(&saga).copied();
        let next = match (self.0, status, step) {
            (Fault::HoldsTwice, Some(Status::Reserved), Step::Try) => Move::Reserve,
            (Fault::HangsOn, Some(Status::Cancelled), Step::Try) => Move::Reserve,
            _ => pass(status, step),
        };
        let undone = if self.0 == Fault::KeepsWhatWasHeld { 0 } else { 1 };
        let (change, becomes, says) = match next {
            Move::Reserve => (-1, Status::Reserved, Says::event(SeatHeld { saga })),
            Move::Confirm => (0, Status::Confirmed, Says::event(SeatTaken { saga })),
            Move::Release(()) => (undone, Status::Cancelled, Says::event(SeatReleased { saga })),
            Move::GiveBack(()) => (undone, Status::Refunded, Says::event(SeatReleased { saga })),
            Move::Forbid(()) => (0, Status::Cancelled, Says::event(SeatReleased { saga })),
            Move::Nothing(why) => return Says::ignored(why),
        };
        plane.free += change;
        plane.moves += 1;
        plane.steps.put(saga, becomes);
        says
    }

    async fn save(&self, db: &mut PgConnection, plane: &Plane) -> Result<(), StoreError> {
        if plane.moves > 0 {
            let forgotten = if self.0 == Fault::ForgetsWithinABatch { plane.moves - 1 } else { 0 };
            sqlx::query("update seats set free = $1").bind(plane.free + forgotten).execute(&mut *db).await?;
        }
        for (saga, status) in plane.steps.new_rows() {
            let inserted = sqlx::query("insert into steps values ($1, $2) on conflict do nothing");
            let inserted = inserted.bind(saga.0).bind(status.as_str()).execute(&mut *db).await?.rows_affected();
            if self.0 != Fault::LooksNowhere {
                all_inserted("steps", 1, inserted)?;
            }
        }
        if self.0 == Fault::WritesNewRowsOnly {
            return Ok(());
        }
        for (saga, status) in plane.steps.changed_rows() {
            let update = sqlx::query("update steps set status = $2 where saga = $1");
            update.bind(saga.0).bind(status.as_str()).execute(&mut *db).await?;
        }
        Ok(())
    }
}

async fn tried(fault: Fault) {
    let db = TestDatabase::create(&Migrator::DEFAULT).await;
    db.run("create table seats (free bigint not null); insert into seats values (10)").await;
    db.run("create table steps (saga uuid primary key, status text not null)").await;
    Conformance::of(move || Seats(fault), db)
        .step("hold", |saga| (saga, Step::Try))
        .step("take", |saga| (saga, Step::Confirm))
        .undo("release", |saga| (saga, Step::Cancel(())))
        .resource("seats")
        .holds()
        .await;
}

#[tokio::test]
async fn a_service_that_holds_all_laws_is_taken() {
    tried(Fault::Nothing).await;
}

#[tokio::test]
#[should_panic(expected = "and its last step once more, by another event")]
async fn a_step_that_counts_twice_is_noticed() {
    tried(Fault::HoldsTwice).await;
}

#[tokio::test]
#[should_panic(expected = "after hold, then release")]
async fn an_undo_that_keeps_what_was_held_is_noticed() {
    tried(Fault::KeepsWhatWasHeld).await;
}

#[tokio::test]
#[should_panic(expected = "hold comes too late and does nothing")]
async fn a_try_that_hangs_on_is_noticed() {
    tried(Fault::HangsOn).await;
}

#[tokio::test]
#[should_panic(expected = "at once")]
async fn two_that_do_not_look_at_each_other_are_noticed() {
    tried(Fault::LooksNowhere).await;
}

#[tokio::test]
#[should_panic(expected = "of another saga at once")]
async fn two_sagas_that_take_the_same_seat_are_noticed() {
    tried(Fault::LocksItsOwnAlone).await;
}

#[tokio::test]
#[should_panic(expected = "hold, then take, and its last step once more")]
async fn a_change_that_is_not_written_is_noticed() {
    tried(Fault::WritesNewRowsOnly).await;
}

#[tokio::test]
#[should_panic(expected = "in one batch, and one by one")]
async fn a_batch_that_is_not_as_one_by_one_is_noticed() {
    tried(Fault::ForgetsWithinABatch).await;
}

#[tokio::test]
#[should_panic(expected = "the samples show nothing")]
async fn samples_that_show_nothing_are_noticed() {
    let db = TestDatabase::create(&Migrator::DEFAULT).await;
    db.run("create table seats (free bigint not null); insert into seats values (10)").await;
    db.run("create table steps (saga uuid primary key, status text not null)").await;
    Conformance::of(|| Seats(Fault::Nothing), db).step("take", |saga| (saga, Step::Confirm)).holds().await;
}
