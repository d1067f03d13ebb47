//! One service on the bus: its real table and its real decisions, without Kafka and without Postgres.

use chrono::DateTime;
use events::{EventId, envelope::Envelope};
use kit::{Says, Service, Table, record::Record, says::Said};
use uuid::Uuid;

use super::{
    databases::{Databases, Keeper},
    shared::Shared,
    topic::publisher,
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
}

impl<S: Keeper> Player<S> {
    /// As it is.
    pub(crate) fn new(service: S) -> Self {
        Player { service, table: S::table(), before: |_, _| {}, after: |_, _, _| {} }
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
}

/// What the bus wants of any service.
pub(crate) trait Part {
    /// Whether the service's table has a line for the event.
    fn cares_for(&self, said: &Said) -> bool;

    /// Reads an event as its line says, and decides. `Err` if it says what its line does not.
    fn hear(&self, databases: &mut Databases, said: &Said) -> Result<Says, String>;
}

impl<S: Keeper> Part for Player<S> {
    fn cares_for(&self, said: &Said) -> bool {
        self.table.line(said.event_type, &topic(said)).is_some()
    }

    fn hear(&self, databases: &mut Databases, said: &Said) -> Result<Says, String> {
        let record = Record { topic: topic(said), ..Record::default() };
        let envelope = Envelope {
            id: EventId(Uuid::nil()),
            event_type: said.event_type.to_owned(),
            source: String::new(),
            subject: None,
            time: None,
            causation_id: None,
            traceparent: None,
        };
        let command = self.table.read(&envelope, &record, said.payload.as_bytes()).expect("it cares for it");
        let says = self.decide(databases, command.map_err(|error| format!("{} cannot read it: {error}", S::NAME))?);
        let line = self.table.line(said.event_type, &record.topic).expect("it cares for it");
        match says.events.iter().find(|event| !line.says.contains(&event.event_type)) {
            Some(event) => Err(format!("{} says {} on {}: not in its table", S::NAME, event.event_type, said.event_type)),
            None => Ok(says),
        }
    }
}

fn topic(said: &Said) -> String {
    publisher(said).topic().to_owned()
}
