//! Who says things, and on which topics.

use std::fmt;

/// A participant of the saga that publishes events of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Publisher {
    /// Whoever wants to buy something: a shop, a console, a test.
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

/// `ce_source` of a service's events.
pub fn source_of(service: &str) -> String {
    format!("/services/{service}")
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
}
