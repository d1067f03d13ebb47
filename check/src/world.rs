//! The state of everything, and what laws see of it.

use std::{cell::Cell, collections::BTreeSet};

use saga::{SagaId, Service, table::End};

use crate::universe::Universe;

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

/// A state: numbers of each service's rows and of each saga's state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct World {
    numbers: Box<[u32]>,
    services: u32,
}

impl World {
    /// Each service with its first rows, and sagas of which nobody has heard.
    pub(crate) fn first(services: usize, sagas: usize, nobody: u32) -> Self {
        let numbers = std::iter::repeat_n(0, services).chain(std::iter::repeat_n(nobody, sagas)).collect();
        World { numbers, services: u32::try_from(services).expect("a few services") }
    }

    pub(crate) fn of(rows: &[u32], sagas: &[u32]) -> Self {
        let services = u32::try_from(rows.len()).expect("a few services");
        World { numbers: rows.iter().chain(sagas).copied().collect(), services }
    }

    pub(crate) fn rows(&self, service: usize) -> u32 {
        self.numbers[service]
    }

    pub(crate) fn all_rows(&self) -> &[u32] {
        &self.numbers[..self.services as usize]
    }

    pub(crate) fn set_rows(&mut self, service: usize, rows: u32) {
        self.numbers[service] = rows;
    }

    pub(crate) fn sagas(&self) -> &[u32] {
        &self.numbers[self.services as usize..]
    }

    pub(crate) fn saga(&self, saga: usize) -> Option<u32> {
        self.sagas().get(saga).copied()
    }

    /// Sets the state of a saga; `unknown` is that of one of which nobody has heard, if this one is new.
    pub(crate) fn set_saga(&mut self, saga: usize, number: u32, unknown: Option<u32>) {
        let place = self.services as usize + saga;
        if let (true, Some(unknown)) = (place >= self.numbers.len(), unknown) {
            let mut numbers = self.numbers.to_vec();
            numbers.resize(place + 1, unknown);
            self.numbers = numbers.into();
        }
        self.numbers[place] = number;
    }
}

/// A state, as a law sees it.
pub struct View<'a> {
    pub(crate) universe: &'a Universe<'a>,
    pub(crate) world: &'a World,
    /// Services of whose rows the law has asked, by place: a bit for each. All, if it has asked what was said.
    pub(crate) asked: Cell<u64>,
}

impl<'a> View<'a> {
    pub(crate) fn new(universe: &'a Universe<'a>, world: &'a World) -> Self {
        View { universe, world, asked: Cell::new(0) }
    }

    /// The rows of a service.
    ///
    /// # Panics
    /// If the service is not among those checked.
    pub fn rows<S: Service>(&self) -> &S::Rows
    where
        S::Rows: 'static,
    {
        let mut players = self.universe.check.players.iter();
        let rows = players.position(|player| player.name() == S::NAME).and_then(|place| {
            self.asked.set(self.asked.get() | 1 << place.min(63));
            self.universe.rows(place, self.world.rows(place)).typed()
        });
        rows.unwrap_or_else(|| panic!("`{}` is not among the services that are checked", S::NAME))
    }

    /// Everything said so far, by saga and publisher, in order.
    pub fn said(&self) -> impl Iterator<Item = &Event> {
        self.asked.set(u64::MAX);
        self.numbers()
            .flat_map(|number| self.universe.between.get(number).said())
            .map(|event| self.universe.event(event))
    }

    /// Sagas about which anything was decided or said.
    pub fn sagas(&self) -> BTreeSet<SagaId> {
        self.asked.set(u64::MAX);
        let sagas = self.numbers().enumerate();
        let begun = sagas.filter(|(_, number)| self.universe.between.get(*number).has_begun());
        begun.map(|(saga, _)| self.universe.saga_id(saga)).collect()
    }

    /// Name of the service that said an event.
    pub fn publisher(&self, event: &Event) -> &'static str {
        self.universe.check.players[event.publisher].name()
    }

    fn numbers(&self) -> impl Iterator<Item = u32> {
        self.world.sagas().iter().copied()
    }
}
