//! CloudEvents 1.0 around the data: binary mode as we write it, binary, structured and bare as we read it.
//!
//! In binary mode (the Kafka protocol binding of CloudEvents) the value is the data and the attributes are headers with
//! the prefix `ce_`. In structured mode the value holds both. A bare value, without any header, is a request, on a topic that
//! takes requests: anyone may publish one with a console producer.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ids::{Coordinates, EventId, Original};

/// The largest value that we read, in bytes. Our own events stay far below; whatever is larger is a dead letter.
pub const MAX_VALUE_BYTES: usize = 256 * 1024;

/// The only version of CloudEvents that we speak.
pub const SPECVERSION: &str = "1.0";

/// `ce_source` of a record that came without one.
pub const CLIENTS: &str = "/clients";

const JSON: &str = "application/json";
const STRUCTURED: &str = "application/cloudevents+json";

/// The attributes of an event: everything about it but its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The event; unique together with its source.
    pub id: EventId,
    /// What has happened: `RoomHeld`.
    pub event_type: String,
    /// Publisher, as a path: `/services/hotel`.
    pub source: String,
    /// What it is about, the saga: where the publisher gave it.
    pub subject: Option<String>,
    /// When it happened, where the publisher says so.
    pub time: Option<DateTime<Utc>>,
    /// The event that caused this one.
    pub causation_id: Option<EventId>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

/// A record as it came from Kafka, borrowed from whatever client read it.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    /// Where it lies, or first lay.
    pub at: Coordinates<'a>,
    /// The record's own timestamp, milliseconds since 1970; 0 where it has none. Of one that was published again, the first.
    pub timestamp_ms: u64,
    /// Names and values, in their order.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The bytes of the value; none of a tombstone.
    pub value: Option<&'a [u8]>,
}

impl<'a> RawRecord<'a> {
    /// What ids are made up from where it comes without.
    pub fn original(&self) -> Original<'a> {
        Original { at: self.at, timestamp_ms: self.timestamp_ms, value: self.value }
    }
}

/// Why a record is no event that we can read. Such a record is a dead letter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each means")]
pub enum Unreadable {
    #[error("the value is null: a tombstone is no event")]
    Null,
    #[error("the value has {0} bytes; at most {MAX_VALUE_BYTES} are read")]
    TooLarge(usize),
    #[error("the CloudEvents version is {0:?}; only \"{SPECVERSION}\" is understood")]
    UnknownVersion(String),
    #[error("the attribute {0} is missing; only a request, on a topic of requests, may come without it")]
    MissingAttribute(&'static str),
    #[error("the attribute {0} is not UTF-8 text")]
    NotText(&'static str),
    #[error("the attribute {0} is malformed: {1}")]
    Malformed(&'static str, String),
    #[error("the content type is {0:?}; {JSON} and {STRUCTURED} are understood")]
    ContentType(String),
    #[error("the value is no structured CloudEvent: {0}")]
    NotStructured(String),
    #[error("the data is not a {event_type}: {error}")]
    Data { event_type: String, error: String },
}

impl Envelope {
    /// The headers of binary mode.
    pub fn to_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("ce_specversion", SPECVERSION.to_owned()),
            ("ce_id", self.id.to_string()),
            ("ce_type", self.event_type.clone()),
            ("ce_source", self.source.clone()),
            ("content-type", JSON.to_owned()),
        ];
        let optional = [
            ("ce_subject", self.subject.clone()),
            ("ce_time", self.time.map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true))),
            ("ce_causationid", self.causation_id.map(|id| id.to_string())),
            ("traceparent", self.traceparent.clone()),
        ];
        headers.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        headers
    }
}

/// Takes a record apart into envelope and data; the data is not looked into yet, so that events of no interest cost nothing.
/// `bare` is the type of a record without headers, on a topic that takes such: then no attribute is compulsory, and what is
/// missing is made up, the same on every delivery.
pub fn read<'a>(record: &RawRecord<'a>, bare: Option<&str>) -> Result<(Envelope, Cow<'a, [u8]>), Unreadable> {
    let value = record.value.ok_or(Unreadable::Null)?;
    if value.len() > MAX_VALUE_BYTES {
        return Err(Unreadable::TooLarge(value.len()));
    }
    let content_type = text(record, "content-type")?.unwrap_or(JSON);
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    match media_type {
        _ if media_type.eq_ignore_ascii_case(STRUCTURED) => read_structured(record, value),
        _ if media_type.eq_ignore_ascii_case(JSON) => Ok((read_headers(record, bare)?, Cow::Borrowed(value))),
        other => Err(Unreadable::ContentType(other.to_owned())),
    }
}

/// Reads the data as what its envelope says that it is.
pub fn read_data<T: serde::de::DeserializeOwned>(event_type: &str, data: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(data)
        .map_err(|error| Unreadable::Data { event_type: event_type.to_owned(), error: error.to_string() })
}

fn read_headers(record: &RawRecord<'_>, bare: Option<&str>) -> Result<Envelope, Unreadable> {
    let or_missing = |name, value: Option<&str>, default: Option<&str>| {
        let value = value.or(default.filter(|_| bare.is_some()));
        value.map(str::to_owned).ok_or(Unreadable::MissingAttribute(name))
    };
    known_version(&or_missing("ce_specversion", text(record, "ce_specversion")?, Some(SPECVERSION))?)?;
    let source = or_missing("ce_source", text(record, "ce_source")?, Some(CLIENTS))?;
    let id = match text(record, "ce_id")? {
        Some("") => return Err(Unreadable::Malformed("ce_id", "it is empty".to_owned())),
        Some(id) => EventId::from_foreign(&source, id),
        None if bare.is_some() => EventId::from_record(record.original()),
        None => return Err(Unreadable::MissingAttribute("ce_id")),
    };
    Ok(Envelope {
        id,
        event_type: or_missing("ce_type", text(record, "ce_type")?, bare)?,
        source,
        subject: text(record, "ce_subject")?.map(str::to_owned),
        time: text(record, "ce_time")?.map(time).transpose()?,
        causation_id: text(record, "ce_causationid")?.and_then(|id| id.parse().ok()),
        traceparent: text(record, "traceparent")?.map(str::to_owned),
    })
}

#[derive(Deserialize)]
struct Structured<'a> {
    specversion: String,
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    source: String,
    subject: Option<String>,
    time: Option<String>,
    causationid: Option<EventId>,
    traceparent: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

fn read_structured<'a>(record: &RawRecord<'a>, value: &'a [u8]) -> Result<(Envelope, Cow<'a, [u8]>), Unreadable> {
    let event: Structured<'a> =
        serde_json::from_slice(value).map_err(|error| Unreadable::NotStructured(error.to_string()))?;
    known_version(&event.specversion)?;
    let data = event.data.ok_or_else(|| Unreadable::NotStructured("it has no `data`".to_owned()))?;
    let envelope = Envelope {
        id: EventId::from_foreign(&event.source, &event.id),
        event_type: event.event_type,
        source: event.source,
        subject: event.subject,
        time: event.time.as_deref().map(time).transpose()?,
        causation_id: event.causationid,
        traceparent: match event.traceparent {
            Some(traceparent) => Some(traceparent),
            None => text(record, "traceparent")?.map(str::to_owned),
        },
    };
    Ok((envelope, Cow::Borrowed(data.get().as_bytes())))
}

fn known_version(version: &str) -> Result<(), Unreadable> {
    match version {
        SPECVERSION => Ok(()),
        other => Err(Unreadable::UnknownVersion(other.to_owned())),
    }
}

fn time(text: &str) -> Result<DateTime<Utc>, Unreadable> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|error| Unreadable::Malformed("ce_time", error.to_string()))
}

fn header<'a>(record: &RawRecord<'a>, name: &str) -> Option<&'a [u8]> {
    record.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value)
}

fn text<'a>(record: &RawRecord<'a>, name: &'static str) -> Result<Option<&'a str>, Unreadable> {
    header(record, name).map(|value| std::str::from_utf8(value).map_err(|_| Unreadable::NotText(name))).transpose()
}
