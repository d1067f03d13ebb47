//! One service on the bus: its real table and its real decisions, without Kafka and without Postgres.

use std::sync::Arc;

use chrono::DateTime;
use events::{EventId, OrderId, envelope::Envelope};
use saga::{Said, Says, Service, Table, record::Record};
use uuid::Uuid;

use super::{
    databases::{Databases, Keeper},
    memory::Memory,
    shared::Shared,
    topic::{Event, publisher},
};

/// The only point in time: time does not pass here; deadlines pass by a step.
const NOW: DateTime<chrono::Utc> = DateTime::UNIX_EPOCH;

/// A service, with its modifications if it is a mutant.
pub(crate) struct Player<S: Service> {
    service: S,
    pub(crate) table: Table<S::Command>,
    /// Runs before every decision.
    pub(crate) before: fn(&mut S::Rows, &mut S::Command),
    /// Runs after every decision.
    pub(crate) after: fn(&mut S::Rows, &S::Command, &mut Says),
    /// The decision.
    pub(crate) decide: Decide<S>,
    memory: Memory<Before<S>, (Shared<<S as Service>::Rows>, Heard)>,
}

/// The inputs of a decision.
type Before<S> = (Shared<<S as Service>::Rows>, Asked<<S as Service>::Command>);

/// Input of a service.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Asked<C> {
    /// An event, as the line of the table says.
    Event(Shared<Event>),
    /// A command from a person, a deadline or an answer.
    Command(C),
}

/// A decision: the service's own, or a mutant's wrapper around it.
type Decide<S> = fn(&S, &mut <S as Service>::Rows, &<S as Service>::Command) -> Says;

/// The service's own decision.
pub(crate) fn own<S: Service>(service: &S, rows: &mut S::Rows, command: &S::Command) -> Says {
    service.decide(rows, command, NOW)
}

/// A service's reaction to an event; `Err` if its table does not allow it.
pub(crate) type Heard = Arc<Result<Says, String>>;

/// The bus's interface to any service.
pub(crate) trait Part {
    /// Tells whether the service's table has a line for the event.
    fn cares_for(&self, said: &Said) -> bool;

    /// The state of an order in the service, in its own term.
    fn standing(&self, databases: &Databases, order: OrderId) -> Option<&'static str>;

    /// Reads an event, decides and saves.
    fn hear(&self, databases: &mut Databases, event: &Shared<Event>) -> Heard;
}

impl<S: Keeper> Player<S> {
    /// The unmodified service.
    pub(crate) fn new(service: S) -> Self {
        let (before, after, decide) = (|_: &mut _, _: &mut _| {}, |_: &mut _, _: &_, _: &mut _| {}, own::<S>);
        Player { service, table: S::table(), before, after, decide, memory: Memory::default() }
    }

    /// The service's reaction to a command without an event.
    pub(crate) fn ask(&self, databases: &mut Databases, command: S::Command) -> Heard {
        self.remembered(databases, Asked::Command(command))
    }

    fn remembered(&self, databases: &mut Databases, asked: Asked<S::Command>) -> Heard {
        let key = (S::database(databases).clone(), asked);
        let (rows, heard) = self.memory.recall(key, |(_, asked)| {
            let heard = match asked {
                Asked::Event(event) => {
                    let heard = self.decide_on(databases, &event.said);
                    heard.map_err(|why| format!("{} on {}: {why}", S::NAME, event.said.event_type))
                }
                Asked::Command(command) => Ok(self.decide(databases, command.clone())),
            };
            (S::database(databases).clone(), Arc::new(heard))
        });
        *S::database(databases) = rows;
        heard
    }

    /// Loads, decides and saves, as the unit of work does.
    fn decide(&self, databases: &mut Databases, mut command: S::Command) -> Says {
        let database = S::database(databases);
        let mut rows = S::Rows::clone(database);
        (self.before)(&mut rows, &mut command);
        let mut says = (self.decide)(&self.service, &mut rows, &command);
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
            version: said.version,
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
        match says.events.iter().find(|event| !line.may_say(event.event_type)) {
            Some(event) => Err(format!("its table does not allow it to say {}", event.event_type)),
            None => Ok(says),
        }
    }
}

impl<S: Keeper> Part for Player<S> {
    fn cares_for(&self, said: &Said) -> bool {
        self.table.line(said.event_type, publisher(said).topic()).is_some()
    }

    fn standing(&self, databases: &Databases, order: OrderId) -> Option<&'static str> {
        self.service.standing(S::rows(databases), order)
    }

    fn hear(&self, databases: &mut Databases, event: &Shared<Event>) -> Heard {
        self.remembered(databases, Asked::Event(event.clone()))
    }
}
