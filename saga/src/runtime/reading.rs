//! Reads a record according to a service's table.
//!
//! | record | result |
//! |---|---|
//! | readable | the command that the table has for it |
//! | of a type without a line in the table | skipped |
//! | on a service's topic, from another source | a dead letter |
//! | of a later version than the table's | parked until a newer program reads it; that saga waits |
//! | unreadable, on a service's topic, of a type that the table consumes, with a saga's id | parked, and that saga waits: nothing may overtake it |
//! | otherwise unreadable: a request, or a record that names no saga | a dead letter |

use outbox::{
    envelope::{self, Envelope, Unreadable},
    publisher::{is_operator, source_of},
};

use crate::{
    EventId, Publisher, SagaId,
    record::{EXPECTS, Record},
    runtime::incoming::{Incoming, Origin},
    table::{Table, Trigger},
};

impl<C> Table<C> {
    /// Publisher of this topic, if the service reads it.
    fn publisher_of(&self, topic: &str) -> Option<Publisher> {
        self.lines().find_map(|line| match line.trigger {
            Trigger::Event { publisher, .. } if publisher.topic() == topic => Some(publisher),
            Trigger::Event { .. } | Trigger::Occasion(_) => None,
        })
    }
}

/// Result of reading a record.
#[derive(Debug)]
pub(crate) enum Reading<C> {
    Command(Incoming<C>),
    /// The table has no line for it.
    Skipped,
    /// Unreadable, but belongs to a saga.
    Parks(Unread),
    /// Becomes a dead letter, for this reason.
    DeadLetter(String),
}

/// An event that this version of the service cannot read, about a saga in which it takes part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    /// Id under which the inbox records it.
    pub(crate) id: EventId,
    pub(crate) saga_id: SagaId,
    pub(crate) event_type: String,
    pub(crate) why: String,
    /// Version of the event, if that is all that is wrong: a newer program reads it.
    pub(crate) newer: Option<u32>,
}

/// Reads a record: its command, or how else to handle it.
pub(crate) fn read<C>(table: &Table<C>, record: &Record) -> Reading<C> {
    record.with_raw(|raw| {
        let (envelope, data) =
            match envelope::read(raw, table.publisher_of(&record.topic).and_then(Publisher::bare_type)) {
                Ok(read) => read,
                Err(why) => return unread(table, record, &why.to_string()),
            };
        let Some(command) = table.read(&envelope, record, &data) else { return Reading::Skipped };
        if let Err(why) = believed(table, record, &envelope.source) {
            return Reading::DeadLetter(why);
        }
        match command {
            Ok(command) => Reading::Command(Incoming {
                origin: Origin::Event(remembered_as(table, record, &envelope.source, envelope.id)),
                event_id: Some(envelope.id),
                what: envelope.event_type,
                traceparent: envelope.traceparent,
                expects: expected(table, record, &envelope.source),
                command,
            }),
            Err(why) => {
                let newer = if let Unreadable::Newer { version, .. } = why { Some(version) } else { None };
                match parks(table, record, Hints::from(&envelope), &why.to_string()) {
                    Reading::Parks(unread) => Reading::Parks(Unread { newer, ..unread }),
                    other => other,
                }
            }
        }
    })
}

/// Handles a record whose envelope is unreadable, or which is too large to parse.
pub(crate) fn unread<C>(table: &Table<C>, record: &Record, why: &str) -> Reading<C> {
    let event_type = record.text("ce_type");
    let hints = Hints {
        event_type,
        source: record.text("ce_source"),
        subject: record.text("ce_subject"),
        id: record.text("ce_id").filter(|id| !id.is_empty()).map(|id| {
            // The same id that the envelope reader would derive.
            EventId::from_foreign(record.text("ce_source").unwrap_or_default(), id)
        }),
    };
    parks(table, record, hints, why)
}

/// Attributes that an unreadable event still reveals.
struct Hints<'a> {
    event_type: Option<&'a str>,
    source: Option<&'a str>,
    subject: Option<&'a str>,
    id: Option<EventId>,
}

impl<'a> From<&'a Envelope> for Hints<'a> {
    fn from(envelope: &'a Envelope) -> Self {
        Hints {
            event_type: Some(&envelope.event_type),
            source: Some(&envelope.source),
            subject: envelope.subject.as_deref(),
            id: Some(envelope.id),
        }
    }
}

fn parks<C>(table: &Table<C>, record: &Record, hints: Hints<'_>, why: &str) -> Reading<C> {
    let consumed = hints.event_type.filter(|event_type| table.line(event_type, &record.topic).is_some());
    let Some(event_type) = consumed else { return Reading::DeadLetter(why.to_owned()) };
    if let Some(Err(untrue)) = hints.source.map(|source| believed(table, record, source)) {
        return Reading::DeadLetter(untrue);
    }
    if table.publisher_of(&record.topic).is_some_and(Publisher::is_anyone) {
        return Reading::DeadLetter(why.to_owned());
    }
    let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
    let saga_id = [hints.subject, key].into_iter().flatten().find_map(|text| text.parse::<SagaId>().ok());
    match saga_id {
        None => Reading::DeadLetter(why.to_owned()),
        Some(saga_id) => {
            let own = hints.id.unwrap_or_else(|| EventId::from_record(record.original()));
            let source = hints.source.unwrap_or_default();
            Reading::Parks(Unread {
                id: remembered_as(table, record, source, own),
                saga_id,
                event_type: event_type.to_owned(),
                why: why.to_owned(),
                newer: None,
            })
        }
    }
}

/// State that the saga must have at this service for an operator's event to count. Services' events state no expectation:
/// they are facts, whatever has happened since.
fn expected<C>(table: &Table<C>, record: &Record, source: &str) -> Option<String> {
    let words = is_operator(source).then(|| record.text(EXPECTS)).flatten()?;
    let own = words.split(',').filter_map(|pair| pair.split_once('='));
    own.into_iter().find(|(service, _)| *service == table.service().name()).map(|(_, word)| word.to_owned())
}

/// Checks that the source may publish on this topic.
fn believed<C>(table: &Table<C>, record: &Record, source: &str) -> Result<(), String> {
    let Some(publisher) = table.publisher_of(&record.topic) else { return Ok(()) };
    if publisher.believes(source) {
        return Ok(());
    }
    let own = source_of(publisher.name());
    Err(format!("its ce_source is another one, but only {own} publishes on {}", record.topic))
}

/// Id under which the inbox records an event: a service's own id, which is unique; a foreign id combined with its source, and its
/// owner, if one is proved, so that nobody can use up the id of another's event; a derived id in a form that no `ce_id` can take.
fn remembered_as<C>(table: &Table<C>, record: &Record, source: &str, id: EventId) -> EventId {
    if table.publisher_of(&record.topic).is_some_and(|publisher| publisher.is_source(source)) {
        id
    } else if id.is_from_record(record.original()) {
        id.of_record(record.timestamp_ms)
    } else {
        match table.owner_of(record) {
            Some(owner) => id.of_owner(source, &owner, record.timestamp_ms),
            None => id.of_source(source, record.timestamp_ms),
        }
    }
}

#[cfg(test)]
mod tests;
