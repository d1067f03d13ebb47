//! A service's table: event → decision → events. Subscriptions, decoding, dispatch and the published
//! [choreography](crate::choreography) are derived from it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use outbox::{
    envelope::{Envelope, Unreadable, read_data},
    unquoted,
};
use serde::de::DeserializeOwned;

use crate::{Event, Publisher, record::Record};

mod check;
mod decision;
mod entrance;
mod saying;

pub use decision::{
    Decision, Occasion, Phase, answer, asks, cancels, confirms, deadline, does, joins, tries, withdraws,
};
pub use entrance::Verdict;
use entrance::{Entrance, Owner};
pub use saying::{End, Saying};

/// Trigger of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// An event of this type, from this publisher's topic.
    Event {
        /// Wire name.
        event_type: &'static str,
        /// The event's only publisher.
        publisher: Publisher,
        /// Latest version of its schema that the service reads.
        version: u32,
    },
    /// Anything else: a person, a deadline, an answer from outside.
    Occasion(Occasion),
}

/// One line of the table: trigger, decision, events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Trigger of the decision.
    pub trigger: Trigger,
    /// The decision.
    pub decision: Decision,
    /// Events that the decision may publish.
    pub says: &'static [Saying],
}

impl Line {
    /// Topic of the triggering event; `None` for other occasions.
    pub fn topic(&self) -> Option<&'static str> {
        match self.trigger {
            Trigger::Event { publisher, .. } => Some(publisher.topic()),
            Trigger::Occasion(_) => None,
        }
    }

    /// Latest version of the triggering event that the service reads; 1 for other occasions.
    pub fn version(&self) -> u32 {
        match self.trigger {
            Trigger::Event { version, .. } => version,
            Trigger::Occasion(_) => 1,
        }
    }

    /// Wire names of the events that the decision may publish.
    pub fn types(&self) -> impl Iterator<Item = &'static str> {
        self.says.iter().map(|saying| saying.event_type)
    }

    /// Returns whether the decision may publish an event of this type.
    pub fn may_say(&self, event_type: &str) -> bool {
        self.types().any(|said| said == event_type)
    }
}

type Read<C> = Box<dyn Fn(&Envelope, &Record, &[u8]) -> Result<C, Unreadable> + Send + Sync>;

/// What one service consumes, decides and publishes.
pub struct Table<C> {
    service: Publisher,
    lines: Vec<(Line, Option<Read<C>>)>,
    entrances: Vec<Entrance>,
    owners: Vec<(&'static str, Owner)>,
}

impl<C> Table<C> {
    /// An empty table of this service.
    pub fn of(service: Publisher) -> Self {
        Table { service, lines: Vec::new(), entrances: Vec::new(), owners: Vec::new() }
    }

    /// Adds a line: on this event, this decision.
    pub fn on<E: Event>(
        self,
        decision: impl Into<Decision>,
        says: &'static [Saying],
        command: impl Fn(E) -> C + Send + Sync + 'static,
    ) -> Self {
        self.reading(E::TYPE, E::PUBLISHER, E::VERSION, decision, says, move |envelope, _, data| {
            Ok(command(read_event(envelope.version, data)?))
        })
    }

    /// Adds a line for data that is not an [`Event`], such as a client's request. `command` also gets the envelope and
    /// the record, which help to identify it. It reads version 1 of what services say; for later versions implement
    /// [`Event`].
    pub fn on_data<T: DeserializeOwned>(
        self,
        event_type: &'static str,
        publisher: Publisher,
        decision: impl Into<Decision>,
        says: &'static [Saying],
        command: impl Fn(T, &Envelope, &Record) -> C + Send + Sync + 'static,
    ) -> Self {
        self.reading(event_type, publisher, 1, decision, says, move |envelope, record, data| {
            Ok(command(read_data(event_type, data)?, envelope, record))
        })
    }

    fn reading(
        mut self,
        event_type: &'static str,
        publisher: Publisher,
        version: u32,
        decision: impl Into<Decision>,
        says: &'static [Saying],
        read: impl Fn(&Envelope, &Record, &[u8]) -> Result<C, Unreadable> + Send + Sync + 'static,
    ) -> Self {
        let line = Line { trigger: Trigger::Event { event_type, publisher, version }, decision: decision.into(), says };
        self.lines.push((line, Some(Box::new(read))));
        self
    }

    /// Adds a line for a client's request. Its type is the one that its [`Publisher`] sets for bare records.
    pub fn on_request<T: DeserializeOwned>(
        self,
        clients: Publisher,
        decision: impl Into<Decision>,
        says: &'static [Saying],
        command: impl Fn(T) -> C + Send + Sync + 'static,
    ) -> Self {
        let event_type = clients.bare_type().unwrap_or_default();
        self.on_data(event_type, clients, decision, says, move |request, _, _| command(request))
    }

    /// Adds a line that no event triggers: on this occasion, this decision.
    pub fn when(
        mut self,
        occasion: impl Into<Occasion>,
        decision: impl Into<Decision>,
        says: &'static [Saying],
    ) -> Self {
        let (trigger, decision) = (Trigger::Occasion(occasion.into()), decision.into());
        self.lines.push((Line { trigger, decision, says }, None));
        self
    }

    /// The same table without its reactions to one event: a drill that shows the effect of a missing compensation.
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
            Err(format!("{} has no reaction to `{unwanted}`", self.service))
        }
    }

    /// The same table with other commands.
    #[cfg(feature = "runtime")]
    pub(crate) fn map<D: 'static>(self, to: fn(C) -> D) -> Table<D>
    where
        C: 'static,
    {
        let mapped =
            |read: Read<C>| -> Read<D> { Box::new(move |envelope, record, data| read(envelope, record, data).map(to)) };
        let lines = self.lines.into_iter().map(|(line, read)| (line, read.map(mapped)));
        Table { service: self.service, lines: lines.collect(), entrances: self.entrances, owners: self.owners }
    }

    /// The service, as a publisher.
    pub fn service(&self) -> Publisher {
        self.service
    }

    /// The lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().map(|(line, _)| line)
    }

    /// Topics that the service subscribes to.
    pub fn topics(&self) -> Vec<&'static str> {
        let mut topics: Vec<_> = self.lines().filter_map(Line::topic).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// The line for an event, by type and topic; `None` if the service does not consume it.
    pub fn line(&self, wanted: &str, topic: &str) -> Option<&Line> {
        self.find(wanted, topic).map(|(line, _)| line)
    }

    /// Decodes an event into the command of its line; `None` if the service does not consume it. The data of an event with
    /// a later version than the line's is not looked at: it may mean something else.
    pub fn read(&self, envelope: &Envelope, record: &Record, data: &[u8]) -> Option<Result<C, Unreadable>> {
        let (line, read) = self.find(&envelope.event_type, &record.topic)?;
        let (version, reads) = (envelope.version, line.version());
        if version > reads {
            return Some(Err(Unreadable::Newer { event_type: envelope.event_type.clone(), version, reads }));
        }
        read.as_ref().map(|read| guarded(read, envelope, record, data))
    }

    /// Topic, wire name and latest readable version of each event that the service consumes.
    #[cfg(feature = "runtime")]
    pub(crate) fn versions(&self) -> impl Iterator<Item = (&'static str, &'static str, u32)> {
        self.lines().filter_map(|line| match line.trigger {
            Trigger::Event { event_type, publisher, version } => Some((publisher.topic(), event_type, version)),
            Trigger::Occasion(_) => None,
        })
    }

    fn find(&self, wanted: &str, topic: &str) -> Option<&(Line, Option<Read<C>>)> {
        self.lines.iter().find(|(line, _)| match line.trigger {
            Trigger::Event { event_type, publisher, .. } => event_type == wanted && publisher.topic() == topic,
            Trigger::Occasion(_) => false,
        })
    }
}

/// Parses an event of this version or an earlier one.
fn read_event<E: Event>(version: u32, data: &[u8]) -> Result<E, Unreadable> {
    if version == E::VERSION {
        return read_data(E::TYPE, data);
    }
    // The event's own conversion says why in its own words.
    let refused = |error: String| Unreadable::Data { event_type: format!("{} of version {version}", E::TYPE), error };
    let unreadable = |error: serde_json::Error| refused(unquoted(&error));
    let earlier = serde_json::from_slice(data).map_err(unreadable)?;
    serde_json::from_value(E::upcast(version, earlier).map_err(refused)?).map_err(unreadable)
}

/// Reads an event; a panic concerns this event alone, whose data some `upcast` has not expected.
fn guarded<C>(read: &Read<C>, envelope: &Envelope, record: &Record, data: &[u8]) -> Result<C, Unreadable> {
    let read = catch_unwind(AssertUnwindSafe(|| read(envelope, record, data)));
    read.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        let error = format!("reading it panics: {}", text.unwrap_or("no message"));
        Err(Unreadable::Data { event_type: envelope.event_type.clone(), error })
    })
}
