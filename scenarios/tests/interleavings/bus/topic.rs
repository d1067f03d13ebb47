//! Exactly the guarantees of Kafka: every service reads one publisher's events about one order in order, at its own pace. Across
//! publishers nothing is guaranteed.

use std::hash::{Hash, Hasher};

use events::{Publisher, publisher};
use saga::Said;

use super::{cast::Cast, content::Content, reconcile::Expected, shared::Shared};

/// The index of a publisher, from 0.
pub(crate) fn place_of(publisher: Publisher) -> usize {
    publisher::all().position(|other| other == publisher).expect("a publisher of the shop")
}

/// One publisher's events about one order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Topic {
    events: Vec<Shared<Event>>,
    /// The position up to which each service has read: everything before it is in its inbox.
    read: [u8; 8],
}

/// A published event, and the services whose tables have a line for it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) said: Said,
    pub(crate) occasion: Occasion,
    /// The expected state of the order, for an operator's event to count in a service.
    expected: Expected,
    /// The parsed content.
    pub(crate) content: Content,
    hearers: Vec<Publisher>,
}

/// The occasion on which an event was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Occasion {
    /// Another event of the saga, by type.
    Event(&'static str),
    /// A request of a client or a buyer, a deadline, or an answer from outside.
    Outside,
    /// An operator, in place of the service.
    Operator,
}

impl Event {
    pub(crate) fn new(said: Said, occasion: Occasion, expected: Expected, cast: &Cast) -> Self {
        let services = publisher::SERVICES.iter().copied();
        let hearers = services.filter(|&service| cast.part(service).cares_for(&said)).collect();
        Event { content: Content::of(&said), said, occasion, expected, hearers }
    }

    /// Tells whether it counts in a service that has the order in this state.
    pub(super) fn counts(&self, service: Publisher, standing: Option<&str>) -> bool {
        let expected = self.expected.iter().find(|(of, _)| *of == service);
        expected.is_none_or(|(_, expected)| *expected == standing)
    }

    /// Tells whether an operator published it.
    pub(crate) fn is_an_operators(&self, said: &Said) -> bool {
        self.occasion == Occasion::Operator && self.said == *said
    }

    /// The publisher of its topic.
    pub(crate) fn publisher(&self) -> Publisher {
        publisher(&self.said)
    }
}

// Content and consumers follow from what was published.
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        (&self.said, self.occasion, &self.expected) == (&other.said, other.occasion, &other.expected)
    }
}

impl Eq for Event {}

impl Hash for Event {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.said, self.occasion, &self.expected).hash(state);
    }
}

impl Topic {
    pub(crate) fn events(&self) -> &[Shared<Event>] {
        &self.events
    }

    pub(crate) fn append(&mut self, event: Shared<Event>) {
        self.events.push(event);
        for &service in publisher::SERVICES {
            self.pass_over(service);
        }
    }

    /// The next event that the service has not read.
    pub(crate) fn next(&self, service: Publisher) -> Option<&Shared<Event>> {
        self.events.get(self.has_read(service))
    }

    /// The position of the next event that the service has not read.
    pub(crate) fn place(&self, service: Publisher) -> Option<usize> {
        self.next(service).map(|_| self.has_read(service))
    }

    pub(crate) fn advance(&mut self, service: Publisher) {
        self.read[place_of(service)] += 1;
        self.pass_over(service);
    }

    /// The positions of the events that the service has read.
    pub(crate) fn seen(&self, service: Publisher) -> impl Iterator<Item = usize> {
        (0..self.has_read(service)).filter(move |&nth| self.events[nth].hearers.contains(&service))
    }

    /// Increases with every event that is published or read.
    pub(crate) fn age(&self) -> usize {
        self.events.len() + self.read.iter().map(|&read| usize::from(read)).sum::<usize>()
    }

    fn has_read(&self, service: Publisher) -> usize {
        self.read[place_of(service)].into()
    }

    /// Irrelevant events are not delivered: that would only multiply equivalent worlds.
    fn pass_over(&mut self, service: Publisher) {
        while self.next(service).is_some_and(|event| !event.hearers.contains(&service)) {
            self.read[place_of(service)] += 1;
        }
    }
}

/// The publisher of an event.
pub(crate) fn publisher(said: &Said) -> Publisher {
    publisher::all().find(|publisher| publisher.name() == said.aggregatetype).expect("someone of the saga")
}
