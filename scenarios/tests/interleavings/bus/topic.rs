//! What Kafka guarantees, and no more: what one publisher says about one order is read in that order, by every service at
//! its own pace. Between publishers nothing is guaranteed.

use std::hash::{Hash, Hasher};

use events::{Publisher, publisher};
use saga::Said;

use super::{cast::Cast, content::Content, reconcile::Expected, shared::Shared};

/// The place of a publisher among all of them, from 0.
pub(crate) fn place_of(publisher: Publisher) -> usize {
    publisher::all().position(|other| other == publisher).expect("a publisher of the shop")
}

/// One publisher's events about one order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Topic {
    events: Vec<Shared<Event>>,
    /// The places up to which each service has read: what lies before them is in its inbox.
    read: [u8; 8],
}

/// Something that was said, and the services whose tables have a line for it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) said: Said,
    pub(crate) occasion: Occasion,
    /// How the order has to stand with a service, or what an operator says does not count there.
    expected: Expected,
    /// What is said, parsed.
    pub(crate) content: Content,
    hearers: Vec<Publisher>,
}

/// What an event was said upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Occasion {
    /// Another event of the saga, by its type.
    Event(&'static str),
    /// A request of a client or a buyer, a deadline, an answer from outside.
    Outside,
    /// An operator says it in the service's stead.
    Operator,
}

impl Event {
    pub(crate) fn new(said: Said, occasion: Occasion, expected: Expected, cast: &Cast) -> Self {
        let services = publisher::SERVICES.iter().copied();
        let hearers = services.filter(|&service| cast.part(service).cares_for(&said)).collect();
        Event { content: Content::of(&said), said, occasion, expected, hearers }
    }

    /// Tells whether it counts with a service where the order stands like this.
    pub(super) fn counts(&self, service: Publisher, standing: Option<&str>) -> bool {
        let expected = self.expected.iter().find(|(of, _)| *of == service);
        expected.is_none_or(|(_, expected)| *expected == standing)
    }

    /// Tells whether an operator has said this.
    pub(crate) fn is_an_operators(&self, said: &Said) -> bool {
        self.occasion == Occasion::Operator && self.said == *said
    }

    /// Whose topic it is on.
    pub(crate) fn publisher(&self) -> Publisher {
        publisher(&self.said)
    }
}

// Content and hearers follow from what was said.
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

    /// The next event that the service has not seen.
    pub(crate) fn next(&self, service: Publisher) -> Option<&Shared<Event>> {
        self.events.get(self.has_read(service))
    }

    /// The place of the next event that the service has not seen.
    pub(crate) fn place(&self, service: Publisher) -> Option<usize> {
        self.next(service).map(|_| self.has_read(service))
    }

    pub(crate) fn advance(&mut self, service: Publisher) {
        self.read[place_of(service)] += 1;
        self.pass_over(service);
    }

    /// What the service has seen, each with its place.
    pub(crate) fn seen(&self, service: Publisher) -> impl Iterator<Item = usize> {
        (0..self.has_read(service)).filter(move |&nth| self.events[nth].hearers.contains(&service))
    }

    /// Grows with every event that is said or read.
    pub(crate) fn age(&self) -> usize {
        self.events.len() + self.read.iter().map(|&read| usize::from(read)).sum::<usize>()
    }

    fn has_read(&self, service: Publisher) -> usize {
        self.read[place_of(service)].into()
    }

    /// Events of no concern are not delivered: that would only make more worlds of the same kind.
    fn pass_over(&mut self, service: Publisher) {
        while self.next(service).is_some_and(|event| !event.hearers.contains(&service)) {
            self.read[place_of(service)] += 1;
        }
    }
}

/// The service that has said it.
pub(crate) fn publisher(said: &Said) -> Publisher {
    publisher::all().find(|publisher| publisher.name() == said.aggregatetype).expect("someone of the saga")
}
