//! One order's flow for people to read: time, service, event, duration of each hop.

use chrono::{DateTime, Utc};
use events::{
    EventId,
    publisher::{self, topic_of_aggregate},
};
use owo_colors::{OwoColorize, Stream::Stdout};

use crate::{choreography::Choreography, heard::Heard};

/// Meaning of an event for the buyer; decides its colour.
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

/// The heading of [`line`]s.
pub fn heading() -> String {
    format!("{:>9}  {:>8}  {:<12}  {:<22}  ", "time", "hop", "service", "event")
        .if_supports_color(Stdout, |text| text.dimmed())
        .to_string()
}

/// One event: time since `start`, time since its cause, publisher, type, and its own fields.
pub fn line(event: &Heard, start: DateTime<Utc>, cause: Option<&Heard>) -> String {
    let hop = cause.map_or(String::new(), |cause| format!("+{}", milliseconds(event.at, cause.at)));
    let name = format!("{:<22}", printable(&event.event_type));
    let name = match mood(&event.event_type) {
        Mood::Forward => name,
        Mood::Refusal => name.if_supports_color(Stdout, |text| text.red()).to_string(),
        Mood::Undoing => name.if_supports_color(Stdout, |text| text.yellow()).to_string(),
        Mood::GoodEnd => name.if_supports_color(Stdout, |text| text.green()).to_string(),
        Mood::BadEnd => name.if_supports_color(Stdout, |text| text.magenta()).to_string(),
    };
    let line = format!(
        "{:>9}  {hop:>8}  {:<12}  {name}  {}",
        milliseconds(event.at, start),
        printable(&event.publisher),
        printable(&event.details())
    );
    line.trim_end().to_owned()
}

/// The whole flow, starting with the heading.
pub fn lines(events: &[Heard]) -> Vec<String> {
    let Some(first) = events.first() else { return Vec::new() };
    let shown = events.iter().map(|event| line(event, first.at, cause_of(event, events)));
    std::iter::once(heading()).chain(shown).collect()
}

/// The event that caused this one, if it has been observed.
pub fn cause_of<'a>(event: &Heard, events: &'a [Heard]) -> Option<&'a Heard> {
    let cause: EventId = event.causation_id?;
    events.iter().find(|other| other.id == cause)
}

/// Only the notification service's own event counts: anybody can publish one of the same type.
fn is_mail(event: &Heard) -> bool {
    event.is_believed && event.event_type == "NotificationSent" && event.topic == publisher::NOTIFICATION.topic()
}

/// Tells whether a service of the shop, or a client, published it. Other publishers' events neither end the shop's flow nor hold
/// it open.
fn is_of_the_shop(event: &Heard) -> bool {
    event.is_believed && publisher::of_topic(&event.topic).is_some()
}

/// Tells whether the saga has ended: its last event, the mail, has been observed, and the event that the mail is about as well.
/// Topics are read independently, so an effect can be observed before its cause.
pub fn has_ended(events: &[Heard]) -> bool {
    let is_heard = |cause| events.iter().any(|other| other.id == cause && is_of_the_shop(other));
    events.iter().filter(|event| is_mail(event)).filter_map(|mail| mail.causation_id).any(is_heard)
}

/// What is missing in a flow: for each event without a successor, the services that should have reacted; also, even after the
/// end, what further services should have published.
pub fn missing(choreography: &Choreography, events: &[Heard]) -> Vec<String> {
    let ended = has_ended(events);
    let mut missing = Vec::new();
    for event in events.iter().filter(|event| event.is_believed) {
        let followed = events.iter().any(|other| other.causation_id == Some(event.id) && is_of_the_shop(other));
        for (service, reaction) in choreography.follows(&event.event_type, &event.topic) {
            // The shop's services are judged by the state of the flow; a further service has to publish its part whatever others
            // do.
            if Choreography::is_of_the_shop(service) && (ended || followed) {
                continue;
            }
            let own = topic_of_aggregate(service);
            let said = |other: &&Heard| other.is_believed && other.topic == own && reaction.may_say(&other.event_type);
            let already = events.iter().any(|other| said(&other));
            if !already && !reaction.says.is_empty() {
                let says = reaction.says.join(" or ");
                missing.push(format!("after {}: {service} should say {says}", event.event_type));
            }
        }
    }
    missing
}

/// The text without control characters: anybody can publish them.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
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
            is_believed: true,
            topic: if event_type == "NotificationSent" { "notification.events" } else { "order.events" }.to_owned(),
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

    #[test]
    fn only_the_notification_service_ends_a_flow() {
        let completed = heard("OrderCompleted", None);
        let forged = Heard { is_believed: false, ..heard("NotificationSent", Some(&completed)) };
        let elsewhere = Heard { topic: "evil.events".to_owned(), ..heard("NotificationSent", Some(&completed)) };
        assert!(!has_ended(&[completed, forged, elsewhere]));
    }

    #[test]
    fn what_would_do_something_to_a_terminal_is_shown_and_not_done() {
        let event = Heard { publisher: "a\u{1b}[2Jb".to_owned(), ..heard("x\ny", None) };
        let line = line(&event, event.at, None);
        assert!(!line.contains(['\u{1b}', '\n']) && line.contains("\\u{1b}[2Jb"), "{line}");
    }

    #[test]
    fn a_further_service_hides_nothing_that_the_shop_has_to_say() {
        let shop = Choreography::of_the_shop();
        let completed = heard("OrderCompleted", None);
        let before = missing(&shop, std::slice::from_ref(&completed));
        assert!(before.iter().any(|line| line.contains("notification should say NotificationSent")), "{before:?}");
        let points = Heard { topic: "loyalty.events".to_owned(), ..heard("PointsAwarded", Some(&completed)) };
        let forged = Heard { is_believed: false, ..heard("NotificationSent", Some(&completed)) };
        assert_eq!(missing(&shop, &[completed, points, forged]), before);
    }

    /// A foreign event with the id of the order's end arrives before that end.
    #[test]
    fn a_stranger_who_uses_an_events_id_keeps_no_flow_open() {
        let completed = heard("OrderCompleted", None);
        let mail = heard("NotificationSent", Some(&completed));
        let elsewhere = Heard { id: completed.id, topic: "evil.events".to_owned(), ..heard("OrderCompleted", None) };
        let unbelieved = Heard { id: completed.id, is_believed: false, ..heard("OrderCompleted", None) };
        assert!(has_ended(&[elsewhere.clone(), unbelieved.clone(), completed, mail.clone()]));
        assert!(!has_ended(&[elsewhere, unbelieved, mail]), "what the mail is about has not been heard");
    }
}
