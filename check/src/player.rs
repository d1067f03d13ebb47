//! A service on the bus: its real table and its real decisions.

use std::{
    hash::Hash,
    panic::{AssertUnwindSafe, catch_unwind},
};

use chrono::{DateTime, Utc};
use saga::{
    EventId, NewAttempt, Says, Service, Table,
    choreography::Part,
    envelope::Envelope,
    record::Record,
    table::{End, Line},
};
use uuid::Uuid;

use crate::rows::Shared;

/// The only point in time: time does not pass here; a deadline passes by a step.
const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// What a decision has led to.
pub(crate) struct Decided {
    /// Name of the decision.
    pub(crate) decision: String,
    pub(crate) rows: Shared,
    pub(crate) says: Says,
}

/// Any service.
pub(crate) trait Player {
    fn name(&self) -> &'static str;

    fn topic(&self) -> &'static str;

    fn part(&self) -> Part;

    /// True if the table has a line for the event.
    fn hears(&self, event_type: &str, topic: &str) -> bool;

    /// How a saga ends with an event of this service, if it does.
    fn end(&self, event_type: &str) -> Option<End>;

    /// The decision on an event; an error says what is wrong with it.
    fn hear(&self, rows: &Shared, event_type: &str, topic: &str, data: &str) -> Result<Decided, String>;

    /// What persons and deadlines may ask for.
    fn occasions(&self) -> Vec<&'static str>;

    /// The decision on one of those.
    fn ask(&self, rows: &Shared, occasion: usize) -> Result<Decided, String>;

    /// The possible answers to a call.
    fn possible(&self, call: &NewAttempt) -> Vec<&'static str>;

    /// The decision on one of those.
    fn answer(&self, rows: &Shared, call: &NewAttempt, answer: usize) -> Result<Decided, String>;
}

/// A service.
pub(crate) struct Typed<S: Service> {
    service: S,
    saved: fn(S::Rows) -> S::Rows,
    pub(crate) table: Table<S::Command>,
    pub(crate) occasions: Vec<(&'static str, S::Command)>,
    pub(crate) answers: fn(&NewAttempt) -> Vec<(&'static str, S::Command)>,
}

impl<S: Service> Typed<S>
where
    S::Rows: Clone + Eq + Hash + 'static,
{
    pub(crate) fn new(service: S, saved: fn(S::Rows) -> S::Rows) -> Self {
        Typed { service, saved, table: S::table(), occasions: Vec::new(), answers: |_| Vec::new() }
    }

    /// Decides, as the unit of work does: nothing is written if the decision is impossible.
    fn decide(&self, rows: &Shared, command: &S::Command, decision: &str) -> Result<Decided, String> {
        let before = rows.typed::<S::Rows>().ok_or("rows of another service")?;
        let mut after = before.clone();
        let says = catch_unwind(AssertUnwindSafe(|| self.service.decide(&mut after, command, NOW)))
            .map_err(|_| format!("`{decision}` of `{}` panics", S::NAME))?;
        if let Some(why) = says.impossible {
            return Err(format!("`{decision}` of `{}` is impossible: {why}", S::NAME));
        }
        let after = (self.saved)(after);
        // States that differ in nothing share their rows.
        let rows = if after == *before { rows.clone() } else { Shared::new(after) };
        Ok(Decided { decision: decision.to_owned(), rows, says })
    }

    /// Checks that a line lists everything that was said.
    fn listed(&self, line: &Line, decided: Decided) -> Result<Decided, String> {
        match decided.says.events.iter().find(|said| !line.may_say(said.event_type)) {
            Some(said) => Err(format!(
                "`{}` of `{}` says `{}`, which its line does not list",
                decided.decision,
                S::NAME,
                said.event_type
            )),
            None => Ok(decided),
        }
    }
}

impl<S: Service> Player for Typed<S>
where
    S::Rows: Clone + Eq + Hash + 'static,
{
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn topic(&self) -> &'static str {
        S::PUBLISHER.topic()
    }

    fn part(&self) -> Part {
        Part::from(&self.table)
    }

    fn hears(&self, event_type: &str, topic: &str) -> bool {
        self.table.line(event_type, topic).is_some()
    }

    fn end(&self, event_type: &str) -> Option<End> {
        let says = self.table.lines().flat_map(|line| line.says);
        says.filter(|saying| saying.event_type == event_type).find_map(|saying| saying.ends)
    }

    fn hear(&self, rows: &Shared, event_type: &str, topic: &str, data: &str) -> Result<Decided, String> {
        let record = Record { topic: topic.to_owned(), ..Record::default() };
        let envelope = Envelope {
            id: EventId(Uuid::nil()),
            event_type: event_type.to_owned(),
            source: String::new(),
            subject: None,
            time: None,
            causation_id: None,
            traceparent: None,
        };
        let unread = || format!("`{}` cannot read `{event_type}`", S::NAME);
        let command = self.table.read(&envelope, &record, data.as_bytes()).ok_or_else(unread)?;
        let command = command.map_err(|why| format!("{}: {why}", unread()))?;
        let line = self.table.line(event_type, topic).ok_or_else(unread)?;
        self.listed(line, self.decide(rows, &command, line.decision.name)?)
    }

    fn occasions(&self) -> Vec<&'static str> {
        self.occasions.iter().map(|(what, _)| *what).collect()
    }

    fn ask(&self, rows: &Shared, occasion: usize) -> Result<Decided, String> {
        let (what, command) = self.occasions.get(occasion).ok_or("no such occasion")?;
        self.decide(rows, command, what)
    }

    fn possible(&self, call: &NewAttempt) -> Vec<&'static str> {
        (self.answers)(call).into_iter().map(|(answer, _)| answer).collect()
    }

    fn answer(&self, rows: &Shared, call: &NewAttempt, answer: usize) -> Result<Decided, String> {
        let mut answers = (self.answers)(call);
        if answer >= answers.len() {
            return Err("no such answer".to_owned());
        }
        let (answer, command) = answers.swap_remove(answer);
        self.decide(rows, &command, &format!("{}: {answer}", call.kind))
    }
}
