//! A Kafka record, owned.

use events::{envelope::RawRecord, ids::Coordinates};
use rdkafka::{
    Message,
    message::{BorrowedMessage, Headers},
};

/// Everything of a record that matters here. It keeps the bytes as they came, so that a dead letter loses nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970; 0 where the record has none.
    pub timestamp_ms: u64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    pub fn at(&self) -> Coordinates<'_> {
        Coordinates { topic: &self.topic, partition: self.partition, offset: self.offset }
    }

    /// Shows the record to the reader of envelopes.
    pub fn with_raw<T>(&self, look: impl FnOnce(&RawRecord<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        look(&RawRecord {
            at: self.at(),
            timestamp_ms: self.timestamp_ms,
            headers: &headers,
            value: self.value.as_deref(),
        })
    }
}

impl From<&BorrowedMessage<'_>> for Record {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        Record {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().map_or_else(Vec::new, |headers| {
                headers
                    .iter()
                    .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
                    .collect()
            }),
        }
    }
}
