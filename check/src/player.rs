//! A service on the bus: its real table and its real decisions.

use std::{
    hash::Hash,
    panic::{AssertUnwindSafe, catch_unwind},
};

use chrono::{DateTime, Utc};
use saga::{
    EventId, NewAttempt, SagaId, Says, Service, Table,
    envelope::Envelope,
    record::Record,
    table::{End, Line, Occasion, Trigger},
};
use uuid::Uuid;

use crate::{Answers, rows::Shared};

/// The time of everything but deadlines.
pub(crate) const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// What a decision has led to.
pub(crate) struct Decided {
    /// Name of the decision.
    pub(crate) decision: String,
    pub(crate) saga: SagaId,
    pub(crate) rows: Shared,
    pub(crate) says: Says,
}

/// Any service.
pub(crate) trait Player {
    fn name(&self) -> &'static str;

    fn topic(&self) -> &'static str;

    /// True if the table says how sagas end.
    fn knows_ends(&self) -> bool;

    /// True if the table has a line for the event.
    fn hears(&self, event_type: &str, topic: &str) -> bool;

    /// How a saga ends with an event of this service, if it does.
    fn end(&self, event_type: &str) -> Option<End>;

    /// The decision on an event; an error says what is wrong with it.
    fn hear(&self, rows: &Shared, event_type: &str, topic: &str, data: &str) -> Result<Decided, String>;

    /// What persons and deadlines may ask for.
    fn occasions(&self) -> Vec<&'static str>;

    /// True if one of those is a deadline.
    fn is_deadline(&self, occasion: usize) -> bool;

    /// The decision on one of those.
    fn ask(&self, rows: &Shared, occasion: usize) -> Result<Decided, String>;

    /// The possible answers to a call.
    fn possible(&self, call: &NewAttempt) -> Vec<&'static str>;

    /// The decision on one of those.
    fn answer(&self, rows: &Shared, call: &NewAttempt, answer: usize) -> Result<Decided, String>;
}

/// Something that a person or a deadline asks for.
pub(crate) struct Occurrence<C> {
    pub(crate) what: &'static str,
    pub(crate) at: DateTime<Utc>,
    pub(crate) command: C,
}

/// A service.
pub(crate) struct Typed<S: Service> {
    service: S,
    saved: fn(S::Rows) -> S::Rows,
    pub(crate) table: Table<S::Command>,
    pub(crate) occasions: Vec<Occurrence<S::Command>>,
    pub(crate) answers: Answers<S::Command>,
}

impl<S: Service> Typed<S>
where
    S::Rows: Clone + Eq + Hash + 'static,
{
    pub(crate) fn new(service: S, saved: fn(S::Rows) -> S::Rows) -> Self {
        Typed { service, saved, table: S::table(), occasions: Vec::new(), answers: |_| Vec::new() }
    }

    /// Decides, as the unit of work does: nothing is written if the decision is impossible.
    fn decide(
        &self,
        rows: &Shared,
        command: &S::Command,
        decision: &str,
        now: DateTime<Utc>,
    ) -> Result<Decided, String> {
        let before = rows.typed::<S::Rows>().ok_or("rows of another service")?;
        let mut after = before.clone();
        let says = catch_unwind(AssertUnwindSafe(|| self.service.decide(&mut after, command, now)))
            .map_err(|_| format!("`{decision}` of `{}` panics", S::NAME))?;
        if let Some(why) = says.impossible {
            return Err(format!("`{decision}` of `{}` is impossible: {why}", S::NAME));
        }
        let after = (self.saved)(after);
        // States that differ in nothing share their rows.
        let rows = if after == *before { rows.clone() } else { Shared::new(after) };
        if let Some(why) = says.refused {
            return Err(format!("`{decision}` of `{}` refuses what it gets: {why}", S::NAME));
        }
        Ok(Decided { decision: decision.to_owned(), saga: S::saga_of(command), rows, says })
    }

    /// Checks that lines of the table list everything that was said and asked for. Calls need a list only where any line has one.
    fn listed(&self, lines: &[&Line], decided: Decided) -> Result<Decided, String> {
        let says = |event: &str| lines.iter().any(|line| line.may_say(event));
        let asks = |call: &str| lines.iter().any(|line| line.decision.asks.contains(&call));
        let lists_calls = self.table.lines().any(|line| !line.decision.asks.is_empty());
        let (decision, service) = (&decided.decision, S::NAME);
        if let Some(said) = decided.says.events.iter().find(|said| !says(said.event_type)) {
            return Err(format!(
                "`{decision}` of `{service}` says `{}`, which its line does not list",
                said.event_type
            ));
        }
        if let Some(call) = decided.says.attempts.iter().find(|call| lists_calls && !asks(call.kind)) {
            return Err(format!("`{decision}` of `{service}` asks for `{}`, which its line does not list", call.kind));
        }
        Ok(decided)
    }

    /// Lines of the table without an event that `fit`; an error if there is none.
    fn lines(&self, what: &str, fit: impl Fn(Occasion) -> bool) -> Result<Vec<&Line>, String> {
        let fits = |line: &&Line| matches!(line.trigger, Trigger::Occasion(occasion) if fit(occasion));
        let lines: Vec<&Line> = self.table.lines().filter(fits).collect();
        if lines.is_empty() { Err(format!("the table of `{}` has no line for {what}", S::NAME)) } else { Ok(lines) }
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

    fn knows_ends(&self) -> bool {
        self.table.lines().flat_map(|line| line.says).any(|saying| saying.ends.is_some())
    }

    fn hears(&self, event_type: &str, topic: &str) -> bool {
        self.table.line(event_type, topic).is_some()
    }

    fn end(&self, event_type: &str) -> Option<End> {
        let says = self.table.lines().flat_map(|line| line.says);
        says.filter(|saying| saying.event_type == event_type).find_map(|saying| saying.ends)
    }

    fn hear(&self, rows: &Shared, event_type: &str, topic: &str, data: &str) -> Result<Decided, String> {
        let unread = || format!("`{}` cannot read `{event_type}`", S::NAME);
        let line = self.table.line(event_type, topic).ok_or_else(unread)?;
        let record = Record { topic: topic.to_owned(), ..Record::default() };
        let envelope = Envelope {
            id: EventId(Uuid::nil()),
            event_type: event_type.to_owned(),
            // All services are of one build; the lint finds readers of an earlier version.
            version: line.version(),
            source: String::new(),
            subject: None,
            time: None,
            causation_id: None,
            traceparent: None,
        };
        let command = self.table.read(&envelope, &record, data.as_bytes()).ok_or_else(unread)?;
        let command = command.map_err(|why| format!("{}: {why}", unread()))?;
        self.listed(&[line], self.decide(rows, &command, line.decision.name, NOW)?)
    }

    fn occasions(&self) -> Vec<&'static str> {
        self.occasions.iter().map(|occurrence| occurrence.what).collect()
    }

    fn is_deadline(&self, occasion: usize) -> bool {
        self.occasions.get(occasion).is_some_and(|occurrence| occurrence.at != NOW)
    }

    fn ask(&self, rows: &Shared, occasion: usize) -> Result<Decided, String> {
        let Occurrence { what, at, command } = self.occasions.get(occasion).ok_or("no such occasion")?;
        let lines = self.lines(&format!("the occasion `{what}`"), |occasion| occasion.text() == *what)?;
        self.listed(&lines, self.decide(rows, command, what, *at)?)
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
        let is_its = |occasion| matches!(occasion, Occasion::Answer(kind) if kind == call.kind);
        let lines = self.lines(&format!("the answer to `{}`", call.kind), is_its)?;
        self.listed(&lines, self.decide(rows, &command, &format!("{}: {answer}", call.kind), NOW)?)
    }
}
