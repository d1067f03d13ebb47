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
    /// Decides.
    pub(crate) decide: Decide<S>,
    memory: Memory<Before<S>, (Shared<<S as Service>::Rows>, Heard)>,
}

/// What a decision depends on.
type Before<S> = (Shared<<S as Service>::Rows>, Asked<<S as Service>::Command>);

/// What a service is asked.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Asked<C> {
    /// By an event, as its line says.
    Event(Shared<Event>),
    /// By a person, a deadline or an answer.
    Command(C),
}

/// A decision: the service's own, or what a mutant has put around it.
type Decide<S> = fn(&S, &mut <S as Service>::Rows, &<S as Service>::Command) -> Says;

/// What the service decides.
pub(crate) fn own<S: Service>(service: &S, rows: &mut S::Rows, command: &S::Command) -> Says {
    service.decide(rows, command, NOW)
}

/// What a service says to an event; `Err` if its table does not allow it.
pub(crate) type Heard = Arc<Result<Says, String>>;

/// What the bus wants of any service.
pub(crate) trait Part {
    /// Tells whether the service's table has a line for what was said.
    fn cares_for(&self, said: &Said) -> bool;

    /// How an order stands with the service, in its own word.
    fn standing(&self, databases: &Databases, order: OrderId) -> Option<&'static str>;

    /// Reads an event as its line says, decides and saves.
    fn hear(&self, databases: &mut Databases, event: &Shared<Event>) -> Heard;
}

impl<S: Keeper> Player<S> {
    /// As it is.
    pub(crate) fn new(service: S) -> Self {
        let (before, after, decide) = (|_: &mut _, _: &mut _| {}, |_: &mut _, _: &_, _: &mut _| {}, own::<S>);
        Player { service, table: S::table(), before, after, decide, memory: Memory::default() }
    }

    /// What the service makes of a command that is no event's.
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

    /// What the unit of work does with a command: load, decide, save.
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
