//! The shop's publishers.

use saga::publisher;
pub use saga::publisher::{
    Publisher, check_name, dead_letter_topic, is_operator, is_source_of, is_topic_of_events, service_of_topic,
    source_of, speaks_for, topic_of_aggregate,
};

use crate::request::ORDER_REQUESTED;

/// Buyers' programs: a shop, a console, a test.
pub const CLIENT: Publisher = Publisher::of_requests("client", "order.requests", ORDER_REQUESTED);
pub const ORDER: Publisher = publisher!("order");
pub const ACCOUNT: Publisher = publisher!("account");
pub const PAYMENT: Publisher = publisher!("payment");
pub const INVENTORY: Publisher = publisher!("inventory");
pub const SHIPPING: Publisher = publisher!("shipping");
pub const ENTITLEMENT: Publisher = publisher!("entitlement");
pub const NOTIFICATION: Publisher = publisher!("notification");

/// The services, in the order in which the saga first reaches them.
pub const SERVICES: &[Publisher] = &[ORDER, ACCOUNT, PAYMENT, INVENTORY, SHIPPING, ENTITLEMENT, NOTIFICATION];

/// All publishers, clients first.
pub fn all() -> impl Iterator<Item = Publisher> {
    std::iter::once(CLIENT).chain(SERVICES.iter().copied())
}

/// Publisher of a topic; `None` for a topic that is not the shop's.
pub fn of_topic(topic: &str) -> Option<Publisher> {
    all().find(|publisher| publisher.topic() == topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_is_its_publishers_and_believes_it_alone() {
        for service in SERVICES {
            assert_eq!((service.check(), of_topic(service.topic())), (Ok(()), Some(*service)));
            let source = source_of(service.name());
            let believed: Vec<&Publisher> = SERVICES.iter().filter(|other| other.believes(&source)).collect();
            assert_eq!(believed, [service]);
            assert!(CLIENT.believes(&source));
        }
    }
}
