//! A dead letter: what is stored of the record, and what is published.

use outbox::{RealName, publisher::dead_letter_topic};
use rdkafka::{error::KafkaError, message::OwnedHeaders, producer::FutureRecord, types::RDKafkaErrorCode};
use sha2::{Digest as _, Sha256};

use crate::record::Record;

/// Maximum size in bytes of a stored value. Larger ones fit into no letter, and no message of ours comes near it.
pub(crate) const MAX_KEPT_VALUE_BYTES: usize = 2_000_000;
/// Maximum length in bytes of a stored reason: an error may quote its whole input.
const MAX_WHY_BYTES: usize = 2_000;

/// Class of a dead letter, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Unreadable,
    Refused,
}

impl Class {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Class::Unreadable => "Unreadable",
            Class::Refused => "Refused",
        }
    }
}

/// Description of a value that is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) bytes: i64,
    pub(crate) sha256: Vec<u8>,
}

impl Digest {
    pub(crate) fn of(value: &[u8]) -> Self {
        Digest { bytes: i64::try_from(value.len()).unwrap_or(i64::MAX), sha256: Sha256::digest(value).to_vec() }
    }
}

/// A record that was given up, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Without its value if that was too large to store.
    pub(crate) record: Record,
    /// Digest of a value that was not stored.
    pub(crate) lost: Option<Digest>,
    /// A [`Class`], as spelled in the row.
    pub(crate) class: String,
    pub(crate) why: String,
}

impl Letter {
    pub(crate) fn new(record: Record, lost: Option<Digest>, class: Class, why: &str) -> Self {
        Letter { record, lost, class: class.as_str().to_owned(), why: shortened(why) }
    }

    /// Dead letter topic for the record.
    pub(crate) fn topic(&self) -> String {
        dead_letter_topic(&self.record.topic)
    }

    /// The most complete form that this letter can have.
    pub(crate) fn first_form(&self) -> Form {
        if self.lost.is_some() { Form::WithoutValue } else { Form::Whole }
    }

    /// The record to publish on this topic, for a record `of` another that a `group` has read.
    pub(crate) fn publication<'a>(
        &'a self,
        topic: &'a RealName,
        form: Form,
        of: &RealName,
        group: &RealName,
    ) -> FutureRecord<'a, [u8], [u8]> {
        let mut publication = FutureRecord::<[u8], [u8]>::to(topic.real()).headers(self.headers(form, of, group));
        publication.key = self.record.key.as_deref().filter(|_| form != Form::CoordinatesAlone);
        publication.payload = self.record.value.as_deref().filter(|_| form == Form::Whole);
        publication
    }

    /// The record's own headers, then Spring's: numbers are big-endian bytes, as Spring writes them.
    fn headers(&self, form: Form, of: &RealName, group: &RealName) -> OwnedHeaders {
        let Record { partition, offset, timestamp_ms, .. } = &self.record;
        let own = if form == Form::CoordinatesAlone { &[][..] } else { &self.record.headers[..] };
        let mut all: Vec<(&str, Vec<u8>)> = own.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        all.extend([
            ("kafka_dlt-original-topic", of.real().into()),
            ("kafka_dlt-original-partition", partition.to_be_bytes().into()),
            ("kafka_dlt-original-offset", offset.to_be_bytes().into()),
            ("kafka_dlt-original-timestamp", timestamp_ms.to_be_bytes().into()),
            ("kafka_dlt-original-timestamp-type", b"CreateTime".into()),
            ("kafka_dlt-original-consumer-group", group.real().into()),
            ("kafka_dlt-exception-fqcn", self.class.clone().into_bytes()),
            ("kafka_dlt-exception-message", self.why.clone().into_bytes()),
        ]);
        if let Some(without) = form.without() {
            all.push(("kafka_dlt-without", without.into()));
            let kept = self.record.value.as_deref().map(Digest::of);
            if let Some(Digest { bytes, sha256 }) = self.lost.clone().or(kept) {
                let hex: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
                all.push(("kafka_dlt-value-size", bytes.to_be_bytes().into()));
                all.push(("kafka_dlt-value-sha256", hex.into_bytes()));
            }
        }
        outbox::kafka::headers(&all)
    }
}

/// The part of the record that a letter contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    WithoutValue,
    /// Without value, key and the record's own headers: this always fits.
    CoordinatesAlone,
}

impl Form {
    /// The next smaller form, if the error says that this one is too large.
    pub(crate) fn smaller(self, error: &KafkaError) -> Option<Form> {
        let too_large = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::MessageSizeTooLarge
                    | RDKafkaErrorCode::MessageBatchTooLarge
                    | RDKafkaErrorCode::InvalidMessageSize
                    | RDKafkaErrorCode::InvalidMessage
                    | RDKafkaErrorCode::InvalidRecord
            )
        );
        match self {
            _ if !too_large => None,
            Form::Whole => Some(Form::WithoutValue),
            Form::WithoutValue => Some(Form::CoordinatesAlone),
            Form::CoordinatesAlone => None,
        }
    }

    fn without(self) -> Option<&'static str> {
        match self {
            Form::Whole => None,
            Form::WithoutValue => Some("value"),
            Form::CoordinatesAlone => Some("value, key, headers"),
        }
    }
}

/// Truncates the reason to [`MAX_WHY_BYTES`], and removes what Postgres cannot store in text.
fn shortened(why: &str) -> String {
    let end = (0..=MAX_WHY_BYTES.min(why.len())).rev().find(|&end| why.is_char_boundary(end)).unwrap_or(0);
    why[..end].replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use outbox::Prefix;
    use rdkafka::message::Headers;

    use super::*;

    fn letter(value: Option<&[u8]>, lost: Option<Digest>) -> Letter {
        let record = Record {
            topic: "trip.requests".into(),
            partition: 3,
            offset: 41,
            key: Some(b"key".into()),
            value: value.map(Into::into),
            headers: vec![("x-own".into(), b"kept".into())],
            ..Record::default()
        };
        Letter::new(record, lost, Class::Unreadable, "too large")
    }

    fn names(letter: &Letter, form: Form) -> Vec<String> {
        letter.headers(form, &real("t"), &real("hotel")).iter().map(|header| header.key.to_owned()).collect()
    }

    fn real(name: &str) -> RealName {
        "staging.".parse::<Prefix>().expect("a prefix").of(name)
    }

    #[test]
    fn a_letter_names_topic_and_group_as_the_broker_has_them() {
        let headers = letter(Some(b"value"), None).headers(Form::Whole, &real("trip.requests"), &real("hotel"));
        let value = |name: &str| headers.iter().find(|header| header.key == name).and_then(|header| header.value);
        assert_eq!(value("kafka_dlt-original-topic"), Some(&b"staging.trip.requests"[..]));
        assert_eq!(value("kafka_dlt-original-consumer-group"), Some(&b"staging.hotel"[..]));
    }

    #[test]
    fn a_smaller_form_says_what_it_is_without() {
        let whole = letter(Some(b"value"), None);
        assert_eq!(whole.first_form(), Form::Whole);
        assert!(!names(&whole, Form::Whole).contains(&"kafka_dlt-without".to_owned()));
        for form in [Form::WithoutValue, Form::CoordinatesAlone] {
            let names = names(&whole, form);
            assert!(
                ["without", "value-size", "value-sha256", "original-offset"]
                    .iter()
                    .all(|name| names.contains(&format!("kafka_dlt-{name}")))
            );
            assert_eq!(names.contains(&"x-own".to_owned()), form == Form::WithoutValue);
            assert!(whole.publication(&real("t"), form, &real("t"), &real("hotel")).payload.is_none());
        }
        let lost = letter(None, Some(Digest::of(b"value")));
        assert_eq!(lost.first_form(), Form::WithoutValue);
    }

    #[test]
    fn only_what_is_refused_for_its_size_goes_out_smaller() {
        let error = |code| KafkaError::MessageProduction(code);
        let too_large = error(RDKafkaErrorCode::MessageSizeTooLarge);
        assert_eq!(Form::Whole.smaller(&too_large), Some(Form::WithoutValue));
        assert_eq!(Form::WithoutValue.smaller(&too_large), Some(Form::CoordinatesAlone));
        assert_eq!(Form::CoordinatesAlone.smaller(&too_large), None);
        assert_eq!(Form::Whole.smaller(&error(RDKafkaErrorCode::BrokerTransportFailure)), None);
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let long = format!("{}{}", "x".repeat(MAX_WHY_BYTES - 1), "äöü");
        assert_eq!(shortened(&long).len(), MAX_WHY_BYTES - 1);
        assert_eq!(shortened("a\0b"), "a\u{fffd}b");
    }
}
