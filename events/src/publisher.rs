//! The publishers of events, and their topics.

use std::fmt;

/// A participant of the saga that publishes events of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Publisher {
    /// A buyer's program: a shop, a console, a test.
    Client,
    Order,
    Account,
    Payment,
    Inventory,
    Shipping,
    Entitlement,
    Notification,
}

impl Publisher {
    /// The services, in the order in which the saga first reaches them.
    pub const SERVICES: &[Publisher] = &[
        Publisher::Order,
        Publisher::Account,
        Publisher::Payment,
        Publisher::Inventory,
        Publisher::Shipping,
        Publisher::Entitlement,
        Publisher::Notification,
    ];

    /// Everyone who publishes, clients first.
    pub fn all() -> impl Iterator<Item = Publisher> {
        std::iter::once(Publisher::Client).chain(Self::SERVICES.iter().copied())
    }

    /// The name: also `aggregatetype` in the outbox, from which the relay makes the topic.
    pub fn name(self) -> &'static str {
        match self {
            Publisher::Client => "client",
            Publisher::Order => "order",
            Publisher::Account => "account",
            Publisher::Payment => "payment",
            Publisher::Inventory => "inventory",
            Publisher::Shipping => "shipping",
            Publisher::Entitlement => "entitlement",
            Publisher::Notification => "notification",
        }
    }

    /// The publisher whose topic it is; none of another topic.
    pub fn of_topic(topic: &str) -> Option<Publisher> {
        Publisher::all().find(|publisher| publisher.topic() == topic)
    }

    /// The topic that carries all that this publisher says.
    pub fn topic(self) -> &'static str {
        match self {
            Publisher::Client => "order.requests",
            Publisher::Order => "order.events",
            Publisher::Account => "account.events",
            Publisher::Payment => "payment.events",
            Publisher::Inventory => "inventory.events",
            Publisher::Shipping => "shipping.events",
            Publisher::Entitlement => "entitlement.events",
            Publisher::Notification => "notification.events",
        }
    }

    /// Tells whether `source` is this service's own. Clients have no source of theirs.
    pub fn is_source(self, source: &str) -> bool {
        self != Publisher::Client && source.strip_prefix(SERVICES) == Some(self.name())
    }

    /// Tells whether a record of this `source` counts on this publisher's topic: a service's own and an operator's do, and
    /// anybody's among the requests.
    pub fn believes(self, source: &str) -> bool {
        self == Publisher::Client || self.is_source(source) || is_operator(source)
    }
}

impl fmt::Display for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The topic for an outbox row's `aggregatetype`, as Debezium's outbox event router would make it with
/// `route.topic.replacement=${routedByValue}.events`.
pub fn topic_of_aggregate(aggregatetype: &str) -> String {
    format!("{aggregatetype}.events")
}

const SERVICES: &str = "/services/";

/// `ce_source` of a service's events.
pub fn source_of(service: &str) -> String {
    format!("{SERVICES}{service}")
}

/// Tells whether `source` is an operator's: `/operators/` and a name.
pub fn is_operator(source: &str) -> bool {
    source.starts_with("/operators/")
}

/// Where records of `topic` go that nobody can read.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}-dlt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_topic_follows_from_its_name() {
        for service in Publisher::SERVICES {
            assert_eq!(service.topic(), topic_of_aggregate(service.name()));
        }
    }

    #[test]
    fn a_topic_believes_its_service_and_operators_and_that_of_requests_anybody() {
        for service in Publisher::SERVICES {
            let believed: Vec<&Publisher> =
                Publisher::SERVICES.iter().filter(|other| service.believes(&source_of(other.name()))).collect();
            assert_eq!(believed, [service]);
            assert!(service.believes("/operators/anna") && !service.believes("/clients") && !service.believes(""));
            assert!(Publisher::Client.believes(&source_of(service.name())) && !Publisher::Client.is_source("/clients"));
        }
    }
}
