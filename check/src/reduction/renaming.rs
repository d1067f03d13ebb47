//! One way to rename the sagas.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::{
    saga_state::{SagaState, Said},
    universe::{Call, Effect, Input, Universe},
    world::{Event, World},
};

/// A way to rename the sagas, and what everything else is then.
#[derive(Default)]
pub(super) struct Renaming {
    /// New place of each saga.
    pub(super) sagas: Vec<usize>,
    pub(super) requests: Vec<usize>,
    /// Each service's occasions.
    pub(super) occasions: Vec<Vec<usize>>,
    rows: FxHashMap<(usize, u32), u32>,
    between: FxHashMap<u32, u32>,
}

impl Renaming {
    /// The same, without anything that it has been used for.
    pub(super) fn again(&self) -> Renaming {
        let Renaming { sagas, requests, occasions, .. } = self;
        let (sagas, requests, occasions) = (sagas.clone(), requests.clone(), occasions.clone());
        Renaming { sagas, requests, occasions, ..Renaming::default() }
    }

    /// `None` if requests or occasions differ.
    pub(super) fn of(universe: &Universe<'_>, sagas: Vec<usize>) -> Option<Renaming> {
        let check = universe.check;
        let mut renaming = Renaming { sagas, ..Renaming::default() };
        for asked in &check.requests {
            let data = renaming.text(universe, &asked.data);
            let twin = check.requests.iter().enumerate().position(|(place, other)| {
                let is_free = !renaming.requests.contains(&place);
                is_free && (other.topic, other.event_type, &other.data) == (asked.topic, asked.event_type, &data)
            });
            renaming.requests.push(twin?);
        }
        for (service, player) in check.players.iter().enumerate() {
            let names = player.occasions();
            let at = |place: usize| (names[place], player.occasion(place).1, universe.occasions[service][place]);
            let mut twins: Vec<usize> = Vec::new();
            for place in 0..names.len() {
                let (name, time, saga) = at(place);
                let wanted = (name, time, renaming.sagas[saga]);
                twins.push((0..names.len()).find(|other| !twins.contains(other) && at(*other) == wanted)?);
            }
            renaming.occasions.push(twins);
        }
        Some(renaming)
    }

    fn saga(&self, saga: usize) -> usize {
        self.sagas.get(saga).copied().unwrap_or(saga)
    }

    /// A text with every saga's id renamed.
    fn text(&self, universe: &Universe<'_>, text: &str) -> String {
        let ids: Vec<String> = (0..self.sagas.len()).map(|saga| universe.saga_id(saga).to_string()).collect();
        let mut renamed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            match ids.iter().position(|id| rest.starts_with(id.as_str())) {
                Some(saga) => {
                    renamed.push_str(&ids[self.sagas[saga]]);
                    rest = &rest[ids[saga].len()..];
                }
                None => {
                    renamed.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        renamed
    }

    fn event(&self, universe: &mut Universe<'_>, event: u32) -> u32 {
        let Event { publisher, event_type, saga, data, end } = universe.event(event).clone();
        let number = universe.saga(saga);
        let (saga, data) = (universe.saga_id(self.saga(number)), self.text(universe, &data));
        universe.number_of(Event { publisher, event_type, saga, data, end })
    }

    pub(super) fn call(&self, universe: &mut Universe<'_>, call: u32) -> u32 {
        let Call { service, mut attempt } = universe.calls.get(call).clone();
        let number = universe.saga(attempt.saga_id);
        attempt.saga_id = universe.saga_id(self.saga(number));
        let request = self.text(universe, &attempt.request.to_string());
        attempt.request = serde_json::from_str(&request).unwrap_or_default();
        attempt.part = attempt.part.map(|part| self.text(universe, &part));
        universe.calls.number(Call { service, attempt })
    }

    pub(super) fn input(&self, universe: &mut Universe<'_>, service: usize, input: Input) -> Input {
        match input {
            Input::Request(request) => Input::Request(self.requests[request]),
            Input::Event(event) => Input::Event(self.event(universe, event)),
            Input::Occasion(occasion) => Input::Occasion(self.occasions[service][occasion]),
            Input::Answer { call, answer } => Input::Answer { call: self.call(universe, call), answer },
        }
    }

    /// Rows that come about as these did, with renamed sagas; `None` if there are none.
    fn rows(&mut self, universe: &mut Universe<'_>, service: usize, rows: u32) -> Option<u32> {
        if let Some(known) = self.rows.get(&(service, rows)) {
            return Some(*known);
        }
        // From the first rows on.
        let mut line = vec![rows];
        while let Some((before, _)) = universe.origin(service, line[line.len() - 1]) {
            line.push(before);
            if self.rows.contains_key(&(service, before)) {
                break;
            }
        }
        for rows in line.into_iter().rev() {
            let renamed = match universe.origin(service, rows) {
                None => rows,
                Some(_) if self.rows.contains_key(&(service, rows)) => self.rows[&(service, rows)],
                Some((before, input)) => {
                    let (before, input) = (self.rows[&(service, before)], self.input(universe, service, input));
                    universe.outcome(service, before, input).as_ref().as_ref().ok()?.rows
                }
            };
            self.rows.insert((service, rows), renamed);
        }
        self.rows.get(&(service, rows)).copied()
    }

    fn between(&mut self, universe: &mut Universe<'_>, number: u32) -> u32 {
        if let Some(known) = self.between.get(&number) {
            return *known;
        }
        let saga = Rc::clone(universe.between.get(number));
        let mut renamed = SagaState::clone(&saga);
        let mut rename = |said: &Said| Said { event: self.event(universe, said.event), past: said.past };
        renamed.logs = saga.logs.iter().map(|log| log.iter().map(&mut rename).collect()).collect();
        for (service, aside) in &mut renamed.aside {
            aside.iter_mut().for_each(|aside| aside.input = self.input(universe, *service, aside.input));
        }
        renamed.sent =
            saga.sent.iter().map(|((service, request), sent)| ((*service, self.requests[*request]), *sent)).collect();
        renamed.come =
            saga.come.iter().map(|(service, occasion)| (*service, self.occasions[*service][*occasion])).collect();
        renamed.come.sort_unstable();
        renamed.calls = saga.calls.iter().map(|(call, answer)| (self.call(universe, *call), *answer)).collect();
        let renamed = universe.between.number(Rc::new(renamed));
        self.between.insert(number, renamed);
        renamed
    }

    pub(super) fn world(&mut self, universe: &mut Universe<'_>, world: &World) -> Option<World> {
        let mut rows = Vec::with_capacity(world.all_rows().len());
        for (service, number) in world.all_rows().iter().enumerate() {
            rows.push(self.rows(universe, service, *number)?);
        }
        let mut sagas = world.sagas().to_vec();
        for (saga, number) in world.sagas().iter().enumerate() {
            sagas[self.saga(saga)] = self.between(universe, *number);
        }
        Some(World::of(&rows, &sagas))
    }

    /// Compares a decision with the same about renamed sagas; `None` if the latter is impossible.
    pub(super) fn decides_alike(
        &mut self,
        universe: &mut Universe<'_>,
        service: usize,
        rows: u32,
        input: Input,
    ) -> Option<bool> {
        let outcome = universe.outcome(service, rows, input);
        let (twin_rows, twin_input) = (self.rows(universe, service, rows)?, self.input(universe, service, input));
        let twin = universe.outcome(service, twin_rows, twin_input);
        let (Ok(effect), Ok(twin)) = (outcome.as_ref(), twin.as_ref()) else {
            return Some(outcome.is_err() == twin.is_err());
        };
        let renamed = Effect {
            decision: effect.decision.clone(),
            saga: self.saga(effect.saga),
            rows: self.rows(universe, service, effect.rows)?,
            says: effect.says.iter().map(|said| self.event(universe, *said)).collect(),
            asks: effect.asks.iter().map(|call| self.call(universe, *call)).collect(),
            change: effect.change,
            changes: effect.changes,
            number: twin.number,
        };
        Some(renamed == *twin)
    }

    pub(super) fn answers_alike(&self, universe: &mut Universe<'_>, call: u32) -> bool {
        let twin = self.call(universe, call);
        let answers = |call: u32| {
            let Call { service, attempt } = universe.calls.get(call);
            universe.check.players[*service].possible(attempt)
        };
        answers(call) == answers(twin)
    }
}
