//! A service that records notes, in order. Its first version reads less than its second.

use chrono::{DateTime, Utc};
use saga::{Event, Publisher, SagaId, Says, Service, StoreError, Table, publisher, testing::TestDatabase};
use serde::Deserialize;
use sqlx::{PgConnection, migrate::Migrator};
use uuid::Uuid;

const CLIENTS: Publisher = Publisher::of_requests("client", "desk.requests", "NoteRequested");
const REPORTER: Publisher = publisher!("reporter");
const NOTEBOOK: Publisher = publisher!("notebook");
const ARCHIVE: Publisher = publisher!("archive");

/// A request; missing fields count as empty.
#[derive(Deserialize)]
struct Request {
    task_id: SagaId,
}

/// The crate's tables are all that the migrations create.
pub(crate) static MIGRATIONS: Migrator = Migrator::DEFAULT;

/// A database with the table of notes.
pub(crate) async fn database() -> TestDatabase {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run("create table notes (place bigserial primary key, task_id uuid not null, note bigint not null)").await;
    db
}

/// The notes of an order, in order of arrival.
pub(crate) async fn notes(db: &TestDatabase, task: SagaId) -> Vec<i64> {
    sqlx::query_scalar("select note from notes where task_id = $1 order by place")
        .bind(task.0)
        .fetch_all(db.pool())
        .await
        .expect("notes can be read")
}

/// A note that no version can decide.
pub(crate) const IMPOSSIBLE: i64 = -1;

/// What the event asks for.
#[derive(Debug)]
pub(crate) struct Note {
    task_id: SagaId,
    note: i64,
    refuse: bool,
}

/// Relevant data of the events on `reporter.events`. `since_v2` makes it unreadable for the first version.
#[derive(Deserialize)]
struct Data {
    task_id: SagaId,
    note: i64,
    #[serde(default)]
    refuse: bool,
    since_v2: Option<serde_json::Value>,
}

/// A count that the program's version reads: dozens in version 1, pieces in version 2.
#[derive(serde::Serialize, Deserialize)]
struct Counted<const VERSION: u8> {
    task_id: SagaId,
    count: i64,
}

impl<const VERSION: u8> Event for Counted<VERSION> {
    const TYPE: &'static str = "Counted";
    const PUBLISHER: Publisher = REPORTER;
    const VERSION: u32 = VERSION as u32;

    fn upcast(_: u32, mut data: serde_json::Value) -> Result<serde_json::Value, String> {
        let dozens = data["count"].as_i64().ok_or("no count in dozens")?;
        data["count"] = (12 * dozens).into();
        Ok(data)
    }

    fn saga_id(&self) -> SagaId {
        self.task_id
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Notebook<const VERSION: u8>;

impl<const VERSION: u8> Service for Notebook<VERSION> {
    type Command = Note;
    type Rows = Vec<(SagaId, i64)>;

    const PUBLISHER: Publisher = NOTEBOOK;

    fn table() -> Table<Note> {
        let note = |data: Data| Note { task_id: data.task_id, note: data.note, refuse: data.refuse };
        let table = Table::of(Self::PUBLISHER)
            .on_data("NoteRequested", CLIENTS, "note", &[], |request: Request, _, _| Note {
                task_id: request.task_id,
                note: 0,
                refuse: false,
            })
            .on("note", &[], |e: Counted<VERSION>| Note { task_id: e.task_id, note: e.count, refuse: false })
            .on_data("Withdrawn", ARCHIVE, "note", &[], move |data: Data, _, _| note(data));
        if VERSION == 1 {
            table.on_data("Reported", REPORTER, "note", &[], move |data: OnlyV1, _, _| note(data.0))
        } else {
            table.on_data("Reported", REPORTER, "note", &[], move |data: Data, _, _| note(data))
        }
    }

    fn saga_of(command: &Note) -> SagaId {
        command.task_id
    }

    async fn load(&self, _: &mut PgConnection, _: &[&Note]) -> Result<Self::Rows, StoreError> {
        Ok(Vec::new())
    }

    fn decide(&self, notes: &mut Self::Rows, command: &Note, _now: DateTime<Utc>) -> Says {
        if command.note == IMPOSSIBLE {
            return Says::impossible("nobody can count to this");
        }
        if command.refuse {
            return Says::refused("nobody notes this");
        }
        notes.push((command.task_id, command.note));
        Says::silence()
    }

    async fn save(&self, db: &mut PgConnection, notes: &Self::Rows) -> Result<(), StoreError> {
        sqlx::query(
            "insert into notes (task_id, note) select task_id, note
             from unnest($1::uuid[], $2::bigint[]) with ordinality n (task_id, note, place) order by place",
        )
        .bind(notes.iter().map(|(order, _)| order.0).collect::<Vec<Uuid>>())
        .bind(notes.iter().map(|(_, note)| *note).collect::<Vec<_>>())
        .execute(db)
        .await?;
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(try_from = "Data")]
struct OnlyV1(Data);

impl TryFrom<Data> for OnlyV1 {
    type Error = &'static str;

    fn try_from(data: Data) -> Result<Self, Self::Error> {
        if data.since_v2.is_some() { Err("a word of a newer version") } else { Ok(OnlyV1(data)) }
    }
}
