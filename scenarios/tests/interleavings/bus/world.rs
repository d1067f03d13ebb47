//! All there is at one moment.

use events::{OrderId, Publisher};
use kit::says::Said;

use super::{
    cast::Cast,
    databases::Databases,
    outside::{Attempt, Gateway, Stage},
    shared::Shared,
    topic::{Topic, publisher},
};

/// One moment: what is written in every database, what lies on every topic, and what the outside knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) databases: Databases,
    pub(crate) sagas: Vec<Saga>,
    /// Something that must not happen has happened: nothing goes on after it.
    pub(crate) fault: Option<Shared<String>>,
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
    pub(crate) fn new(databases: Databases, requests: &[Said], cast: &Cast) -> Self {
        let saga = |request: &Said| {
            let mut saga = Saga {
                order_id: request.order_id,
                topics: Default::default(),
                attempts: Vec::new(),
                gateway: Gateway::default(),
            };
            saga.topic_mut(Publisher::Client).append(request, cast);
            saga
        };
        World { databases, sagas: requests.iter().map(saga).collect(), fault: None }
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

    /// Grows with every step that counts. So no run goes round in circles: each comes to an end.
    pub(crate) fn age(&self) -> usize {
        self.sagas
            .iter()
            .map(|saga| {
                let ended = saga.attempts.iter().filter(|attempt| attempt.stage == Stage::Ended).count();
                saga.topics.iter().map(Topic::age).sum::<usize>() + saga.attempts.len() + ended + saga.gateway.age()
            })
            .sum()
    }
}

impl Saga {
    pub(crate) fn topic(&self, of: Publisher) -> &Topic {
        &self.topics[of as usize]
    }

    pub(crate) fn topic_mut(&mut self, of: Publisher) -> &mut Topic {
        &mut self.topics[of as usize]
    }

    /// Puts an event on its publisher's topic.
    pub(crate) fn publish(&mut self, said: &Said, cast: &Cast) {
        self.topic_mut(publisher(said)).append(said, cast);
    }

    /// Everything that was said, publisher by publisher.
    pub(crate) fn said(&self) -> impl Iterator<Item = &Said> {
        self.topics.iter().flat_map(|topic| topic.said.iter().map(|said| &**said))
    }

    pub(crate) fn has(&self, event_type: &str) -> bool {
        self.said().any(|said| said.event_type == event_type)
    }
}
