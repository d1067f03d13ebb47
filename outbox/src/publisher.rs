//! Publishers of events, and the names of their topics.

use std::fmt;

use crate::prefix::LONGEST_PREFIX;

/// A publisher of events: a service, on the topic `<name>.events`, or clients, on a topic of requests.
///
/// Anyone can be a publisher; [`publisher!`](crate::publisher!) names one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Publisher {
    name: &'static str,
    topic: &'static str,
    /// Type of a record without headers, on a topic where anyone may publish.
    bare: Option<&'static str>,
}

/// The publisher with this name, a literal: `publisher!("hotel")` publishes on `hotel.events` as `/services/hotel`.
#[macro_export]
macro_rules! publisher {
    ($name:literal) => {
        $crate::Publisher::of_events($name, concat!($name, ".events"))
    };
}

/// Maximum length of a Kafka topic name, minus what precedes and follows a publisher's name.
const LONGEST_NAME: usize = 249 - LONGEST_PREFIX - EVENTS.len() - DEAD_LETTERS.len();
const EVENTS: &str = ".events";
const DEAD_LETTERS: &str = "-dlt";
const SERVICES: &str = "/services/";
const OPERATORS: &str = "/operators/";

impl Publisher {
    /// Used by [`publisher!`](crate::publisher!), which derives the topic from the name.
    #[doc(hidden)]
    pub const fn of_events(name: &'static str, topic: &'static str) -> Self {
        Publisher { name, topic, bare: None }
    }

    /// Clients that publish on a topic of requests, even with just a console producer: a record without headers is an
    /// event of the type `bare`.
    pub const fn of_requests(name: &'static str, topic: &'static str, bare: &'static str) -> Self {
        Publisher { name, topic, bare: Some(bare) }
    }

    /// Name of the publisher: also `aggregatetype` in the outbox, from which the relay derives the topic.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Topic of all events of this publisher.
    pub const fn topic(self) -> &'static str {
        self.topic
    }

    /// Type of a record without headers; `None` if the topic does not accept such records.
    pub const fn bare_type(self) -> Option<&'static str> {
        self.bare
    }

    /// Returns whether these are clients: anyone may publish on their topic.
    pub const fn is_anyone(self) -> bool {
        self.bare.is_some()
    }

    /// Returns whether `source` is this service's own. Clients have no source of their own.
    pub fn is_source(self, source: &str) -> bool {
        !self.is_anyone() && is_source_of(self.name, source)
    }

    /// Returns whether a record with this `source` is accepted on this publisher's topic: on a service's topic the
    /// service's own and an operator's, on a topic of requests any.
    pub fn believes(self, source: &str) -> bool {
        self.is_anyone() || speaks_for(self.name, source)
    }

    /// Checks the name and the topic.
    ///
    /// # Errors
    /// What Kafka or a reader of `ce_source` would reject, and what to choose instead.
    pub fn check(self) -> Result<(), String> {
        check_name(self.name)?;
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match self.bare {
            None if self.topic == topic_of_aggregate(self.name) => Ok(()),
            None => Err(format!(
                "the publisher `{}` publishes on `{}.events`, not on `{}`",
                self.name, self.name, self.topic
            )),
            Some("") => Err(format!("the requests on `{}` have no type: give them one", self.topic)),
            Some(_) if is_topic_of_events(self.topic) || is_dead_letter_topic(self.topic) => Err(format!(
                "`{}` is a topic on which only its service may publish: choose another topic for requests",
                self.topic
            )),
            Some(_) if !self.topic.bytes().all(is_legal) || !(1..=LONGEST_NAME).contains(&self.topic.len()) => {
                Err(format!(
                    "`{}` is not a valid topic: choose 1 to {LONGEST_NAME} of a-z, A-Z, 0-9, `.`, `_` and `-`",
                    self.topic
                ))
            }
            Some(_) => Ok(()),
        }
    }
}

/// Checks that a publisher's name makes a valid topic.
///
/// # Errors
/// What to choose instead.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_word) {
        return Ok(());
    }
    Err(format!(
        "a publisher named `{}` makes no topic: choose 1 to {LONGEST_NAME} of a-z, 0-9, `-` and `_`",
        name.chars().take(LONGEST_NAME).collect::<String>().escape_debug()
    ))
}

impl fmt::Display for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Topic for an outbox row's `aggregatetype`, as Debezium's outbox event router derives it with
/// `route.topic.replacement=${routedByValue}.events`.
pub fn topic_of_aggregate(aggregatetype: &str) -> String {
    format!("{aggregatetype}{EVENTS}")
}

/// The `ce_source` of a service's events.
pub fn source_of(service: &str) -> String {
    format!("{SERVICES}{service}")
}

/// Returns whether `source` is this service's own.
pub fn is_source_of(service: &str, source: &str) -> bool {
    source.strip_prefix(SERVICES) == Some(service)
}

/// Returns whether a record with this `source` is accepted on the service's topic: its own and an operator's are.
pub fn speaks_for(service: &str, source: &str) -> bool {
    is_source_of(service, source) || is_operator(source)
}

/// Returns whether `source` is an operator's: `/operators/` and a name.
pub fn is_operator(source: &str) -> bool {
    source.starts_with(OPERATORS)
}

/// Service that publishes on a topic, by the topic's name; `None` for a topic of requests.
pub fn service_of_topic(topic: &str) -> Option<&str> {
    topic.strip_suffix(EVENTS)
}

/// Topic for records of `topic` that cannot be read.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}{DEAD_LETTERS}")
}

/// Returns whether a topic holds dead letters, by its name.
pub fn is_dead_letter_topic(topic: &str) -> bool {
    topic.ends_with(DEAD_LETTERS)
}

/// Returns whether a topic belongs to a service, by its name.
pub fn is_topic_of_events(topic: &str) -> bool {
    service_of_topic(topic).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOTEL: Publisher = publisher!("hotel");
    const CAR: Publisher = publisher!("car");
    const CLIENTS: Publisher = Publisher::of_requests("client", "trip.requests", "TripRequested");

    #[test]
    fn a_services_topic_follows_from_its_name() {
        assert_eq!((HOTEL.name(), HOTEL.topic()), ("hotel", "hotel.events"));
        assert_eq!(HOTEL.topic(), topic_of_aggregate(HOTEL.name()));
    }

    #[test]
    fn a_topic_believes_its_service_and_operators_and_that_of_requests_anybody() {
        assert!(HOTEL.believes("/services/hotel") && HOTEL.believes("/operators/anna"));
        for stranger in ["/services/car", "/services/hotels", "/clients", "hotel", ""] {
            assert!(!HOTEL.believes(stranger), "{stranger}");
            assert!(CLIENTS.believes(stranger), "{stranger}");
        }
        assert!(!CLIENTS.is_source("/services/client"));
    }

    #[test]
    fn a_name_that_makes_no_topic_is_refused_with_what_to_choose() {
        assert_eq!([HOTEL, CAR, CLIENTS].map(Publisher::check), [Ok(()), Ok(()), Ok(())]);
        let long = "h".repeat(LONGEST_NAME + 1);
        for bad in ["", "Hotel", "ho tel", "ho/tel", "hôtel", "..", "hotel.events", &long] {
            let topic: &'static str = topic_of_aggregate(bad).leak();
            let error = Publisher::of_events(bad.to_owned().leak(), topic).check().expect_err("no topic");
            assert!(error.contains("choose"), "{error}");
        }
        for topic in ["hotel.events", "trip.requests-dlt", "", "trip requests"] {
            assert!(Publisher::of_requests("client", topic, "TripRequested").check().is_err(), "{topic}");
        }
        assert!(Publisher::of_requests("client", "trip.requests", "").check().is_err());
        let two_truths = Publisher::of_events("hotel", "car.events").check().expect_err("another's topic");
        assert!(two_truths.contains("hotel.events"), "{two_truths}");
    }
}
