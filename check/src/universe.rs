//! Everything that exists in any run, by numbers: sagas, events, calls, rows and what decisions make of them. Each decision is
//! taken once for the same rows and the same input, and a state is a few numbers.

use std::{collections::BTreeSet, rc::Rc};

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};
use saga::{
    NewAttempt, SagaId,
    table::{Line, Trigger},
};

use crate::{
    Check, bus::Step, numbered::Numbered, offers::Offer, player::Decided, progress::Change, rows::Shared,
    saga_state::SagaState, world::Event,
};

/// What a service decides upon. Requests and occasions are those of the check, by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Input {
    Request(usize),
    Event(u32),
    Occasion(usize),
    Answer { call: u32, answer: usize },
}

/// What a decision has led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) decision: String,
    /// Number of the saga that was decided about.
    pub(crate) saga: usize,
    /// Number of the service's rows.
    pub(crate) rows: u32,
    /// Numbers of the events that are said, in order.
    pub(crate) says: Vec<u32>,
    /// Numbers of the calls that are asked for.
    pub(crate) asks: Vec<u32>,
    /// What it has done to which step.
    pub(crate) change: Option<(usize, Change)>,
    /// True if anything has become of the decision.
    pub(crate) changes: bool,
    /// The same for effects that differ in nothing but rows.
    pub(crate) number: u32,
}

/// Everything about an effect that matters between the services: saga, events, calls, step, and whether it changes anything.
type Told = (usize, Vec<u32>, Vec<u32>, Option<(usize, Change)>, bool);

/// A decision's effect, or what is wrong with it.
pub(crate) type Outcome = Rc<Result<Effect, String>>;

/// A call, and the service that asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) service: usize,
    pub(crate) attempt: NewAttempt,
}

/// All that has come up in a search.
pub(crate) struct Universe<'a> {
    pub(crate) check: &'a Check,
    sagas: Numbered<SagaId>,
    events: Numbered<Event>,
    pub(crate) calls: Numbered<Call>,
    /// Each service's rows. Those with which it begins have the number 0.
    rows: Vec<Numbered<Shared>>,
    /// How rows came about: from which, by what.
    origins: Vec<Vec<Option<(u32, Input)>>>,
    outcomes: Vec<FxHashMap<(u32, Input), Outcome>>,
    /// States of sagas between the services.
    pub(crate) between: Numbered<Rc<SagaState>>,
    /// Steps of all services that tables name: service and step.
    pub(crate) steps: Vec<(usize, Option<&'static str>)>,
    /// Each service's saga of each request, if it hears it; and the sagas of its occasions.
    pub(crate) requested: Vec<Vec<Option<usize>>>,
    pub(crate) occasions: Vec<Vec<usize>>,
    /// Services that hear an event, by its number.
    hearers: Vec<Vec<bool>>,
    /// Decisions that were taken in a search: service, rows and input.
    decisions: IndexSet<(usize, u32, Input), FxBuildHasher>,
    /// True once a decision about one saga said or asked for something about another.
    pub(crate) crosses: bool,
    pub(crate) known_offers: FxHashMap<(usize, u32), Rc<[Offer]>>,
    told: Numbered<Told>,
    /// What has become of a saga's state with a step that has this effect.
    pub(crate) followed: FxHashMap<(u32, Step, u32), u32>,
}

impl<'a> Universe<'a> {
    /// # Errors
    /// If a request cannot be read by a service that hears it.
    pub(crate) fn new(check: &'a Check) -> Result<Self, String> {
        let players = &check.players;
        let mut rows: Vec<Numbered<Shared>> = players.iter().map(|_| Numbered::new()).collect();
        for (rows, first) in rows.iter_mut().zip(&check.first) {
            rows.number(first.clone());
        }
        let mut steps = Vec::new();
        for (service, player) in players.iter().enumerate() {
            for line in player.lines() {
                let step = (service, line.decision.step);
                if line.decision.phase.is_some() && !steps.contains(&step) {
                    steps.push(step);
                }
            }
        }
        for player in players {
            one_phase_each(player.name(), &player.lines())?;
        }
        assert!(steps.len() <= 64, "{} steps: split the check, it takes at most 64", steps.len());
        let mut universe = Universe {
            check,
            sagas: Numbered::new(),
            events: Numbered::new(),
            calls: Numbered::new(),
            rows,
            origins: players.iter().map(|_| vec![None]).collect(),
            outcomes: players.iter().map(|_| FxHashMap::default()).collect(),
            between: Numbered::new(),
            steps,
            requested: Vec::new(),
            occasions: Vec::new(),
            hearers: Vec::new(),
            decisions: IndexSet::default(),
            crosses: false,
            known_offers: FxHashMap::default(),
            told: Numbered::new(),
            followed: FxHashMap::default(),
        };
        for player in players {
            let mut requested = Vec::new();
            for asked in &check.requests {
                requested.push(if player.hears(asked.event_type, asked.topic) {
                    let saga = player.saga_of(asked.event_type, asked.topic, &asked.data)?;
                    Some(universe.saga(saga))
                } else {
                    None
                });
            }
            universe.requested.push(requested);
            let occasions =
                (0..player.occasions().len()).map(|place| universe.saga(player.occasion(place).0)).collect();
            universe.occasions.push(occasions);
        }
        Ok(universe)
    }

    /// Number of a saga.
    pub(crate) fn saga(&mut self, saga: SagaId) -> usize {
        self.sagas.number(saga) as usize
    }

    pub(crate) fn saga_id(&self, saga: usize) -> SagaId {
        *self.sagas.get(u32::try_from(saga).expect("a saga's number"))
    }

    /// Number of sagas that have come up.
    pub(crate) fn sagas(&self) -> usize {
        self.sagas.len()
    }

    pub(crate) fn event(&self, number: u32) -> &Event {
        self.events.get(number)
    }

    pub(crate) fn number_of(&mut self, event: Event) -> u32 {
        let topic = self.check.players[event.publisher].topic();
        let number = self.events.number(event);
        if self.hearers.len() < self.events.len() {
            let event_type = self.events.get(number).event_type;
            self.hearers.push(self.check.players.iter().map(|player| player.hears(event_type, topic)).collect());
        }
        number
    }

    pub(crate) fn hears(&self, service: usize, event: u32) -> bool {
        self.hearers[event as usize][service]
    }

    pub(crate) fn rows(&self, service: usize, number: u32) -> &Shared {
        self.rows[service].get(number)
    }

    pub(crate) fn origin(&self, service: usize, rows: u32) -> Option<(u32, Input)> {
        self.origins[service][rows as usize]
    }

    /// Everything that a service has decided upon in a search.
    pub(crate) fn inputs(&self, service: usize) -> Vec<Input> {
        let of_service = self.decisions.iter().filter(|(of, ..)| *of == service);
        let inputs: BTreeSet<Input> = of_service.map(|(_, _, input)| *input).collect();
        inputs.into_iter().collect()
    }

    /// Decisions that were taken in a search: service, rows and input.
    pub(crate) fn decisions(&self) -> Vec<(usize, u32, Input)> {
        self.decisions.iter().copied().collect()
    }

    /// The decision on an input, in a search.
    pub(crate) fn decide(&mut self, service: usize, rows: u32, input: Input) -> Outcome {
        self.decisions.insert((service, rows, input));
        self.outcome(service, rows, input)
    }

    /// Number of the saga that an input is about.
    pub(crate) fn saga_of(&self, service: usize, input: Input) -> Option<usize> {
        match input {
            Input::Request(request) => self.requested[service][request],
            Input::Event(event) => self.sagas.find(&self.event(event).saga).map(|saga| saga as usize),
            Input::Occasion(occasion) => Some(self.occasions[service][occasion]),
            Input::Answer { call, .. } => {
                self.sagas.find(&self.calls.get(call).attempt.saga_id).map(|saga| saga as usize)
            }
        }
    }

    /// The decision on an input.
    pub(crate) fn outcome(&mut self, service: usize, rows: u32, input: Input) -> Outcome {
        if let Some(known) = self.outcomes[service].get(&(rows, input)) {
            return known.clone();
        }
        let outcome =
            Rc::new(self.decided(service, rows, input).map(|decided| self.effect(service, rows, input, decided)));
        self.outcomes[service].insert((rows, input), outcome.clone());
        outcome
    }

    fn decided(&self, service: usize, rows: u32, input: Input) -> Result<Decided, String> {
        let (player, rows) = (&self.check.players[service], self.rows(service, rows));
        match input {
            Input::Request(request) => {
                let asked = &self.check.requests[request];
                player.hear(rows, asked.event_type, asked.topic, &asked.data)
            }
            Input::Event(event) => {
                let event = self.event(event);
                player.hear(rows, event.event_type, self.check.players[event.publisher].topic(), &event.data)
            }
            Input::Occasion(occasion) => player.ask(rows, occasion),
            Input::Answer { call, answer } => player.answer(rows, &self.calls.get(call).attempt, answer),
        }
    }

    fn effect(&mut self, service: usize, before: u32, input: Input, decided: Decided) -> Effect {
        let Decided { decision, saga, rows, says, change } = decided;
        let rows = self.rows[service].number(rows);
        if self.origins[service].len() < self.rows[service].len() {
            self.origins[service].push(Some((before, input)));
        }
        let saga = self.saga(saga);
        let mut events = Vec::new();
        for said in says.events {
            self.saga(said.saga_id);
            let end = self.check.players[service].end(said.event_type);
            let (event_type, saga, data) = (said.event_type, said.saga_id, said.payload);
            events.push(self.number_of(Event { publisher: service, event_type, saga, data, end }));
        }
        let mut asks = Vec::new();
        for attempt in says.attempts {
            self.saga(attempt.saga_id);
            asks.push(self.calls.number(Call { service, attempt }));
        }
        let place = |step| self.steps.iter().position(|other| *other == (service, step));
        let change = change.and_then(|(step, change)| Some((place(step)?, change)));
        let changes = rows != before || !events.is_empty() || !asks.is_empty();
        let number = self.told.number((saga, events.clone(), asks.clone(), change, changes));
        Effect { decision, saga, rows, says: events, asks, change, changes, number }
    }
}

/// Checks that lines for the same occasion, among which nothing tells a decision's own, are in one phase.
fn one_phase_each(service: &str, lines: &[Line]) -> Result<(), String> {
    let occasions = lines.iter().filter(|line| matches!(line.trigger, Trigger::Occasion(_)));
    for line in occasions {
        let differs = |other: &&Line| other.trigger == line.trigger && other.decision.phase != line.decision.phase;
        if let (Some(other), Trigger::Occasion(occasion)) = (lines.iter().find(differs), line.trigger) {
            let (one, other) = (line.decision.name, other.decision.name);
            return Err(format!("`{service}` has `{one}` and `{other}` on {}, in different phases", occasion.text()));
        }
    }
    Ok(())
}
