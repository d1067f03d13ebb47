//! A service's table: event → decision → events. Subscriptions, decoding and dispatch are made from it, and so is what it
//! [tells others](crate::choreography) of itself.

use outbox::envelope::{Envelope, Unreadable, read_data};
use serde::de::DeserializeOwned;

use crate::{Event, Publisher, record::Record};

mod check;

/// Some events that a decision may say: `says![RoomHeld, RoomRefused]`.
#[macro_export]
macro_rules! says {
    ($($event:ty),* $(,)?) => { const { &[$($crate::table::Saying::of::<$event>()),*] } };
}

/// An event that a decision may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saying {
    /// The wire name.
    pub event_type: &'static str,
    /// The only publisher that may say it.
    pub publisher: Publisher,
}

impl Saying {
    /// This event.
    pub const fn of<E: Event>() -> Self {
        Saying { event_type: E::TYPE, publisher: E::PUBLISHER }
    }
}

/// What sets a decision going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// An event of this type, from this publisher's topic.
    Event {
        /// The wire name.
        event_type: &'static str,
        /// The only publisher that may say it.
        publisher: Publisher,
    },
    /// Something else: a person, a deadline, an answer from outside.
    Other(&'static str),
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What sets the decision going.
    pub trigger: Trigger,
    /// The decision's name, for people.
    pub decision: &'static str,
    /// The events that the decision may say.
    pub says: &'static [Saying],
}

impl Line {
    /// The topic that the line's event comes on; none if no event brings it about.
    pub fn topic(&self) -> Option<&'static str> {
        match self.trigger {
            Trigger::Event { publisher, .. } => Some(publisher.topic()),
            Trigger::Other(_) => None,
        }
    }

    /// The wire names of the events that the decision may say.
    pub fn types(&self) -> impl Iterator<Item = &'static str> {
        self.says.iter().map(|saying| saying.event_type)
    }

    /// Tells whether the decision may say an event of this type.
    pub fn may_say(&self, event_type: &str) -> bool {
        self.types().any(|said| said == event_type)
    }
}

type Read<C> = Box<dyn Fn(&Envelope, &Record, &[u8]) -> Result<C, Unreadable> + Send + Sync>;

/// What one service consumes, decides and says.
pub struct Table<C> {
    service: Publisher,
    lines: Vec<(Line, Option<Read<C>>)>,
}

impl<C> Table<C> {
    /// An empty table of this service.
    pub fn of(service: Publisher) -> Self {
        Table { service, lines: Vec::new() }
    }

    /// On this event, this decision.
    pub fn on<E: Event>(
        self,
        decision: &'static str,
        says: &'static [Saying],
        command: impl Fn(E) -> C + Send + Sync + 'static,
    ) -> Self {
        self.on_data(E::TYPE, E::PUBLISHER, decision, says, move |event, _, _| command(event))
    }

    /// On data that is no event of ours, such as a client's request, this decision. Envelope and record help to name it.
    pub fn on_data<T: DeserializeOwned>(
        mut self,
        event_type: &'static str,
        publisher: Publisher,
        decision: &'static str,
        says: &'static [Saying],
        command: impl Fn(T, &Envelope, &Record) -> C + Send + Sync + 'static,
    ) -> Self {
        let line = Line { trigger: Trigger::Event { event_type, publisher }, decision, says };
        let read: Read<C> =
            Box::new(move |envelope, record, data| Ok(command(read_data(event_type, data)?, envelope, record)));
        self.lines.push((line, Some(read)));
        self
    }

    /// On a client's request, this decision. The request's type is the one that its [`Publisher`] has for bare records.
    pub fn on_request<T: DeserializeOwned>(
        self,
        clients: Publisher,
        decision: &'static str,
        says: &'static [Saying],
        command: impl Fn(T) -> C + Send + Sync + 'static,
    ) -> Self {
        let event_type = clients.bare_type().unwrap_or_default();
        self.on_data(event_type, clients, decision, says, move |request, _, _| command(request))
    }

    /// Without an event: on this occasion, this decision.
    pub fn when(mut self, occasion: &'static str, decision: &'static str, says: &'static [Saying]) -> Self {
        self.lines.push((Line { trigger: Trigger::Other(occasion), decision, says }, None));
        self
    }

    /// The same table without its reactions to an event: a drill, to see what a forgotten compensation does.
    ///
    /// # Errors
    /// If the table has no such line.
    pub fn without(mut self, unwanted: &str) -> Result<Self, String> {
        let before = self.lines.len();
        self.lines
            .retain(|(line, _)| !matches!(line.trigger, Trigger::Event { event_type, .. } if event_type == unwanted));
        if self.lines.len() < before {
            Ok(self)
        } else {
            Err(format!("{} does not react to `{unwanted}` anyway", self.service))
        }
    }

    /// The service, as a publisher.
    pub fn service(&self) -> Publisher {
        self.service
    }

    /// The lines, in their order.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().map(|(line, _)| line)
    }

    /// The topics that the service subscribes to.
    pub fn topics(&self) -> Vec<&'static str> {
        let mut topics: Vec<_> = self.lines().filter_map(Line::topic).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// The line for an event, by its type and the topic that it came on; none if it is of no concern.
    pub fn line(&self, wanted: &str, topic: &str) -> Option<&Line> {
        self.find(wanted, topic).map(|(line, _)| line)
    }

    /// Reads an event as the command that its line says; none if it is of no concern.
    pub fn read(&self, envelope: &Envelope, record: &Record, data: &[u8]) -> Option<Result<C, Unreadable>> {
        let (_, read) = self.find(&envelope.event_type, &record.topic)?;
        read.as_ref().map(|read| read(envelope, record, data))
    }

    fn find(&self, wanted: &str, topic: &str) -> Option<&(Line, Option<Read<C>>)> {
        self.lines.iter().find(|(line, _)| match line.trigger {
            Trigger::Event { event_type, publisher } => event_type == wanted && publisher.topic() == topic,
            Trigger::Other(_) => false,
        })
    }
}
