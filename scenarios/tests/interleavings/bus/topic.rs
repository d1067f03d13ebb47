//! What Kafka guarantees, and no more: what one publisher says about one order is read in that order, by every service at
//! its own pace. Between publishers nothing is guaranteed.

use events::Publisher;
use kit::says::Said;

use super::{cast::Cast, shared::Shared};

/// One publisher's events about one order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Topic {
    pub(crate) said: Vec<Shared<Said>>,
    /// How far each service has read: what lies before it is in its inbox.
    read: [u8; 8],
}

impl Topic {
    pub(crate) fn append(&mut self, said: &Said, cast: &Cast) {
        self.said.push(Shared::new(said.clone()));
        for &service in Publisher::SERVICES {
            self.pass_over(service, cast);
        }
    }

    /// The next event that the service has not seen.
    pub(crate) fn next(&self, service: Publisher) -> Option<&Shared<Said>> {
        self.said.get(self.has_read(service))
    }

    pub(crate) fn advance(&mut self, service: Publisher, cast: &Cast) {
        self.read[service as usize] += 1;
        self.pass_over(service, cast);
    }

    pub(crate) fn has_read(&self, service: Publisher) -> usize {
        self.read[service as usize].into()
    }

    /// Events of no concern are never delivered: that would only make more worlds of the same kind.
    fn pass_over(&mut self, service: Publisher, cast: &Cast) {
        while self.next(service).is_some_and(|said| !cast.part(service).cares_for(said)) {
            self.read[service as usize] += 1;
        }
    }

    /// Grows with every event that is said or read.
    pub(crate) fn age(&self) -> usize {
        self.said.len() + self.read.iter().map(|&read| usize::from(read)).sum::<usize>()
    }
}

/// Who has said it.
pub(crate) fn publisher(said: &Said) -> Publisher {
    Publisher::all().find(|publisher| publisher.name() == said.aggregatetype).expect("someone of the saga")
}
