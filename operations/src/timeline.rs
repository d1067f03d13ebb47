//! One order's flow, as a person likes to read it: when, who, what, how long each hop took.

use chrono::{DateTime, Utc};
use events::EventId;
use owo_colors::{OwoColorize, Stream::Stdout};

use crate::{choreography::Choreography, heard::Heard};

/// How an event bears on the buyer: decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Forward,
    Refusal,
    Undoing,
    GoodEnd,
    BadEnd,
}

fn mood(event_type: &str) -> Mood {
    match event_type {
        "OrderCompleted" => Mood::GoodEnd,
        "OrderCancelled" | "OrderRejected" => Mood::BadEnd,
        "StockReleased" | "PaymentVoided" | "PaymentRefunded" | "BalanceReleased" | "BalanceRefunded"
        | "ShipmentCancelled" | "EntitlementRevoked" => Mood::Undoing,
        other
            if ["Rejected", "Declined", "Failed", "TimedOut", "CancelRequested"]
                .iter()
                .any(|end| other.ends_with(end)) =>
        {
            Mood::Refusal
        }
        _ => Mood::Forward,
    }
}

/// The heading over [`line`]s.
pub fn heading() -> String {
    format!("{:>9}  {:>8}  {:<12}  {:<22}  ", "time", "hop", "service", "event")
        .if_supports_color(Stdout, |text| text.dimmed())
        .to_string()
}

/// One event: time since `start`, how long after its cause, who, what, and its own fields.
pub fn line(event: &Heard, start: DateTime<Utc>, cause: Option<&Heard>) -> String {
    let hop = cause.map_or(String::new(), |cause| format!("+{}", milliseconds(event.at, cause.at)));
    let name = format!("{:<22}", event.event_type);
    let name = match mood(&event.event_type) {
        Mood::Forward => name,
        Mood::Refusal => name.if_supports_color(Stdout, |text| text.red()).to_string(),
        Mood::Undoing => name.if_supports_color(Stdout, |text| text.yellow()).to_string(),
        Mood::GoodEnd => name.if_supports_color(Stdout, |text| text.green()).to_string(),
        Mood::BadEnd => name.if_supports_color(Stdout, |text| text.magenta()).to_string(),
    };
    let line =
        format!("{:>9}  {hop:>8}  {:<12}  {name}  {}", milliseconds(event.at, start), event.publisher, event.details());
    line.trim_end().to_owned()
}

/// The whole flow, heading first.
pub fn lines(events: &[Heard]) -> Vec<String> {
    let Some(first) = events.first() else { return Vec::new() };
    let shown = events.iter().map(|event| line(event, first.at, cause_of(event, events)));
    std::iter::once(heading()).chain(shown).collect()
}

/// The event that caused this one, if it has been heard.
pub fn cause_of<'a>(event: &Heard, events: &'a [Heard]) -> Option<&'a Heard> {
    let cause: EventId = event.causation_id?;
    events.iter().find(|other| other.id == cause)
}

/// Tells whether the saga has ended: its last word, the mail, has been heard, and what the mail is about as well. Topics
/// are read beside each other, so an effect can be heard before its cause.
pub fn has_ended(events: &[Heard]) -> bool {
    events.iter().any(|event| event.event_type == "NotificationSent" && cause_of(event, events).is_some())
}

/// What is missing of a flow that has not ended: for each event that nothing has followed, who should have reacted.
pub fn missing(choreography: &Choreography, events: &[Heard]) -> Vec<String> {
    if has_ended(events) {
        return Vec::new();
    }
    let mut missing = Vec::new();
    for event in events {
        let followed = events.iter().any(|other| other.causation_id == Some(event.id));
        if followed {
            continue;
        }
        for (service, reaction) in choreography.follows(&event.event_type, &event.topic) {
            let already = events.iter().any(|other| reaction.may_say(&other.event_type));
            if !already && !reaction.says.is_empty() {
                let says = reaction.says.join(" or ");
                missing.push(format!("after {}: {service} should say {says}", event.event_type));
            }
        }
    }
    missing
}

fn milliseconds(later: DateTime<Utc>, earlier: DateTime<Utc>) -> String {
    let microseconds = (later - earlier).num_microseconds().unwrap_or(i64::MAX);
    format!("{:.1} ms", microseconds as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use events::OrderId;
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;

    fn heard(event_type: &str, cause: Option<&Heard>) -> Heard {
        Heard {
            id: EventId(Uuid::now_v7()),
            order_id: OrderId(Uuid::nil()),
            event_type: event_type.to_owned(),
            publisher: "order".to_owned(),
            topic: "order".to_owned(),
            partition: 0,
            offset: 0,
            at: DateTime::UNIX_EPOCH,
            causation_id: cause.map(|cause| cause.id),
            data: Value::Null,
        }
    }

    #[test]
    fn a_mail_is_an_end_once_its_cause_has_been_heard_too() {
        let completed = heard("OrderCompleted", None);
        let mail = heard("NotificationSent", Some(&completed));
        assert!(!has_ended(std::slice::from_ref(&completed)));
        assert!(!has_ended(std::slice::from_ref(&mail)), "the other topic has not been read so far yet");
        assert!(has_ended(&[mail, completed]), "in whichever order they are heard");
    }
}
