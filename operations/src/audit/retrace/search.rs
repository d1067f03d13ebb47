//! Searches for an interleaving of a service's topics that explains what the service published and wrote.

use std::{collections::HashSet, hash::Hash};

use chrono::{DateTime, Utc};
use events::{EventId, envelope::Envelope, publisher};
use saga::{Says, Service, record::Record};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Case;
use crate::{
    audit::{Finding, dossier::Logged, erased, tables::Table},
    choreography,
};

/// States examined for one service and one order: far more than any order of ours has.
const MOMENTS: usize = 20_000;

/// A service whose decisions can be re-executed.
pub(super) trait Retraced: Service<Rows: Clone + Eq + Hash> {
    /// Its tables with rows of orders.
    const TABLES: &'static [Table];

    fn again(case: &Case<'_>) -> Self;

    /// The service's state before the order arrived, as far as the order needs it and published events show it.
    fn world(case: &Case<'_>) -> Self::Rows;

    /// Commands that may occur without an event, given the event to be published `next`.
    fn occasions(case: &Case<'_>, next: Option<&Logged>) -> Vec<Self::Command>;

    /// The effective command. Most commands are complete in themselves; a request without an order id stands for the order under
    /// which it was filed, which only the record shows.
    fn meant(_case: &Case<'_>, command: Self::Command) -> Self::Command {
        command
    }

    /// The order's expected rows, column by column.
    fn rows(case: &Case<'_>, rows: &Self::Rows) -> Vec<(Table, Value)>;

    /// A time for the decision.
    fn now(_command: &Self::Command) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    /// Removes from a row what no decision determines.
    fn normalise(_case: &Case<'_>, _table: Table, _row: &mut Map<String, Value>) {}
}

/// An event that the service consumes.
struct Input<'a, C> {
    event: &'a Logged,
    command: C,
}

/// An event that the service published.
struct Output<'a> {
    event: &'a Logged,
    data: Value,
}

/// Progress through the topics.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Moment<R> {
    rows: R,
    /// Number of events read, by topic.
    read: Vec<usize>,
    said: usize,
}

/// The best incomplete explanation.
struct Best<R> {
    moment: Moment<R>,
    fits: bool,
}

struct Search<'a, 's, S: Retraced> {
    case: &'s Case<'a>,
    service: S,
    inputs: Vec<Vec<Input<'a, S::Command>>>,
    outputs: Vec<Output<'a>>,
    actual: Vec<(Table, Value)>,
    seen: HashSet<Moment<S::Rows>>,
    /// Everything published and the rows as they are: only some events are left unread.
    settled: Option<Moment<S::Rows>>,
    /// The most events published, then the most events read.
    furthest: Option<Best<S::Rows>>,
    /// Expected events that were not published.
    unsaid: Vec<(Uuid, String)>,
}

/// Adds what the service published or wrote and no interleaving of its events explains.
pub(super) fn retrace<S: Retraced>(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let mut search = Search::<S>::new(case);
    let nothing = search.inputs.iter().all(Vec::is_empty) && search.outputs.is_empty() && search.actual.is_empty();
    let beginning = Moment { rows: S::world(case), read: vec![0; search.inputs.len()], said: 0 };
    if nothing && S::occasions(case, None).is_empty() || search.explains(beginning) {
        return;
    }
    findings.extend(search.complaints().into_iter().map(|what| Finding::of(case.dossier.order, what)));
}

impl<'a, 's, S: Retraced> Search<'a, 's, S> {
    fn new(case: &'s Case<'a>) -> Self {
        let table = S::table();
        let read = choreography::topics_of(table.service());
        let topics = publisher::all().filter(|publisher| read.contains(&publisher.topic()));
        let inputs = topics.map(|topic| {
            let events = case.dossier.first_of(topic).into_iter();
            events.filter_map(|event| Some(Input { event, command: S::meant(case, command(&table, event)?) })).collect()
        });
        let inputs = inputs.collect();
        let outputs = case
            .said_by(table.service())
            .into_iter()
            .map(|event| Output { event, data: serde_json::from_str(event.data.get()).unwrap_or_default() });
        let outputs = outputs.collect();
        Search {
            case,
            service: S::again(case),
            inputs,
            outputs,
            actual: actual::<S>(case),
            seen: HashSet::new(),
            settled: None,
            furthest: None,
            unsaid: Vec::new(),
        }
    }

    /// Tells whether everything from this state on can be explained.
    fn explains(&mut self, moment: Moment<S::Rows>) -> bool {
        if self.seen.len() >= MOMENTS || self.seen.contains(&moment) {
            return false;
        }
        let has_read_all = moment.read.iter().zip(&self.inputs).all(|(read, inputs)| *read == inputs.len());
        if has_read_all && self.is_over(&moment) {
            return true;
        }
        self.seen.insert(moment.clone());
        for topic in 0..self.inputs.len() {
            if let Some(next) = self.read(&moment, topic)
                && self.explains(next)
            {
                return true;
            }
        }
        for topic in 0..self.inputs.len() {
            if let Some(next) = self.passes_over(&moment, topic)
                && self.explains(next)
            {
                return true;
            }
        }
        let next = self.outputs.get(moment.said).map(|output| output.event);
        for occasion in S::occasions(self.case, next) {
            if let Some(next) = self.happens(&moment, &occasion)
                && self.explains(next)
            {
                return true;
            }
        }
        self.note(moment);
        false
    }

    fn is_over(&self, moment: &Moment<S::Rows>) -> bool {
        moment.said == self.outputs.len() && self.fits(moment)
    }

    fn fits(&self, moment: &Moment<S::Rows>) -> bool {
        expected::<S>(self.case, &moment.rows) == self.actual
    }

    /// The state after the next event of a topic.
    fn read(&mut self, moment: &Moment<S::Rows>, topic: usize) -> Option<Moment<S::Rows>> {
        let input = self.inputs[topic].get(moment.read[topic])?;
        let mut rows = moment.rows.clone();
        let says = self.service.decide(&mut rows, &input.command, S::now(&input.command));
        let cause = input.event.id;
        let said = match self.said(moment.said, &says, |by| by == Some(cause)) {
            Ok(said) => said,
            Err(unsaid) => {
                self.unsaid.push((cause, unsaid));
                return None;
            }
        };
        let mut read = moment.read.clone();
        read[topic] += 1;
        Some(Moment { rows, read, said })
    }

    /// The state after an event that may have changed nothing: an operator's event that expected the order in a different state,
    /// or a request whose id an earlier request has used. Whether a request became an order is judged elsewhere, where all
    /// requests are known.
    fn passes_over(&self, moment: &Moment<S::Rows>, topic: usize) -> Option<Moment<S::Rows>> {
        let input = self.inputs[topic].get(moment.read[topic])?;
        let from_outside = input.event.topic == publisher::CLIENT || !input.event.is_own();
        from_outside.then(|| {
            let mut next = moment.clone();
            next.read[topic] += 1;
            next
        })
    }

    /// The state after a command that no event causes.
    fn happens(&self, moment: &Moment<S::Rows>, occasion: &S::Command) -> Option<Moment<S::Rows>> {
        let mut rows = moment.rows.clone();
        let says = self.service.decide(&mut rows, occasion, S::now(occasion));
        if says.ignored.is_some() || says.refused.is_some() {
            return None;
        }
        // A person's action or a deadline has no cause; an answer has the cause of its call, which was read earlier.
        let was_read = |by: Option<Uuid>| {
            let Some(cause) = by else { return true };
            let mut read = self.inputs.iter().zip(&moment.read).flat_map(|(inputs, read)| &inputs[..*read]);
            read.any(|input| input.event.id == cause)
        };
        let said = self.said(moment.said, &says, was_read).ok()?;
        Some(Moment { rows, read: moment.read.clone(), said })
    }

    /// Number of events published after a decision. Err with the expected event if the next events are different ones.
    fn said(&self, from: usize, says: &Says, is_cause: impl Fn(Option<Uuid>) -> bool) -> Result<usize, String> {
        let mut place = from;
        for said in &says.events {
            let data: Value = serde_json::from_str(&said.payload).unwrap_or_default();
            match self.outputs.get(place) {
                Some(output) if output.event.event_type == said.event_type && is_cause(output.event.causation_id) => {
                    if output.data != data {
                        return Err(format!("{} with {}", said.event_type, differences(&output.data, &data)));
                    }
                }
                _ => return Err(said.event_type.to_owned()),
            }
            place += 1;
        }
        Ok(place)
    }

    fn note(&mut self, moment: Moment<S::Rows>) {
        let count = |moment: &Moment<S::Rows>| moment.read.iter().sum::<usize>();
        let fits = moment.said == self.outputs.len() && self.fits(&moment);
        if fits && self.settled.as_ref().is_none_or(|best| count(best) < count(&moment)) {
            self.settled = Some(moment.clone());
        }
        let rank = |moment: &Moment<S::Rows>, fits: bool| (moment.said, count(moment), fits);
        if self.furthest.as_ref().is_none_or(|best| rank(&best.moment, best.fits) < rank(&moment, fits)) {
            self.furthest = Some(Best { moment, fits });
        }
    }

    /// Findings in words; empty if everything missing is still in flight.
    fn complaints(self) -> Vec<String> {
        if let Some(settled) = &self.settled {
            return self.unread(settled);
        }
        let Some(Best { moment, .. }) = &self.furthest else { return Vec::new() };
        if let Some(output) = self.outputs.get(moment.said) {
            let event_type = &output.event.event_type;
            let content = self.unsaid.iter().find(|(_, said)| said.starts_with(&format!("{event_type} with ")));
            return vec![match content {
                Some((_, content)) => format!("{} should have said {content}", S::NAME),
                None => format!("{} has said {event_type}, which nothing that it read leads to", S::NAME),
            }];
        }
        let mut complaints = self.unread(moment);
        complaints.extend(different_rows(&self.actual, &expected::<S>(self.case, &moment.rows)));
        complaints
    }

    /// Events that were read but had no effect.
    fn unread(&self, moment: &Moment<S::Rows>) -> Vec<String> {
        let service = S::table().service();
        let unread = self.inputs.iter().zip(&moment.read).flat_map(|(inputs, read)| &inputs[*read..]);
        let wrong = unread.filter(|input| {
            let event = input.event;
            let has_read =
                |places: &super::Places| places.has_read(service, event.topic.topic(), event.partition, event.offset);
            self.case.places.is_none_or(has_read) && !self.case.resolved.contains(&(service, event.id))
        });
        wrong
            .map(|input| {
                let heard = &input.event.event_type;
                match self.unsaid.iter().find(|(cause, _)| *cause == input.event.id) {
                    Some((_, said)) => format!("{} has read {heard} and should have said {said}", S::NAME),
                    None => format!("{} has read {heard}, and nothing has come of it", S::NAME),
                }
            })
            .collect()
    }
}

/// The command that an event gives the service; None if the event is irrelevant or unreadable.
fn command<C>(table: &saga::Table<C>, event: &Logged) -> Option<C> {
    // Checked before anything is copied.
    table.line(&event.event_type, event.topic.topic())?;
    let &Logged { partition, offset, timestamp_ms, .. } = event;
    let first_at = event.first_at.iter().map(|at| (saga::record::FIRST_AT.to_owned(), at.clone().into_bytes()));
    let (topic, headers) = (event.topic.topic().to_owned(), first_at.collect());
    let record = Record { topic, partition, offset, timestamp_ms, headers, ..Record::default() };
    let envelope = Envelope {
        id: EventId(event.id),
        event_type: event.event_type.clone(),
        version: event.version,
        source: event.source.clone(),
        subject: event.subject.clone(),
        time: event.at,
        causation_id: event.causation_id.map(EventId),
        traceparent: event.traceparent.clone(),
    };
    table.read(&envelope, &record, event.data.get().as_bytes())?.ok()
}

fn expected<S: Retraced>(case: &Case<'_>, rows: &S::Rows) -> Vec<(Table, Value)> {
    let mut rows = S::rows(case, rows);
    sort(&mut rows);
    erased::leave_out(case, &mut rows);
    rows
}

/// The rows that exist.
fn actual<S: Retraced>(case: &Case<'_>) -> Vec<(Table, Value)> {
    let rows = S::TABLES.iter().flat_map(|table| case.dossier.rows_of(*table).map(|row| (*table, row)));
    let mut rows: Vec<(Table, Value)> = rows
        .map(|(table, row)| {
            let mut row: Value = serde_json::from_str(row.get()).unwrap_or_default();
            if let Value::Object(columns) = &mut row
                && table != Table::OrderHistory
            {
                S::normalise(case, table, columns);
            }
            (table, row)
        })
        .collect();
    sort(&mut rows);
    for (table, row) in &mut rows {
        if let Value::Object(columns) = row
            && *table == Table::OrderHistory
        {
            S::normalise(case, *table, columns);
        }
    }
    erased::leave_out(case, &mut rows);
    rows
}

/// Sorts rows by table; the timeline by its own order, all others by product.
fn sort(rows: &mut [(Table, Value)]) {
    let place = |row: &Value| row.get("id").or(row.get("product_id")).and_then(Value::as_i64);
    rows.sort_by_key(|(table, row)| (*table, place(row)));
}

fn different_rows(actual: &[(Table, Value)], expected: &[(Table, Value)]) -> Vec<String> {
    let mut different = Vec::new();
    for table in Table::ALL {
        let of = |rows: &[(Table, Value)]| -> Vec<Value> {
            rows.iter().filter(|(other, _)| *other == table).map(|(_, row)| row.clone()).collect()
        };
        let (there, wanted) = (of(actual), of(expected));
        if there.len() == wanted.len() {
            let pairs = there.iter().zip(&wanted).filter(|(there, wanted)| there != wanted);
            different.extend(pairs.map(|(there, wanted)| format!("{table}: {}", differences(there, wanted))));
        } else {
            let (there, wanted) = (there.len(), wanted.len());
            different.push(format!("{table}: {there} rows, and its events lead to {wanted}"));
        }
    }
    different
}

/// The differences of two objects, field by field.
fn differences(there: &Value, wanted: &Value) -> String {
    let (Some(has), Some(wants)) = (there.as_object(), wanted.as_object()) else {
        return format!("{there} instead of {wanted}");
    };
    let names = has.keys().chain(wants.keys().filter(|name| !has.contains_key(*name)));
    let word = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    let different: Vec<String> = names
        .filter(|name| has.get(*name) != wants.get(*name))
        .map(|name| match (has.get(name), wants.get(name)) {
            (Some(there @ Value::Object(_)), Some(wanted @ Value::Object(_))) => {
                format!("{name}: {}", differences(there, wanted))
            }
            (there, wanted) => format!("{name} {} instead of {}", word(there), word(wanted)),
        })
        .collect();
    different.join(", ")
}
