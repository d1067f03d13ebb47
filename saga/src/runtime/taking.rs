//! Takes records into a batch: judged, stripped of credentials, decoded; or not now.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use outbox::{Prefix, envelope::Unreadable};
use rdkafka::{
    Message, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::BorrowedMessage,
};

use crate::{
    record::Record,
    runtime::{
        batch::Batch,
        dead_letter::{Class, Digest, Letter, MAX_KEPT_VALUE_BYTES},
        erased::ErasedCommand,
        membership::Membership,
        reading::{self, Reading},
    },
    table::{Table, Verdict},
};

impl Batch {
    /// Adds a record.
    ///
    /// # Errors
    /// If it cannot be judged now: the reason. It has to be read again then, and nothing behind it may be taken before.
    pub(super) fn take(
        &mut self,
        table: &Table<ErasedCommand>,
        prefix: &Prefix,
        message: &BorrowedMessage<'_>,
    ) -> Result<(), String> {
        let huge = message.payload().filter(|value| value.len() > MAX_KEPT_VALUE_BYTES);
        let mut record = match huge {
            Some(_) => Record::without_value(message, prefix),
            None => Record::read(message, prefix),
        };
        let refused = match table.enter(&mut record, appended_ms(message)) {
            Verdict::Admitted => None,
            Verdict::Refused(why) => Some(why),
            Verdict::Later(why) => return Err(why),
        };
        self.bytes += record.bytes();
        if let Some(why) = refused {
            self.letters.push(Letter::new(record, huge.map(Digest::of), Class::Refused, &why));
            return Ok(());
        }
        let read = match huge {
            Some(value) => reading::unread(table, &record, &Unreadable::TooLarge(value.len()).to_string()),
            None => reading::read(table, &record),
        };
        match read {
            Reading::Command(incoming) => {
                self.incoming.push(incoming);
                self.records.push(record);
            }
            Reading::Parks(unread) => self.unread.push((self.incoming.len(), unread, record)),
            Reading::DeadLetter(why) => {
                self.letters.push(Letter::new(record, huge.map(Digest::of), Class::Unreadable, &why));
            }
            Reading::Skipped => {
                metrics::counter!("events_skipped_total", "topic" => record.topic).increment(1);
            }
        }
        Ok(())
    }
}

/// Time at which the broker appended the record, if that is what its timestamp means.
fn appended_ms(message: &BorrowedMessage<'_>) -> Option<u64> {
    match message.timestamp() {
        rdkafka::Timestamp::LogAppendTime(ms) => u64::try_from(ms).ok(),
        rdkafka::Timestamp::CreateTime(_) | rdkafka::Timestamp::NotAvailable => None,
    }
}

/// Interval at which a record that cannot be judged is read again.
const AGAIN: Duration = Duration::from_secs(1);

/// Partitions that wait because a record in them cannot be judged now. Other partitions go on.
#[derive(Debug, Default)]
pub(super) struct Held(RefCell<Option<(Instant, String)>>);

impl Held {
    /// Holds back the record's partition from this record on.
    pub(super) fn hold(&self, kafka: &BaseConsumer<Membership>, message: &BorrowedMessage<'_>, why: String) {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        tracing::warn!(topic, partition, offset, why, "a client's record cannot be judged now; its partition waits");
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition(topic, partition);
        kafka.context().pend(kafka, &partitions);
        self.0.replace(Some((Instant::now(), why)));
    }

    /// Reason to wait on before reading such partitions again.
    pub(super) fn waits(&self) -> Option<String> {
        let held = self.0.borrow();
        held.as_ref().filter(|(since, _)| since.elapsed() < AGAIN).map(|(_, why)| why.clone())
    }
}
