//! An outbox row as a record on Kafka.

use outbox::{
    EventId, Prefix, RealName,
    envelope::Envelope,
    kafka::headers,
    publisher::{source_of, topic_of_aggregate},
};
use rdkafka::message::OwnedHeaders;

use crate::store::OutboxRow;

/// A row with its headers.
#[derive(Debug)]
pub(crate) struct Record<'r> {
    pub(crate) row: &'r OutboxRow<'r>,
    pub(crate) headers: OwnedHeaders,
}

/// The publisher that a database belongs to, and the topic of its events.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    publisher: String,
    topic: RealName,
    source: String,
}

impl Route {
    pub(crate) fn of(publisher: &str, prefix: &Prefix) -> Self {
        let topic = prefix.of(&topic_of_aggregate(publisher));
        Route { publisher: publisher.to_owned(), topic, source: source_of(publisher) }
    }

    pub(crate) fn publisher(&self) -> &str {
        &self.publisher
    }

    /// The topic as the broker has it.
    pub(crate) fn topic(&self) -> &RealName {
        &self.topic
    }

    /// A row with its CloudEvents headers; None for a row that names another publisher. The key is the aggregate's id, the value
    /// the payload as it is.
    pub(crate) fn record<'r>(&self, row: &'r OutboxRow<'r>) -> Option<Record<'r>> {
        if row.aggregatetype != self.publisher {
            return None;
        }
        let envelope = Envelope {
            id: EventId(row.id),
            event_type: row.event_type.to_owned(),
            // The table has only positive numbers.
            version: row.dataversion.unsigned_abs(),
            source: self.source.clone(),
            subject: Some(row.aggregateid.to_owned()),
            time: Some(row.created_at),
            causation_id: row.causationid.map(EventId),
            traceparent: row.traceparent.map(str::to_owned),
        };
        let headers = headers(&envelope.to_headers());
        Some(Record { row, headers })
    }
}
