//! A service on the bus: its real table and its real decisions.

use std::{
    fmt::Debug,
    hash::Hash,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use saga::{
    EventId, NewAttempt, SagaId, Says, Service, Table,
    envelope::Envelope,
    record::Record,
    table::{End, Line, Occasion, Trigger},
};
use uuid::Uuid;

use crate::{
    Answers,
    progress::{Change, change},
    rows::Shared,
};

/// The time of everything but deadlines.
pub(crate) const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// End of what is wrong with a decision that only the table forbids.
pub(crate) const UNLISTED: &str = ", which its line does not list";

/// What a decision has led to.
pub(crate) struct Decided {
    /// Name of the decision.
    pub(crate) decision: String,
    pub(crate) saga: SagaId,
    pub(crate) rows: Shared,
    pub(crate) says: Says,
    /// What it has done to which of the service's steps.
    pub(crate) change: Option<(Option<&'static str>, Change)>,
}

/// Any service.
pub(crate) trait Player {
    fn name(&self) -> &'static str;

    fn topic(&self) -> &'static str;

    /// The service on its database.
    #[cfg(feature = "postgres")]
    fn on(self: std::rc::Rc<Self>, database: sqlx::PgPool) -> Box<dyn crate::postgres::Real>;

    /// The lines of its table.
    fn lines(&self) -> Vec<Line>;

    /// True if the table says how sagas end.
    fn knows_ends(&self) -> bool;

    /// True if the table has a line for the event.
    fn hears(&self, event_type: &str, topic: &str) -> bool;

    /// The saga that a client's request is about; an error if it cannot be read.
    fn saga_of(&self, event_type: &str, topic: &str, data: &str) -> Result<SagaId, String>;

    /// How a saga ends with an event of this service, if it does.
    fn end(&self, event_type: &str) -> Option<End>;

    /// The decision on an event; an error says what is wrong with it.
    fn hear(&self, rows: &Shared, event_type: &str, topic: &str, data: &str) -> Result<Decided, String>;

    /// What persons and deadlines may ask for.
    fn occasions(&self) -> Vec<&'static str>;

    /// The saga and the time of one of those.
    fn occasion(&self, occasion: usize) -> (SagaId, DateTime<Utc>);

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
    /// True if it comes by itself, sooner or later.
    pub(crate) is_deadline: bool,
    /// Makes the command.
    pub(crate) command: Box<dyn Fn() -> C>,
}

/// A service.
pub(crate) struct Typed<S: Service> {
    pub(crate) service: Arc<S>,
    saved: fn(S::Rows) -> S::Rows,
    pub(crate) table: Table<S::Command>,
    /// Events without which the table is used.
    pub(crate) without: Vec<String>,
    /// Returns whether rows as loaded for some commands are what all rows have for them.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only rows of a database are compared"))]
    pub(crate) alike: fn(&S::Rows, &S::Rows) -> bool,
    pub(crate) occasions: Vec<Occurrence<S::Command>>,
    pub(crate) answers: Answers<S::Command>,
}

impl<S: Service> Typed<S>
where
    S::Rows: Debug + Clone + Eq + Hash + 'static,
{
    pub(crate) fn new(service: S, saved: fn(S::Rows) -> S::Rows) -> Self {
        let (service, alike) = (Arc::new(service), |all: &S::Rows, loaded: &S::Rows| all == loaded);
        let (table, without, occasions) = (S::table(), Vec::new(), Vec::new());
        Typed { service, saved, table, without, alike, occasions, answers: |_| Vec::new() }
    }

    pub(crate) fn command(&self, event_type: &str, topic: &str, data: &str) -> Result<S::Command, String> {
        let unread = || unread::<S>(event_type);
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
        command.map_err(|why| format!("{}: {why}", unread()))
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
        if let Some(said) = says.events.iter().find(|said| said.aggregatetype != S::NAME) {
            return Err(format!("`{}` says `{}` as `{}`", S::NAME, said.event_type, said.aggregatetype));
        }
        Ok(Decided { decision: decision.to_owned(), saga: S::saga_of(command), rows, says, change: None })
    }

    /// Checks that lines of the table list everything that was said and asked for. Calls need a list only where any line has one.
    fn listed(&self, lines: &[&Line], decided: Decided) -> Result<Decided, String> {
        let says = |event: &str| lines.iter().any(|line| line.may_say(event));
        let asks = |call: &str| lines.iter().any(|line| line.decision.asks.contains(&call));
        let lists_calls = self.table.lines().any(|line| !line.decision.asks.is_empty());
        let (decision, service) = (&decided.decision, S::NAME);
        if let Some(said) = decided.says.events.iter().find(|said| !says(said.event_type)) {
            return Err(format!("`{decision}` of `{service}` says `{}`{UNLISTED}", said.event_type));
        }
        if let Some(call) = decided.says.attempts.iter().find(|call| lists_calls && !asks(call.kind)) {
            return Err(format!("`{decision}` of `{service}` asks for `{}`{UNLISTED}", call.kind));
        }
        Ok(decided)
    }

    /// As [`listed`](Self::listed), with what the decision has done to its step.
    fn changed(&self, before: &Shared, lines: &[&Line], decided: Decided) -> Result<Decided, String> {
        let decided = self.listed(lines, decided)?;
        let line = lines.iter().find(|line| line.decision.phase.is_some());
        let change = line.and_then(|line| {
            let phase = line.decision.phase?;
            let mut refusals = line.says.iter().filter(|saying| saying.refuses);
            let refuses = refusals.any(|no| decided.says.events.iter().any(|said| said.event_type == no.event_type));
            let change = change(phase, *before != decided.rows, refuses);
            Some((line.decision.step, change?))
        });
        Ok(Decided { change, ..decided })
    }

    /// Lines of the table without an event that `fit`; an error if there is none.
    fn lines(&self, what: &str, fit: impl Fn(Occasion) -> bool) -> Result<Vec<&Line>, String> {
        let fits = |line: &&Line| matches!(line.trigger, Trigger::Occasion(occasion) if fit(occasion));
        let lines: Vec<&Line> = self.table.lines().filter(fits).collect();
        if lines.is_empty() { Err(format!("the table of `{}` has no line for {what}", S::NAME)) } else { Ok(lines) }
    }
}

fn unread<S: Service>(event_type: &str) -> String {
    format!("`{}` cannot read `{event_type}`", S::NAME)
}

impl<S: Service> Player for Typed<S>
where
    S::Rows: Debug + Clone + Eq + Hash + 'static,
{
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn topic(&self) -> &'static str {
        S::PUBLISHER.topic()
    }

    #[cfg(feature = "postgres")]
    fn on(self: std::rc::Rc<Self>, database: sqlx::PgPool) -> Box<dyn crate::postgres::Real> {
        crate::postgres::real(self, database)
    }

    fn lines(&self) -> Vec<Line> {
        self.table.lines().cloned().collect()
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

    fn saga_of(&self, event_type: &str, topic: &str, data: &str) -> Result<SagaId, String> {
        self.command(event_type, topic, data).map(|command| S::saga_of(&command))
    }

    fn hear(&self, rows: &Shared, event_type: &str, topic: &str, data: &str) -> Result<Decided, String> {
        let command = self.command(event_type, topic, data)?;
        let line = self.table.line(event_type, topic).ok_or_else(|| unread::<S>(event_type))?;
        self.changed(rows, &[line], self.decide(rows, &command, line.decision.name, NOW)?)
    }

    fn occasions(&self) -> Vec<&'static str> {
        self.occasions.iter().map(|occurrence| occurrence.what).collect()
    }

    fn occasion(&self, occasion: usize) -> (SagaId, DateTime<Utc>) {
        let Occurrence { at, command, .. } = &self.occasions[occasion];
        (S::saga_of(&command()), *at)
    }

    fn is_deadline(&self, occasion: usize) -> bool {
        self.occasions.get(occasion).is_some_and(|occurrence| occurrence.is_deadline)
    }

    fn ask(&self, rows: &Shared, occasion: usize) -> Result<Decided, String> {
        let Occurrence { what, at, command, .. } = self.occasions.get(occasion).ok_or("no such occasion")?;
        let lines = self.lines(&format!("the occasion `{what}`"), |occasion| occasion.text() == *what)?;
        self.changed(rows, &lines, self.decide(rows, &command(), what, *at)?)
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
        self.changed(rows, &lines, self.decide(rows, &command, &format!("{}: {answer}", call.kind), NOW)?)
    }
}
