//! An outbox row as a record on Kafka.

use std::{collections::HashMap, sync::Arc};

use events::{
    EventId,
    envelope::Envelope,
    publisher::{source_of, topic_of_aggregate},
};
use rdkafka::message::{Header, OwnedHeaders};

use crate::outbox::OutboxRow;

/// All that there is to hand over for a row.
#[derive(Debug)]
pub(crate) struct Record<'r> {
    pub(crate) row: &'r OutboxRow<'r>,
    pub(crate) topic: Arc<str>,
    pub(crate) headers: OwnedHeaders,
}

/// Where one kind of aggregate goes, and who says so.
#[derive(Debug)]
struct Route {
    topic: Arc<str>,
    source: String,
}

/// Topics and sources, each made once.
#[derive(Debug, Default)]
pub(crate) struct Routes(HashMap<String, Route>);

impl Routes {
    /// Every topic that has been published to, for a person to read.
    pub(crate) fn topics(&self) -> String {
        self.0.values().map(|route| &*route.topic).collect::<Vec<_>>().join(", ")
    }

    /// A row with its topic and its CloudEvents headers. Its key is the aggregate's id, its value the payload as it is.
    pub(crate) fn record<'r>(&mut self, row: &'r OutboxRow<'r>) -> Record<'r> {
        if !self.0.contains_key(row.aggregatetype) {
            let route =
                Route { topic: topic_of_aggregate(row.aggregatetype).into(), source: source_of(row.aggregatetype) };
            self.0.insert(row.aggregatetype.to_owned(), route);
        }
        let route = &self.0[row.aggregatetype];
        let envelope = Envelope {
            id: EventId(row.id),
            event_type: row.event_type.to_owned(),
            source: route.source.clone(),
            subject: Some(row.aggregateid.to_owned()),
            time: Some(row.created_at),
            causation_id: row.causationid.map(EventId),
            traceparent: row.traceparent.map(str::to_owned),
        };
        let headers = envelope.to_headers();
        let headers = headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |all, (key, value)| {
            all.insert(Header { key, value: Some(value) })
        });
        Record { row, topic: Arc::clone(&route.topic), headers }
    }
}
