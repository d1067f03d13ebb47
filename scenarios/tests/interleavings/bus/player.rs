//! One service on the bus: its real table and its real decisions, without Kafka and without Postgres.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use chrono::DateTime;
use events::{EventId, envelope::Envelope};
use kit::{Says, Service, Table, record::Record, says::Said};
use uuid::Uuid;

use super::{
    databases::{Databases, Keeper},
    shared::Shared,
    topic::{Event, publisher},
};

/// The only moment there is: time does not pass here, deadlines are let pass.
const NOW: DateTime<chrono::Utc> = DateTime::UNIX_EPOCH;

/// A service, and what is wrong with it if it is a mutant.
pub(crate) struct Player<S: Service> {
    service: S,
    pub(crate) table: Table<S::Command>,
    /// Happens before every decision.
    pub(crate) before: fn(&mut S::Rows, &mut S::Command),
    /// Happens after every decision.
    pub(crate) after: fn(&mut S::Rows, &S::Command, &mut Says),
    memory: Mutex<Memory<S::Rows>>,
}

/// Decisions are pure: what an event makes of the same rows need not be decided twice.
type Memory<R> = HashMap<(Shared<R>, Shared<Event>), (Shared<R>, Heard)>;

/// What a service says to an event; `Err` if its table does not allow it.
pub(crate) type Heard = Arc<Result<Says, String>>;

/// What the bus wants of any service.
pub(crate) trait Part {
    /// Whether the service's table has a line for what was said.
    fn cares_for(&self, said: &Said) -> bool;

    /// Reads an event as its line says, decides and saves.
    fn hear(&self, databases: &mut Databases, event: &Shared<Event>) -> Heard;
}

impl<S: Keeper> Player<S> {
    /// As it is.
    pub(crate) fn new(service: S) -> Self {
        Player { service, table: S::table(), before: |_, _| {}, after: |_, _, _| {}, memory: Mutex::default() }
    }

    /// What the unit of work does with a command: load, decide, save.
    pub(crate) fn decide(&self, databases: &mut Databases, mut command: S::Command) -> Says {
        let database = S::database(databases);
        let mut rows = S::Rows::clone(database);
        (self.before)(&mut rows, &mut command);
        let mut says = self.service.decide(&mut rows, &command, NOW);
        (self.after)(&mut rows, &command, &mut says);
        let rows = S::saved(rows);
        if rows != **database {
            *database = Shared::new(rows);
        }
        says
    }

    fn decide_on(&self, databases: &mut Databases, said: &Said) -> Result<Says, String> {
        let record = Record { topic: publisher(said).topic().to_owned(), ..Record::default() };
        let envelope = Envelope {
            id: EventId(Uuid::nil()),
            event_type: said.event_type.to_owned(),
            source: String::new(),
            subject: None,
            time: None,
            causation_id: None,
            traceparent: None,
        };
        let command = self.table.read(&envelope, &record, said.payload.as_bytes());
        let command = command.ok_or("not in its table")?.map_err(|error| error.to_string())?;
        let says = self.decide(databases, command);
        let line = self.table.line(said.event_type, &record.topic).ok_or("not in its table")?;
        match says.events.iter().find(|event| !line.says.contains(&event.event_type)) {
            Some(event) => Err(format!("its table does not allow it to say {}", event.event_type)),
            None => Ok(says),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory<S::Rows>> {
        self.memory.lock().expect("nobody panicked")
    }
}

impl<S: Keeper> Part for Player<S> {
    fn cares_for(&self, said: &Said) -> bool {
        self.table.line(said.event_type, publisher(said).topic()).is_some()
    }

    fn hear(&self, databases: &mut Databases, event: &Shared<Event>) -> Heard {
        let key = (S::database(databases).clone(), event.clone());
        let known = self.memory().get(&key).cloned();
        let (rows, heard) = known.unwrap_or_else(|| {
            let heard = self.decide_on(databases, &event.said);
            let heard = heard.map_err(|why| format!("{} on {}: {why}", S::NAME, event.said.event_type));
            let outcome = (S::database(databases).clone(), Arc::new(heard));
            self.memory().insert(key, outcome.clone());
            outcome
        });
        *S::database(databases) = rows;
        heard
    }
}
