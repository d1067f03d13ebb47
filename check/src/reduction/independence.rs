//! Inputs whose order changes nothing, and a few steps that stand for all that may be taken.

use std::{collections::{BTreeSet, HashMap}, rc::Rc};

use super::kinds::{Flow, Kinds};
use crate::{
    bus::Offer,
    universe::{Effect, Input, Universe},
    world::World,
};

/// Number of states of one service's rows that are tried for a proof. With more of them, all its inputs depend on each other.
const MOST_ROWS: usize = 50_000;

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
    pending: HashMap<(usize, u32), Kinds>,
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
            pending: HashMap::new(),
        }
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
        Independence { seen: Vec::new(), pending: HashMap::new(), ..self }
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
        let Some(kinds) = self.kinds_of(universe, &offers) else { return offers.to_vec() };
        let pending: Vec<Kinds> =
            (0..world.sagas().len()).map(|saga| self.pending(universe, world, saga)).collect();
        let begins: BTreeSet<(usize, usize)> =
            offers.iter().filter(|offer| offer.is_due).map(|offer| (offer.step.saga, offer.step.service)).collect();
        let mut best: Option<Vec<Offer>> = None;
        for begin in begins {
            let members = self.closure(universe, world, &pending, &offers, &kinds, begin);
            let chosen = offers.iter().filter(|offer| members[offer.step.saga] >> offer.step.service & 1 == 1);
            let chosen: Vec<Offer> = chosen.copied().collect();
            if best.as_ref().is_none_or(|best| chosen.len() < best.len()) {
                best = Some(chosen);
            }
            if best.as_ref().is_some_and(|best| best.len() == 1) {
                break;
            }
        }
        best.unwrap_or_else(|| offers.to_vec())
    }

    fn kinds_of(&mut self, universe: &Universe<'_>, offers: &[Offer]) -> Option<Vec<usize>> {
        let flow = self.flow.as_mut()?;
        offers.iter().map(|offer| flow.kind(universe, offer.step.service, offer.input)).collect()
    }

    /// Kinds of everything that waits for some service in a saga.
    fn pending(&mut self, universe: &Universe<'_>, world: &World, number: usize) -> Kinds {
        let Some(between) = world.saga(number) else { return 0 };
        if let Some(known) = self.pending.get(&(number, between)) {
            return *known;
        }
        let saga = universe.between.get(between).clone();
        let mut inputs: Vec<(usize, Input)> =
            universe.offers(number, &saga).iter().map(|offer| (offer.step.service, offer.input)).collect();
        for service in 0..saga.logs.len() {
            for publisher in 0..saga.logs.len() {
                let unread = saga.unread(universe, service, publisher);
                inputs.extend(unread.map(|(_, said)| (service, Input::Event(said.event))));
            }
            let aside = saga.aside.get(&service).into_iter().flatten();
            inputs.extend(aside.map(|said| (service, Input::Event(said.event))));
        }
        let Some(flow) = self.flow.as_mut() else { return 0 };
        let kinds = inputs.into_iter().filter_map(|(service, input)| flow.kind(universe, service, input));
        let kinds = kinds.fold(0, |set, kind| set | 1 << kind);
        self.pending.insert((number, between), kinds);
        kinds
    }

    /// Services of each saga (a bit for each) whose offered steps no other step can come between: all that may bring them
    /// something else to decide first, or that depends on what they decide.
    fn closure(
        &self,
        universe: &Universe<'_>,
        world: &World,
        pending: &[Kinds],
        offers: &[Offer],
        kinds: &[usize],
        begin: (usize, usize),
    ) -> Vec<u64> {
        let mut members = vec![0_u64; pending.len()];
        members[begin.0] |= 1 << begin.1;
        let Some(flow) = &self.flow else { return members };
        let everything: Vec<Kinds> = pending.iter().map(|pending| flow.future(*pending, 0)).collect();
        loop {
            let before = members.clone();
            for (saga, mask) in before.iter().enumerate().filter(|(_, mask)| **mask != 0) {
                members[saga] |= self.feeders(universe, world, saga, flow.future(pending[saga], *mask), *mask);
            }
            for (offer, kind) in offers.iter().zip(kinds) {
                if before[offer.step.saga] >> offer.step.service & 1 == 1 {
                    self.add_dependents(offer, *kind, &everything, &mut members);
                }
            }
            if members == before {
                return members;
            }
        }
    }

    /// Services that may say something to a member that has nothing unread of them, before any member decides anything.
    fn feeders(&self, universe: &Universe<'_>, world: &World, saga: usize, future: Kinds, members: u64) -> u64 {
        let Some(flow) = &self.flow else { return 0 };
        let Some(between) = world.saga(saga) else { return 0 };
        let between = universe.between.get(between);
        let players = &universe.check.players;
        let mut feeders = 0;
        for service in (0..players.len()).filter(|service| members >> service & 1 == 1) {
            for topic in flow.topics(future, service) {
                let Some(publisher) = players.iter().position(|player| player.topic() == topic) else { continue };
                if between.next(universe, service, publisher).is_none() {
                    feeders |= 1 << publisher;
                }
            }
        }
        feeders
    }

    fn add_dependents(&self, offer: &Offer, kind: usize, everything: &[Kinds], members: &mut [u64]) {
        let Some(flow) = &self.flow else { return };
        let service = offer.step.service;
        for (saga, future) in everything.iter().enumerate() {
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
    pub(crate) fn learn(&mut self, universe: &mut Universe<'_>) -> bool {
        if self.why_not.is_some() {
            return true;
        }
        if universe.crosses {
            self.why_not = Some("a decision about one saga says or asks for something about another: every order is tried");
            return false;
        }
        let mut holds = true;
        if !self.seen.iter().zip(self.laws.iter().chain(std::iter::repeat(&0))).all(|(seen, law)| seen & !law == 0) {
            self.laws.clone_from(&self.seen);
            holds = false;
        }
        for service in 0..self.names.len() {
            for (one, other) in self.dependent_inputs(universe, service) {
                let is_new = self.conflicts[one] >> other & 1 == 0;
                self.conflicts[one] |= 1 << other;
                self.conflicts[other] |= 1 << one;
                holds &= !is_new;
            }
        }
        holds
    }

    /// Kinds of inputs of different sagas that depend on each other for some rows that a service may have: all that any
    /// sequence of its inputs leads to.
    fn dependent_inputs(&mut self, universe: &mut Universe<'_>, service: usize) -> BTreeSet<(usize, usize)> {
        let Some(flow) = &mut self.flow else { return BTreeSet::new() };
        let inputs: Vec<(Input, usize, usize)> = universe.inputs(service).into_iter().filter_map(|input| {
            Some((input, universe.saga_of(service, input)?, flow.kind(universe, service, input)?))
        }).collect();
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

/// All rows that any sequence of these inputs leads to; `None` if they are too many.
fn reachable(universe: &mut Universe<'_>, service: usize, inputs: &[(Input, usize, usize)]) -> Option<Vec<u32>> {
    let mut all = vec![0];
    let mut known: BTreeSet<u32> = BTreeSet::from([0]);
    let mut at = 0;
    while let Some(rows) = all.get(at).copied() {
        at += 1;
        for (input, ..) in inputs {
            if let Ok(effect) = universe.outcome(service, rows, *input).as_ref()
                && known.insert(effect.rows)
            {
                all.push(effect.rows);
            }
        }
        if all.len() > MOST_ROWS {
            return None;
        }
    }
    Some(all)
}

/// Returns whether two inputs lead to the same in either order: the same decisions, and the same rows.
fn commute(universe: &mut Universe<'_>, service: usize, rows: u32, one: Input, other: Input) -> bool {
    let (first, second) = (universe.outcome(service, rows, one), universe.outcome(service, rows, other));
    match (first.as_ref(), second.as_ref()) {
        (Ok(first), Ok(second)) => {
            let second_then = universe.outcome(service, first.rows, other);
            let first_then = universe.outcome(service, second.rows, one);
            match (first_then.as_ref(), second_then.as_ref()) {
                (Ok(first_then), Ok(second_then)) => {
                    first_then.rows == second_then.rows && same(first, first_then) && same(second, second_then)
                }
                (Ok(_) | Err(_), _) => false,
            }
        }
        // What is wrong first is wrong second.
        (Err(_), Ok(second)) => universe.outcome(service, second.rows, one).is_err(),
        (Ok(first), Err(_)) => universe.outcome(service, first.rows, other).is_err(),
        (Err(_), Err(_)) => true,
    }
}

fn same(one: &Effect, other: &Effect) -> bool {
    let told = |effect: &Effect| (effect.saga, effect.says.clone(), effect.asks.clone(), effect.change);
    one.decision == other.decision && told(one) == told(other)
}
