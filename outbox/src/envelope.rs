//! CloudEvents 1.0: written in binary mode; read in binary, structured and bare form.
//!
//! In binary mode (the Kafka protocol binding of CloudEvents) the value is the data and the attributes are headers with
//! the prefix `ce_`. In structured mode the value holds both. A bare value, without headers, is a request; it is accepted
//! only on a topic of requests, where anyone may publish with a console producer.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    ids::{Coordinates, EventId, Original},
    unquoted,
};

/// Maximum size in bytes of a value that is read. Our own events stay far below; larger ones become dead letters.
pub const MAX_VALUE_BYTES: usize = 256 * 1024;

/// The supported version of CloudEvents.
pub const SPECVERSION: &str = "1.0";

/// `ce_source` of a record that has none.
pub const CLIENTS: &str = "/clients";

/// Extension attribute with the [version](Envelope::version) of the data's schema.
const DATAVERSION: &str = "ce_dataversion";

const JSON: &str = "application/json";
const STRUCTURED: &str = "application/cloudevents+json";

/// Attributes of an event: everything but its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Id of the event; unique together with its source.
    pub id: EventId,
    /// Event type: `RoomHeld`.
    pub event_type: String,
    /// Version of the data's schema, from 1 to `i32::MAX`; 1 if the publisher states none. Requests have no versions: on a
    /// topic of requests the attribute is ignored, since a client may mean anything by it.
    pub version: u32,
    /// Publisher, as a path: `/services/hotel`.
    pub source: String,
    /// Subject, the saga's id, if the publisher states it.
    pub subject: Option<String>,
    /// Time of the event, if the publisher states it.
    pub time: Option<DateTime<Utc>>,
    /// Event that caused this one.
    pub causation_id: Option<EventId>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

/// A Kafka record, borrowed from any client.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    /// Original position of the record.
    pub at: Coordinates<'a>,
    /// Original timestamp of the record, milliseconds since 1970; 0 if it has none.
    pub timestamp_ms: u64,
    /// Header names and values, in order.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Bytes of the value; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
}

impl<'a> RawRecord<'a> {
    /// The source of derived ids.
    pub fn original(&self) -> Original<'a> {
        Original { at: self.at, timestamp_ms: self.timestamp_ms, value: self.value }
    }
}

/// Reason why a record cannot be read as an event. Such a record becomes a dead letter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each means")]
pub enum Unreadable {
    #[error("the value is null: a tombstone is not an event")]
    Null,
    #[error("the value has {0} bytes; at most {MAX_VALUE_BYTES} are read")]
    TooLarge(usize),
    // What was sent is told by none of these: it may name a person.
    #[error("the CloudEvents version is another one; only \"{SPECVERSION}\" is understood")]
    UnknownVersion(String),
    #[error("the attribute {0} is missing; only a request, on a topic of requests, may omit it")]
    MissingAttribute(&'static str),
    #[error("the attribute {0} is not UTF-8 text")]
    NotText(&'static str),
    #[error("the attribute {0} is malformed: {1}")]
    Malformed(&'static str, String),
    #[error("the content type is another one; {JSON} and {STRUCTURED} are understood")]
    ContentType(String),
    #[error("the value is not a structured CloudEvent: {0}")]
    NotStructured(String),
    #[error("the data is not a {event_type}: {error}")]
    Data { event_type: String, error: String },
    /// The reader is older than the event: a newer reader can read it.
    #[error("the {event_type} has version {version}; this program reads versions up to {reads}")]
    Newer { event_type: String, version: u32, reads: u32 },
}

impl Envelope {
    /// Headers of binary mode.
    pub fn to_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("ce_specversion", SPECVERSION.to_owned()),
            ("ce_id", self.id.to_string()),
            ("ce_type", self.event_type.clone()),
            ("ce_source", self.source.clone()),
            (DATAVERSION, self.version.to_string()),
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

/// Splits a record into envelope and data. The data is not parsed yet, so that irrelevant events cost nothing. `bare` is
/// the type of a record without headers, on a topic that accepts them; there no attribute is required, and missing ones
/// are derived, the same on every delivery.
pub fn read<'a>(record: &RawRecord<'a>, bare: Option<&str>) -> Result<(Envelope, Cow<'a, [u8]>), Unreadable> {
    let value = record.value.ok_or(Unreadable::Null)?;
    if value.len() > MAX_VALUE_BYTES {
        return Err(Unreadable::TooLarge(value.len()));
    }
    let content_type = text(record, "content-type")?.unwrap_or(JSON);
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    match media_type {
        _ if media_type.eq_ignore_ascii_case(STRUCTURED) => read_structured(record, value, bare.is_some()),
        _ if media_type.eq_ignore_ascii_case(JSON) => Ok((read_headers(record, bare)?, Cow::Borrowed(value))),
        other => Err(Unreadable::ContentType(other.to_owned())),
    }
}

/// Parses the data as the type that its envelope names.
pub fn read_data<T: serde::de::DeserializeOwned>(event_type: &str, data: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(data)
        .map_err(|error| Unreadable::Data { event_type: event_type.to_owned(), error: unquoted(&error) })
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
        version: if bare.is_some() { 1 } else { version(text(record, DATAVERSION)?)? },
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
    dataversion: Option<serde_json::Value>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

fn read_structured<'a>(
    record: &RawRecord<'a>,
    value: &'a [u8],
    is_request: bool,
) -> Result<(Envelope, Cow<'a, [u8]>), Unreadable> {
    let event: Structured<'a> =
        serde_json::from_slice(value).map_err(|error| Unreadable::NotStructured(unquoted(&error)))?;
    known_version(&event.specversion)?;
    let data = event.data.ok_or_else(|| Unreadable::NotStructured("it has no `data`".to_owned()))?;
    // An Integer is a JSON number, but its canonical form as text will do.
    let stated = event.dataversion.filter(|_| !is_request).map(|stated| match stated {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    });
    let envelope = Envelope {
        id: EventId::from_foreign(&event.source, &event.id),
        event_type: event.event_type,
        version: version(stated.as_deref())?,
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

/// Version of the data, an Integer of CloudEvents; 1 if none is stated.
fn version(stated: Option<&str>) -> Result<u32, Unreadable> {
    let Some(text) = stated else { return Ok(1) };
    let number = Some(text)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<i32>().ok());
    let version = number.and_then(|number| u32::try_from(number).ok()).filter(|version| *version > 0);
    version.ok_or_else(|| Unreadable::Malformed(DATAVERSION, format!("it is no version from 1 to {}", i32::MAX)))
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
