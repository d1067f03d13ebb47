//! The bus: what may happen next, and what follows.

use std::rc::Rc;

use crate::{
    Check,
    laws::{ASKED_ONCE, DECIDED, IN_REVERSE, ONE_END, SAID_ONCE},
    progress::Past,
    saga_state::{Brought, SagaState, Said},
    universe::{Call, Effect, Input, Universe},
    world::World,
};

/// A request of a client.
pub(crate) struct Request {
    pub(crate) topic: &'static str,
    pub(crate) event_type: &'static str,
    /// JSON.
    pub(crate) data: String,
}

/// Something that may happen, to one saga in one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Step {
    pub(crate) saga: usize,
    pub(crate) service: usize,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum What {
    /// It reads a client's request.
    Request(usize),
    /// It reads its next event of a publisher.
    Event { publisher: usize },
    /// It reads an earlier event again.
    Again { publisher: usize, place: usize },
    /// A person or a deadline asks for something.
    Occasion(usize),
    /// A call is answered.
    Answer { call: u32, answer: usize },
    /// It parks its next event of a publisher.
    Park { publisher: usize },
    /// What it has set aside first is decided.
    Retry,
}

/// A law that a step has broken, and how.
pub(crate) type Fault = (&'static str, String);

impl Universe<'_> {
    /// The world after a step.
    pub(crate) fn take(&mut self, world: &World, step: Step) -> Result<World, Fault> {
        let Step { saga: number, service, what } = step;
        let saga = self.between_of(world, number);
        let Some(Brought { input, past }) = self.brought(&saga, service, what).map_err(|why| (DECIDED, why))? else {
            let after = self.advanced(&saga, service, what);
            return Ok(self.with(world, number, after));
        };
        let rows = world.rows(service);
        let outcome = self.decide(service, rows, input);
        let effect = outcome.as_ref().as_ref().map_err(|why| (DECIDED, why.clone()))?;
        // A deadline or a person who comes too early comes again: nothing of it is left.
        if matches!(what, What::Occasion(_)) && !effect.changes {
            return Ok(world.clone());
        }
        let mut after = world.clone();
        after.set_rows(service, effect.rows);
        // What becomes of a saga follows from its own state, the step and what the decision says.
        let key = world.saga(number).map(|between| (between, step, effect.number));
        if let Some(known) = key.and_then(|key| self.followed.get(&key)) {
            after.set_saga(number, *known, None);
            return Ok(after);
        }
        let mut saga = self.advanced(&saga, service, what);
        saga.knows[service] = saga.knows[service].join(past);
        let after = self.with(&after, number, saga);
        let after = self.follow(after, service, number, effect)?;
        if let (Some(key), Some(saga), false) = (key, after.saga(number), self.crosses) {
            self.followed.insert(key, saga);
        }
        Ok(after)
    }

    /// What a step brings to a service; `None` if it decides nothing now.
    pub(crate) fn brought(&self, saga: &SagaState, service: usize, what: What) -> Result<Option<Brought>, String> {
        let nothing = || "nothing is left to read".to_owned();
        // Whatever comes later about a saga waits behind what is parked.
        let waits = saga.first_aside(service).is_some();
        Ok(match what {
            What::Request(_) | What::Event { .. } if waits => None,
            What::Request(request) => Some(Input::Request(request).into()),
            What::Event { publisher } => Some(saga.next(self, service, publisher).ok_or_else(nothing)?.1.into()),
            What::Park { .. } => None,
            What::Again { publisher, place } => {
                let seen = saga.logs[publisher].get(place).filter(|_| place < saga.read[service][publisher]);
                Some((*seen.ok_or_else(nothing)?).into())
            }
            What::Retry => Some(saga.first_aside(service).ok_or_else(nothing)?),
            What::Occasion(occasion) => Some(Input::Occasion(occasion).into()),
            What::Answer { call, answer } => {
                saga.calls.get(&call).ok_or("no such call was asked for")?;
                Some(Input::Answer { call, answer }.into())
            }
        })
    }

    /// A saga after the bus has brought a step.
    pub(crate) fn advanced(&self, saga: &SagaState, service: usize, what: What) -> SagaState {
        let mut after = saga.clone();
        let waits = saga.first_aside(service).is_some();
        match what {
            What::Request(request) => {
                *after.sent.entry((service, request)).or_default() += 1;
                if waits {
                    after.put_aside(service, Input::Request(request).into());
                }
            }
            What::Event { publisher } | What::Park { publisher } => {
                let Some((place, said)) = saga.next(self, service, publisher) else { return after };
                after.read[service][publisher] = place + 1;
                let is_parked = matches!(what, What::Park { .. });
                if is_parked {
                    *after.parked.entry(service).or_default() += 1;
                }
                if is_parked || waits {
                    after.put_aside(service, said.into());
                }
            }
            What::Again { .. } => {}
            What::Retry => after.take_first_aside(service),
            What::Occasion(occasion) => after.come(service, occasion),
            What::Answer { call, answer } => drop(after.calls.insert(call, Some(answer))),
        }
        after
    }

    /// Applies what a decision has led to.
    fn follow(&mut self, mut world: World, service: usize, number: usize, effect: &Effect) -> Result<World, Fault> {
        let mut saga = SagaState::clone(&self.between_of(&world, effect.saga));
        saga.begun |= effect.changes;
        self.crosses |= effect.saga != number;
        if let Some((step, change)) = effect.change {
            let out_of_order = saga.steps[step].change(change, saga.knows[service]);
            if out_of_order != 0 {
                return Err((IN_REVERSE, self.out_of_order(effect.saga, step, out_of_order)));
            }
            let is_taken = saga.steps[step].is_taken();
            let knows = &mut saga.knows[service];
            knows.taken |= u64::from(is_taken) << step;
            knows.undone |= u64::from(saga.steps[step].is_undone()) << step;
        }
        let past = saga.knows[service];
        world = self.with(&world, effect.saga, saga);
        for said in &effect.says {
            world = self.append(&world, number, *said, past)?;
        }
        for call in &effect.asks {
            let of = self.calls.get(*call).attempt.saga_id;
            let of = self.saga(of);
            self.crosses |= of != number;
            let mut saga = SagaState::clone(&self.between_of(&world, of));
            self.is_asked_once(&saga, *call)?;
            // What was asked for before is one call.
            saga.calls.entry(*call).or_default();
            world = self.with(&world, of, saga);
        }
        Ok(world)
    }

    /// Checks that a call with the same idempotency key is the same call: the other one would never be made.
    fn is_asked_once(&self, saga: &SagaState, call: u32) -> Result<(), Fault> {
        let Call { service, attempt } = self.calls.get(call);
        let key = attempt.idempotency_key();
        let is_another = |other: &u32| {
            let asked = self.calls.get(*other);
            *other != call && asked.service == *service && asked.attempt.idempotency_key() == key
        };
        if saga.calls.keys().any(is_another) {
            let name = self.check.players[*service].name();
            return Err((ASKED_ONCE, format!("`{name}` asks for {key} again, with another request")));
        }
        Ok(())
    }

    /// Puts an event on its topic.
    fn append(&mut self, world: &World, about: usize, event: u32, past: Past) -> Result<World, Fault> {
        let said = self.event(event).clone();
        let number = self.saga(said.saga);
        self.crosses |= number != about;
        let mut saga = SagaState::clone(&self.between_of(world, number));
        if saga.has_said(event) {
            let name = self.check.players[said.publisher].name();
            return Err((SAID_ONCE, format!("`{name}` says `{}` of {} again", said.event_type, said.saga)));
        }
        if said.end.is_some() && saga.said().any(|other| self.event(other).end.is_some()) {
            return Err((ONE_END, format!("{} ends again with `{}`", said.saga, said.event_type)));
        }
        saga.logs[said.publisher].push(Said { event, past });
        Ok(self.with(world, number, saga))
    }

    /// The state of a saga.
    pub(crate) fn between_of(&self, world: &World, saga: usize) -> Rc<SagaState> {
        match world.saga(saga) {
            Some(number) => self.between.get(number).clone(),
            None => Rc::new(SagaState::new(self.check.players.len(), self.steps.len())),
        }
    }

    fn with(&mut self, world: &World, number: usize, saga: SagaState) -> World {
        let mut after = world.clone();
        let nobody = || Rc::new(SagaState::new(self.check.players.len(), self.steps.len()));
        let unknown = if world.saga(number).is_none() { Some(nobody()) } else { None };
        let unknown = unknown.map(|nobody| self.between.number(nobody));
        after.set_saga(number, self.between.number(Rc::new(saga)), unknown);
        after
    }
}

impl Check {
    /// The world before anything has happened.
    pub(crate) fn first_world(&self, universe: &mut Universe<'_>) -> World {
        let nobody = universe.between.number(Rc::new(SagaState::new(self.players.len(), universe.steps.len())));
        World::first(self.players.len(), universe.sagas(), nobody)
    }
}
