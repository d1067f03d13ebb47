//! All there is at one moment.

use events::{OrderId, Publisher};
use kit::says::Said;

use super::{
    cast::Cast,
    databases::Databases,
    outside::{Attempt, Gateway, Stage},
    shared::Shared,
    topic::{Event, Topic},
};

/// One moment: what is written in every database, what lies on every topic, and what the outside knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) databases: Databases,
    pub(crate) sagas: Vec<Shared<Saga>>,
    /// Something that must not happen has happened: nothing goes on after it.
    pub(crate) fault: Option<String>,
}

/// One order's share of what lies between the services.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Saga {
    pub(crate) order_id: OrderId,
    topics: [Topic; 8],
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) gateway: Gateway,
}

impl World {
    /// Nothing has happened yet, but these requests have been published.
    pub(crate) fn new(databases: Databases, requests: Vec<Said>, cast: &Cast) -> Self {
        let saga = |request: Said| {
            let (order_id, topics) = (request.order_id, Default::default());
            let mut saga = Saga { order_id, topics, attempts: Vec::new(), gateway: Gateway::default() };
            saga.topic_mut(Publisher::Client).append(Event::new(request, cast));
            Shared::new(saga)
        };
        World { databases, sagas: requests.into_iter().map(saga).collect(), fault: None }
    }

    /// Somebody has something left to read.
    pub(crate) fn has_unread(&self) -> bool {
        let mut topics = self.sagas.iter().flat_map(|saga| &saga.topics);
        topics.any(|topic| Publisher::SERVICES.iter().any(|&to| topic.next(to).is_some()))
    }

    /// Nobody has anything left to read, and no call is open.
    pub(crate) fn is_at_rest(&self) -> bool {
        let mut attempts = self.sagas.iter().flat_map(|saga| &saga.attempts);
        !self.has_unread() && attempts.all(|attempt| attempt.stage == Stage::Ended)
    }
}

impl Saga {
    pub(crate) fn topic(&self, of: Publisher) -> &Topic {
        &self.topics[of as usize]
    }

    pub(crate) fn topic_mut(&mut self, of: Publisher) -> &mut Topic {
        &mut self.topics[of as usize]
    }

    /// The types of all that was said, publisher by publisher.
    pub(crate) fn said(&self) -> impl Iterator<Item = &'static str> {
        self.topics.iter().flat_map(|topic| topic.events().iter().map(|event| event.said.event_type))
    }

    /// Grows with every step that counts. So no run goes round in circles: each comes to an end.
    pub(crate) fn age(&self) -> usize {
        let ended = self.attempts.iter().filter(|attempt| attempt.stage == Stage::Ended).count();
        self.topics.iter().map(Topic::age).sum::<usize>() + self.attempts.len() + ended + self.gateway.age()
    }
}
