//! One saga between the services: what was said about it, what each service has read, what is open.

use std::collections::BTreeMap;

use crate::{
    progress::{Past, Progress},
    universe::{Input, Universe},
};

/// An event on its topic, and what had happened before it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Said {
    pub(crate) event: u32,
    pub(crate) past: Past,
}

/// State of one saga, apart from rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SagaState {
    /// Each publisher's events, in order.
    pub(crate) logs: Vec<Vec<Said>>,
    /// Number of each publisher's events that each service has gone through: `read[service][publisher]`.
    pub(crate) read: Vec<Vec<usize>>,
    /// Number of times that each service has read each request.
    pub(crate) sent: BTreeMap<(usize, usize), u8>,
    /// Occasions that have come: service and place.
    pub(crate) come: Vec<(usize, usize)>,
    /// Calls by number, with their answers.
    pub(crate) calls: BTreeMap<u32, Option<usize>>,
    /// What a service has set aside: the first is parked, the others wait behind it.
    pub(crate) aside: BTreeMap<usize, Vec<Brought>>,
    /// Number of events that each service has parked.
    pub(crate) parked: BTreeMap<usize, u8>,
    /// True once anything was decided about it.
    pub(crate) begun: bool,
    /// What has become of the services' steps.
    pub(crate) steps: Vec<Progress>,
    /// What each service knows to have happened.
    pub(crate) knows: Vec<Past>,
}

impl SagaState {
    /// A saga of which nobody has heard.
    pub(crate) fn new(services: usize, steps: usize) -> Self {
        SagaState {
            logs: vec![Vec::new(); services],
            read: vec![vec![0; services]; services],
            sent: BTreeMap::new(),
            come: Vec::new(),
            calls: BTreeMap::new(),
            aside: BTreeMap::new(),
            parked: BTreeMap::new(),
            begun: false,
            steps: vec![Progress::default(); steps],
            knows: vec![Past::default(); services],
        }
    }

    /// True if anything was decided or said about it.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun || self.said().next().is_some()
    }

    /// The next event of a publisher that a service hears, and its place.
    pub(crate) fn next(&self, universe: &Universe<'_>, service: usize, publisher: usize) -> Option<(usize, Said)> {
        self.unread(universe, service, publisher).next()
    }

    /// All events of a publisher that a service hears and has not read.
    pub(crate) fn unread<'u>(
        &'u self,
        universe: &'u Universe<'_>,
        service: usize,
        publisher: usize,
    ) -> impl Iterator<Item = (usize, Said)> + 'u {
        let read = self.read[service][publisher];
        self.heard(universe, service, publisher).skip_while(move |(place, _)| *place < read)
    }

    /// Events of a publisher that a service has read.
    pub(crate) fn seen<'u>(
        &'u self,
        universe: &'u Universe<'_>,
        service: usize,
        publisher: usize,
    ) -> impl Iterator<Item = (usize, Said)> + 'u {
        let read = self.read[service][publisher];
        self.heard(universe, service, publisher).take_while(move |(place, _)| *place < read)
    }

    /// All events of a publisher that a service hears, with their places.
    fn heard<'u>(
        &'u self,
        universe: &'u Universe<'_>,
        service: usize,
        publisher: usize,
    ) -> impl Iterator<Item = (usize, Said)> + 'u {
        let events = self.logs[publisher].iter().copied().enumerate();
        events.filter(move |(_, said)| universe.hears(service, said.event))
    }

    pub(crate) fn sent(&self, service: usize, request: usize) -> u8 {
        self.sent.get(&(service, request)).copied().unwrap_or(0)
    }

    pub(crate) fn has_come(&self, service: usize, occasion: usize) -> bool {
        self.come.contains(&(service, occasion))
    }

    /// Notes that an occasion has come; in one order, so that equal states are equal.
    pub(crate) fn come(&mut self, service: usize, occasion: usize) {
        self.come.push((service, occasion));
        self.come.sort_unstable();
    }

    /// All events, by publisher, in order.
    pub(crate) fn said(&self) -> impl Iterator<Item = u32> {
        self.logs.iter().flatten().map(|said| said.event)
    }

    /// True if an event was said.
    pub(crate) fn has_said(&self, event: u32) -> bool {
        self.said().any(|said| said == event)
    }

    /// What a service has set aside first, if anything.
    pub(crate) fn first_aside(&self, service: usize) -> Option<Brought> {
        self.aside.get(&service).and_then(|aside| aside.first()).copied()
    }

    /// Takes away what a service has set aside first.
    pub(crate) fn take_first_aside(&mut self, service: usize) {
        let Some(aside) = self.aside.get_mut(&service) else { return };
        aside.remove(0);
        if aside.is_empty() {
            self.aside.remove(&service);
        }
    }

    pub(crate) fn put_aside(&mut self, service: usize, brought: Brought) {
        self.aside.entry(service).or_default().push(brought);
    }
}

/// An input that a step brings to a service, and what had happened before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Brought {
    pub(crate) input: Input,
    pub(crate) past: Past,
}

impl From<Said> for Brought {
    fn from(said: Said) -> Self {
        Brought { input: Input::Event(said.event), past: said.past }
    }
}

impl From<Input> for Brought {
    /// Something before which nothing has happened.
    fn from(input: Input) -> Self {
        Brought { input, past: Past::default() }
    }
}
