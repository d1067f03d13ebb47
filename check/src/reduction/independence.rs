//! Inputs whose order changes nothing, and a few steps that stand for all that may be taken.

use std::{collections::BTreeSet, rc::Rc};

use rustc_hash::FxHashMap;

use super::{
    Symmetry,
    kinds::{Flow, Kinds},
    proof::{commute, reachable},
};
use crate::{
    laws,
    offers::Offer,
    universe::{Input, Universe},
    world::World,
};

/// What depends on what. Inputs of one saga in one service always do, those of different services never do, except where a
/// law looks at both. Inputs of different sagas in one service do unless proved otherwise.
pub(crate) struct Independence {
    flow: Option<Flow>,
    /// Kinds, in the same service, of inputs of other sagas that depend on each kind.
    conflicts: Vec<Kinds>,
    /// Services that each law of any state looks at: as assumed, and as seen in this search.
    laws: Vec<u64>,
    seen: Vec<u64>,
    why_not: Option<&'static str>,
    names: Vec<&'static str>,
    prospects: FxHashMap<(usize, u32), Rc<Prospect>>,
}

/// What may become of a saga in some state.
struct Prospect {
    /// Kinds of what is offered, in its order.
    kinds: Vec<usize>,
    /// Kinds of everything that waits for some service.
    pending: Kinds,
    /// Kinds of everything that may come of it.
    future: Kinds,
    /// Publishers of whose events each service has some to read: a bit for each.
    unread: Vec<u64>,
}

impl Independence {
    /// The assumption that no two inputs of different sagas depend on each other.
    pub(crate) fn assumed(universe: &Universe<'_>) -> Self {
        let players = &universe.check.players;
        let flow = Flow::of(universe.check).filter(|_| players.len() <= 64);
        Independence {
            conflicts: vec![0; flow.as_ref().map_or(0, Flow::len)],
            why_not: flow.is_none().then_some("more than 128 kinds of inputs or 64 services: every order is tried"),
            flow,
            laws: Vec::new(),
            seen: Vec::new(),
            names: players.iter().map(|player| player.name()).collect(),
            prospects: FxHashMap::default(),
        }
    }

    /// Takes what laws of several services look at in the first state for what they will look at.
    pub(crate) fn begin_with(&mut self, seen: &[u64]) {
        self.laws = seen.iter().map(|seen| if seen.count_ones() > 1 { *seen } else { 0 }).collect();
    }

    /// Notes which services the laws of any state have looked at.
    pub(crate) fn sees(&mut self, seen: &[u64]) {
        self.seen.resize(self.seen.len().max(seen.len()), 0);
        for (all, seen) in self.seen.iter_mut().zip(seen) {
            *all |= seen;
        }
    }

    /// For another search, with what was learnt.
    pub(crate) fn again(self) -> Self {
        Independence { seen: Vec::new(), prospects: FxHashMap::default(), ..self }
    }

    pub(crate) fn why_not(&self) -> Option<&'static str> {
        self.why_not
    }

    /// Kinds of inputs of different sagas that depend on each other.
    pub(crate) fn dependent(&self) -> Vec<(&'static str, String, String)> {
        let Some(flow) = &self.flow else { return Vec::new() };
        let pairs = (0..flow.len()).flat_map(|one| (one..flow.len()).map(move |other| (one, other)));
        let dependent = pairs.filter(|(one, other)| self.conflicts[*one] >> other & 1 == 1);
        dependent.map(|(one, other)| (self.names[flow.service(one)], flow.name(one), flow.name(other))).collect()
    }

    /// Steps that stand for all that are offered: a stubborn set, with at least one step that is due. At rest, all.
    pub(crate) fn chosen(&mut self, universe: &Universe<'_>, world: &World, offers: Rc<[Offer]>) -> Vec<Offer> {
        if self.why_not.is_some() || !offers.iter().any(|offer| offer.is_due) {
            return offers.to_vec();
        }
        let prospects: Option<Vec<Rc<Prospect>>> =
            (0..world.sagas().len()).map(|saga| self.prospect(universe, world, saga)).collect();
        let Some(prospects) = prospects else { return offers.to_vec() };
        let kinds: Vec<usize> = prospects.iter().flat_map(|prospect| prospect.kinds.iter().copied()).collect();
        let begins: BTreeSet<(usize, usize)> =
            offers.iter().filter(|offer| offer.is_due).map(|offer| (offer.step.saga, offer.step.service)).collect();
        let mut best: Option<(usize, Vec<u64>)> = None;
        for begin in begins {
            let members = self.closure(&prospects, &offers, &kinds, begin);
            let size = offers.iter().filter(|offer| is_member(&members, offer)).count();
            if best.as_ref().is_none_or(|(best, _)| size < *best) {
                best = Some((size, members));
            }
            if size == 1 {
                break;
            }
        }
        let Some((_, members)) = best else { return offers.to_vec() };
        offers.iter().filter(|offer| is_member(&members, offer)).copied().collect()
    }

    /// `None` if an input is of no known kind.
    fn prospect(&mut self, universe: &Universe<'_>, world: &World, number: usize) -> Option<Rc<Prospect>> {
        let between = world.saga(number)?;
        if let Some(known) = self.prospects.get(&(number, between)) {
            return Some(known.clone());
        }
        let flow = self.flow.as_mut()?;
        let saga = universe.between.get(between);
        let offers = universe.offers(number, saga);
        let kinds = offers.iter().map(|offer| flow.kind(universe, offer.step.service, offer.input));
        let kinds = kinds.collect::<Option<Vec<usize>>>()?;
        let mut pending = kinds.iter().fold(0, |set, kind| set | 1 << kind);
        let mut unread = vec![0_u64; saga.logs.len()];
        for (service, publishers) in unread.iter_mut().enumerate() {
            for publisher in 0..saga.logs.len() {
                for (_, said) in saga.unread(universe, service, publisher) {
                    *publishers |= 1 << publisher;
                    pending |= 1 << flow.kind(universe, service, Input::Event(said.event))?;
                }
            }
            for aside in saga.aside.get(&service).into_iter().flatten() {
                pending |= 1 << flow.kind(universe, service, aside.input)?;
            }
        }
        let prospect = Rc::new(Prospect { kinds, pending, future: flow.future(pending, 0), unread });
        self.prospects.insert((number, between), prospect.clone());
        Some(prospect)
    }

    /// Services of each saga (a bit for each) whose offered steps no other step can come between: all that may bring them
    /// something else to decide first, or that depends on what they decide.
    fn closure(
        &self,
        prospects: &[Rc<Prospect>],
        offers: &[Offer],
        kinds: &[usize],
        begin: (usize, usize),
    ) -> Vec<u64> {
        let mut members = vec![0_u64; prospects.len()];
        members[begin.0] |= 1 << begin.1;
        loop {
            let before = members.clone();
            for (saga, mask) in before.iter().enumerate().filter(|(_, mask)| **mask != 0) {
                members[saga] |= self.feeders(&prospects[saga], *mask);
            }
            for (offer, kind) in offers.iter().zip(kinds).filter(|(offer, _)| is_member(&before, offer)) {
                self.add_dependents(offer, *kind, prospects, &mut members);
            }
            if members == before {
                return members;
            }
        }
    }

    /// Services that may say something to a member that has nothing unread of them, before any member decides anything.
    fn feeders(&self, prospect: &Prospect, members: u64) -> u64 {
        let Some(flow) = &self.flow else { return 0 };
        let events = flow.events(flow.future(prospect.pending, members));
        let new = events.filter(|(service, publisher)| {
            members >> service & 1 == 1 && prospect.unread[*service] >> publisher & 1 == 0
        });
        new.fold(0, |feeders, (_, publisher)| feeders | 1 << publisher)
    }

    fn add_dependents(&self, offer: &Offer, kind: usize, prospects: &[Rc<Prospect>], members: &mut [u64]) {
        let Some(flow) = &self.flow else { return };
        let service = offer.step.service;
        for (saga, prospect) in prospects.iter().enumerate() {
            let future = prospect.future;
            if saga != offer.step.saga && future & self.conflicts[kind] != 0 {
                members[saga] |= 1 << service;
            }
            for law in self.laws.iter().filter(|law| *law >> service & 1 == 1) {
                for other in (0..self.names.len()).filter(|other| law >> other & 1 == 1) {
                    if future & flow.of_service(other) != 0 {
                        members[saga] |= 1 << other;
                    }
                }
            }
        }
    }

    /// Proves what was assumed in a search. Returns false if it was wrong: then it is assumed no more.
    pub(crate) fn learn(&mut self, universe: &mut Universe<'_>, symmetry: &Symmetry) -> bool {
        if self.why_not.is_some() {
            return true;
        }
        if universe.crosses {
            self.why_not =
                Some("a decision about one saga says or asks for something about another: every order is tried");
            return false;
        }
        let mut holds = true;
        self.prove_laws(universe, symmetry);
        self.laws.resize(self.laws.len().max(self.seen.len()), 0);
        for (law, seen) in self.laws.iter_mut().zip(&self.seen) {
            holds &= seen & !*law == 0;
            *law |= seen;
        }
        for service in 0..self.names.len() {
            for (one, other) in self.dependent_inputs(universe, symmetry, service) {
                let is_new = self.conflicts[one] >> other & 1 == 0;
                self.conflicts[one] |= 1 << other;
                self.conflicts[other] |= 1 << one;
                holds &= !is_new;
            }
        }
        holds
    }

    /// A law about one service that holds for all rows that any sequence of its inputs leads to needs no order of anything.
    fn prove_laws(&mut self, universe: &mut Universe<'_>, symmetry: &Symmetry) {
        for law in 0..self.seen.len() {
            if self.seen[law].count_ones() == 1 && self.laws.get(law).is_none_or(|looks_at| *looks_at == 0) {
                let service = self.seen[law].trailing_zeros() as usize;
                let inputs = self.inputs(universe, symmetry, service);
                if reachable(universe, service, &inputs).is_some_and(|rows| laws::holds(universe, law, service, &rows))
                {
                    self.seen[law] = 0;
                }
            }
        }
    }

    /// Everything that a service has decided upon, under all names that its sagas may have.
    fn inputs(
        &mut self,
        universe: &mut Universe<'_>,
        symmetry: &Symmetry,
        service: usize,
    ) -> Vec<(Input, usize, usize)> {
        let Some(flow) = &mut self.flow else { return Vec::new() };
        let inputs = symmetry.all_names(universe, service, &universe.inputs(service)).into_iter();
        let known = inputs
            .filter_map(|input| Some((input, universe.saga_of(service, input)?, flow.kind(universe, service, input)?)));
        known.collect()
    }

    /// Kinds of inputs of different sagas that depend on each other for some rows that a service may have: all that any
    /// sequence of its inputs leads to.
    fn dependent_inputs(
        &mut self,
        universe: &mut Universe<'_>,
        symmetry: &Symmetry,
        service: usize,
    ) -> BTreeSet<(usize, usize)> {
        let inputs = self.inputs(universe, symmetry, service);
        let all_pairs = || {
            let pairs = inputs.iter().flat_map(|one| inputs.iter().map(move |other| (one, other)));
            pairs.filter(|(one, other)| one.1 < other.1)
        };
        let Some(rows) = reachable(universe, service, &inputs) else {
            return all_pairs().map(|(one, other)| (one.2, other.2)).collect();
        };
        let mut dependent = BTreeSet::new();
        for rows in rows {
            for (one, other) in all_pairs() {
                let pair = (one.2, other.2);
                if !dependent.contains(&pair) && !commute(universe, service, rows, one.0, other.0) {
                    dependent.insert(pair);
                }
            }
        }
        dependent
    }
}

fn is_member(members: &[u64], offer: &Offer) -> bool {
    members[offer.step.saga] >> offer.step.service & 1 == 1
}
