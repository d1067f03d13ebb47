//! The complete state at one moment.

use std::collections::BTreeSet;

use events::{Order, OrderId, Publisher, publisher};
use saga::Said;

use super::{
    cast::Cast,
    change::Change,
    databases::Databases,
    outside::{Attempt, Gateway, Stage},
    reconcile::{Expected, Picture},
    shared::Shared,
    topic::{Event, Occasion, Topic, place_of},
};

/// One state: the rows in every database, the events on every topic, and the outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) databases: Databases,
    pub(crate) sagas: Vec<Shared<Saga>>,
    /// Changes that operators have made to the services' own data.
    pub(crate) changes: BTreeSet<Change>,
    /// A violation: nothing happens after it.
    pub(crate) fault: Option<String>,
}

/// One order's share of the state between the services.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Saga {
    pub(crate) order_id: OrderId,
    topics: [Topic; 8],
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) gateway: Gateway,
    /// Events set aside by services: the parked one and the order's later ones, in order of arrival.
    pub(crate) aside: Vec<Aside>,
    /// What reconcile has read so far.
    pub(crate) picture: Picture,
    pub(crate) spent: Spent,
}

/// An event that a service has read but not processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Aside {
    pub(crate) at: Publisher,
    pub(crate) from: Publisher,
    pub(crate) nth: usize,
    /// Waits for an operator, not only for events before it.
    pub(crate) parked: bool,
}

/// Number of disturbances so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Spent {
    pub(crate) parked: bool,
    pub(crate) call_parked: bool,
    pub(crate) lost: bool,
    /// True if reconcile has acted upon a torn picture.
    pub(crate) repaired: bool,
    /// Number of steps that leave no other trace: they make the order older.
    pub(crate) acts: u8,
}

impl World {
    /// The initial state, with these requests published.
    pub(crate) fn new(databases: Databases, requests: Vec<Said>, cast: &Cast) -> Self {
        let saga = |request: Said| {
            let mut saga = Saga {
                order_id: request.saga_id,
                topics: Default::default(),
                attempts: Vec::new(),
                gateway: Gateway::default(),
                aside: Vec::new(),
                picture: Picture::default(),
                spent: Spent::default(),
            };
            saga.topic_mut(publisher::CLIENT).append(Shared::new(Event::new(
                request,
                Occasion::Outside,
                Expected::new(),
                cast,
            )));
            Shared::new(saga)
        };
        let sagas = requests.into_iter().map(saga).collect();
        World { databases, sagas, changes: BTreeSet::new(), fault: None }
    }

    /// Tells whether any service has events left to read.
    pub(crate) fn has_unread(&self) -> bool {
        self.sagas.iter().any(|saga| saga.has_unread())
    }

    /// Tells whether no service has events left to read, no call is open, and no work waits for an operator.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.sagas.iter().all(|saga| saga.is_at_rest())
    }
}

impl Saga {
    pub(crate) fn topic(&self, of: Publisher) -> &Topic {
        &self.topics[place_of(of)]
    }

    pub(crate) fn topic_mut(&mut self, of: Publisher) -> &mut Topic {
        &mut self.topics[place_of(of)]
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        let ended = self.attempts.iter().all(|attempt| attempt.stage == Stage::Ended);
        ended && self.aside.is_empty() && !self.has_unread()
    }

    fn has_unread(&self) -> bool {
        self.topics.iter().any(|topic| publisher::SERVICES.iter().any(|&to| topic.next(to).is_some()))
    }

    /// All events, by publisher.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.topics.iter().flat_map(|topic| topic.events().iter().map(|event| &**event))
    }

    /// What was ordered: from the order service, or else from any event that contains it.
    pub(crate) fn facts(&self, databases: &Databases) -> Option<Order> {
        let known = databases.order.purchases.get(&self.order_id).map(|purchase| purchase.facts.clone());
        known.or_else(|| self.events().find_map(|event| event.content.order.clone()))
    }

    /// The types of all published events, by publisher, including operators'.
    pub(crate) fn said(&self) -> impl Iterator<Item = &'static str> {
        self.events().map(|event| event.said.event_type)
    }

    /// The types of all events published by the services themselves.
    pub(crate) fn said_by_services(&self) -> impl Iterator<Item = &'static str> {
        self.events().filter(|event| event.occasion != Occasion::Operator).map(|event| event.said.event_type)
    }

    /// The first event that a service has set aside.
    pub(crate) fn first_aside(&self, at: Publisher) -> Option<(usize, Aside)> {
        self.aside.iter().copied().enumerate().find(|(_, aside)| aside.at == at)
    }

    /// Increases with every step that counts. So no run is cyclic: each comes to an end.
    pub(crate) fn age(&self) -> usize {
        let ended = self.attempts.iter().filter(|attempt| attempt.stage == Stage::Ended).count();
        let acts = usize::from(self.spent.acts);
        self.topics.iter().map(Topic::age).sum::<usize>() + self.attempts.len() + ended + self.gateway.age() + acts
    }
}
