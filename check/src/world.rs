//! The state of everything, and what laws see of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use saga::{NewAttempt, SagaId, Service, table::End};

use crate::{Check, rows::Shared};

/// An event that was said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// The service that said it, by its place in the check.
    pub(crate) publisher: usize,
    /// Wire name.
    pub event_type: &'static str,
    /// Its saga.
    pub saga: SagaId,
    /// JSON.
    pub data: String,
    /// How the saga ends with it, if it does.
    pub end: Option<End>,
}

/// Key of one publisher's events about one saga, which are read in order.
pub(crate) type Log = (usize, SagaId);

/// A state.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Each service's rows.
    pub(crate) rows: Vec<Shared>,
    pub(crate) logs: BTreeMap<Log, Rc<Vec<Event>>>,
    /// Number of events that each service has read of each log; left out where it has read nothing.
    read: BTreeMap<(usize, Log), usize>,
    /// Number of times that each service has read each request.
    sent: BTreeMap<(usize, usize), u8>,
    /// Occasions that have come: service and place.
    come: BTreeSet<(usize, usize)>,
    /// Open calls, by the service that asks and their idempotency keys.
    pub(crate) calls: BTreeMap<(usize, String), Rc<NewAttempt>>,
    /// Sagas that something was decided about.
    begun: BTreeSet<SagaId>,
    /// All calls so far.
    asked: BTreeSet<(usize, String)>,
}

impl World {
    pub(crate) fn first(rows: &[Shared]) -> Self {
        World {
            rows: rows.to_vec(),
            logs: BTreeMap::new(),
            read: BTreeMap::new(),
            sent: BTreeMap::new(),
            come: BTreeSet::new(),
            calls: BTreeMap::new(),
            begun: BTreeSet::new(),
            asked: BTreeSet::new(),
        }
    }

    pub(crate) fn has_read(&self, service: usize, log: Log) -> usize {
        self.read.get(&(service, log)).copied().unwrap_or(0)
    }

    pub(crate) fn read(&mut self, service: usize, log: Log, through: usize) {
        self.read.insert((service, log), through);
    }

    pub(crate) fn sent(&self, service: usize, request: usize) -> u8 {
        self.sent.get(&(service, request)).copied().unwrap_or(0)
    }

    pub(crate) fn send(&mut self, service: usize, request: usize) {
        *self.sent.entry((service, request)).or_default() += 1;
    }

    pub(crate) fn has_come(&self, service: usize, occasion: usize) -> bool {
        self.come.contains(&(service, occasion))
    }

    pub(crate) fn come(&mut self, service: usize, occasion: usize) {
        self.come.insert((service, occasion));
    }

    pub(crate) fn append(&mut self, event: Event) {
        let log = self.logs.entry((event.publisher, event.saga)).or_default();
        Rc::make_mut(log).push(event);
    }

    pub(crate) fn begin(&mut self, saga: SagaId) {
        self.begun.insert(saga);
    }

    /// Opens a call, unless it was asked for before.
    pub(crate) fn ask(&mut self, service: usize, call: NewAttempt) {
        let key = (service, call.idempotency_key());
        if self.asked.insert(key.clone()) {
            self.calls.insert(key, Rc::new(call));
        }
    }
}

/// A state, as a law sees it.
pub struct View<'a> {
    pub(crate) check: &'a Check,
    pub(crate) world: &'a World,
}

impl View<'_> {
    /// The rows of a service.
    ///
    /// # Panics
    /// If the service is not among those checked.
    pub fn rows<S: Service>(&self) -> &S::Rows
    where
        S::Rows: 'static,
    {
        let place = self.check.players.iter().position(|player| player.name() == S::NAME);
        let rows = place.and_then(|place| self.world.rows[place].typed());
        rows.unwrap_or_else(|| panic!("`{}` is not among the services that are checked", S::NAME))
    }

    /// Everything said so far, by publisher and saga, in order.
    pub fn said(&self) -> impl Iterator<Item = &Event> {
        self.world.logs.values().flat_map(|log| log.iter())
    }

    /// Sagas about which anything was decided or said.
    pub fn sagas(&self) -> BTreeSet<SagaId> {
        self.said().map(|event| event.saga).chain(self.world.begun.iter().copied()).collect()
    }

    /// Name of the service that said an event.
    pub fn publisher(&self, event: &Event) -> &'static str {
        self.check.players[event.publisher].name()
    }
}
