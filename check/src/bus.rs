//! The bus: what may happen next, and what follows.

use std::rc::Rc;

use crate::{
    Check,
    laws::{self, DECIDED, IN_REVERSE, ONE_END, SAID_ONCE},
    progress::Past,
    saga_state::{Brought, Said, SagaState},
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

/// Number of times that a client may send a request.
const SENDS: u8 = 2;
/// Number of events of a saga that a service may park.
const PARKS: u8 = 1;

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

/// A step that may be taken, and what the service would decide upon; `None` if it would decide nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) step: Step,
    pub(crate) input: Input,
    /// True if it comes sooner or later. Deadlines do if they change anything.
    pub(crate) is_due: bool,
}

/// A law that a step has broken, and how.
pub(crate) type Fault = (&'static str, String);

impl Universe<'_> {
    /// Everything that may happen to a saga in this state.
    pub(crate) fn offers(&self, number: usize, saga: &SagaState) -> Vec<Offer> {
        let mut offers = Vec::new();
        for service in 0..self.check.players.len() {
            let mut offer = |what, input, is_due| {
                offers.push(Offer { step: Step { saga: number, service, what }, input, is_due });
            };
            for (request, about) in self.requested[service].iter().enumerate() {
                let sent = saga.sent(service, request);
                if *about == Some(number) && sent < SENDS {
                    offer(What::Request(request), Input::Request(request), sent == 0);
                }
            }
            for publisher in 0..saga.logs.len() {
                if let Some((_, said)) = saga.next(self, service, publisher) {
                    offer(What::Event { publisher }, Input::Event(said.event), true);
                    let parked = saga.parked.get(&service).copied().unwrap_or(0);
                    if self.check.parks && parked < PARKS && saga.first_aside(service).is_none() {
                        offer(What::Park { publisher }, Input::Event(said.event), false);
                    }
                }
                if self.check.forgetful {
                    for (place, said) in saga.seen(self, service, publisher) {
                        offer(What::Again { publisher, place }, Input::Event(said.event), false);
                    }
                }
            }
            if let Some(said) = saga.first_aside(service) {
                offer(What::Retry, Input::Event(said.event), true);
            }
            for (occasion, about) in self.occasions[service].iter().enumerate() {
                if *about == number && !saga.has_come(service, occasion) {
                    offer(What::Occasion(occasion), Input::Occasion(occasion), false);
                }
            }
        }
        for (call, answered) in &saga.calls {
            let Call { service, attempt } = self.calls.get(*call);
            for answer in 0..self.check.players[*service].possible(attempt).len() {
                if answered.is_none() || (self.check.forgetful && *answered == Some(answer)) {
                    let (what, input) =
                        (What::Answer { call: *call, answer }, Input::Answer { call: *call, answer });
                    let step = Step { saga: number, service: *service, what };
                    offers.push(Offer { step, input, is_due: answered.is_none() });
                }
            }
        }
        offers
    }

    /// True if an offered step has to come: it is due, or a deadline that changes something.
    pub(crate) fn is_owed(&mut self, world: &World, offer: &Offer) -> bool {
        let Step { service, what, .. } = offer.step;
        let is_deadline = matches!(what, What::Occasion(occasion) if self.check.players[service].is_deadline(occasion));
        offer.is_due
            || (is_deadline && {
                let rows = world.rows(service);
                let outcome = self.outcome(service, rows, offer.input);
                outcome.as_ref().as_ref().map_or(true, |effect| !effect.is_nothing(rows))
            })
    }

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
        if matches!(what, What::Occasion(_)) && effect.is_nothing(rows) {
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
        let brought = |said: Said| Some(Brought { input: Input::Event(said.event), past: said.past });
        let plain = |input| Some(Brought { input, past: Past::default() });
        Ok(match what {
            What::Request(request) => plain(Input::Request(request)),
            What::Event { publisher } | What::Park { publisher } => {
                let (_, said) = saga.next(self, service, publisher).ok_or_else(nothing)?;
                // Later events of a saga wait behind the one that is parked.
                let waits = matches!(what, What::Park { .. }) || saga.first_aside(service).is_some();
                if waits { None } else { brought(said) }
            }
            What::Again { publisher, place } => {
                let seen = saga.logs[publisher].get(place).filter(|_| place < saga.read[service][publisher]);
                brought(*seen.ok_or_else(nothing)?)
            }
            What::Retry => brought(saga.first_aside(service).ok_or_else(nothing)?),
            What::Occasion(occasion) => plain(Input::Occasion(occasion)),
            What::Answer { call, answer } => {
                saga.calls.get(&call).ok_or("no such call was asked for")?;
                plain(Input::Answer { call, answer })
            }
        })
    }

    /// A saga after the bus has brought a step.
    fn advanced(&self, saga: &SagaState, service: usize, what: What) -> SagaState {
        let mut after = saga.clone();
        match what {
            What::Request(request) => *after.sent.entry((service, request)).or_default() += 1,
            What::Event { publisher } | What::Park { publisher } => {
                let Some((place, said)) = saga.next(self, service, publisher) else { return after };
                after.read[service][publisher] = place + 1;
                let is_parked = matches!(what, What::Park { .. });
                if is_parked {
                    *after.parked.entry(service).or_default() += 1;
                }
                if is_parked || saga.first_aside(service).is_some() {
                    after.put_aside(service, said);
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
        saga.begun = true;
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
            // What was asked for before is one call.
            saga.calls.entry(*call).or_default();
            world = self.with(&world, of, saga);
        }
        Ok(world)
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

    fn out_of_order(&self, saga: usize, step: usize, earlier: u64) -> String {
        let named = |step: usize| laws::step_name(self.check, self.steps[step]);
        let earlier = (0..self.steps.len()).find(|other| earlier >> other & 1 == 1).map(named).unwrap_or_default();
        format!("{}: {} was taken after {earlier}, and is undone after it", self.saga_id(saga), named(step))
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

    /// A step in words.
    pub(crate) fn told(&mut self, world: &World, step: Step) -> String {
        let Step { saga: number, service, what } = step;
        let saga = self.between_of(world, number);
        let name = self.check.players[service].name();
        let again = if matches!(what, What::Again { .. }) { ", again" } else { "" };
        let input = match self.brought(&saga, service, what) {
            Ok(Some(brought)) => brought.input,
            Ok(None) => {
                let after = self.advanced(&saga, service, what);
                let set_aside = after.aside.get(&service).and_then(|aside| aside.last());
                let event = set_aside.map_or("nothing", |said| self.event(said.event).event_type);
                let why = if matches!(what, What::Park { .. }) { "parked" } else { "waits behind a parked event" };
                return format!("{event} → {name} ({why})");
            }
            Err(_) => return format!("nothing → {name}"),
        };
        let on = match input {
            Input::Request(request) => self.check.requests[request].event_type.to_owned(),
            Input::Event(event) => format!("{}{again}", self.event(event).event_type),
            Input::Occasion(occasion) => self.check.players[service].occasions()[occasion].to_owned(),
            Input::Answer { call, .. } => format!("the answer to {}", self.calls.get(call).attempt.kind),
        };
        let outcome = self.outcome(service, world.rows(service), input);
        let Ok(effect) = outcome.as_ref() else { return format!("{on} → {name}") };
        let said: Vec<&str> = effect.says.iter().map(|said| self.event(*said).event_type).collect();
        let said = if said.is_empty() { String::new() } else { format!(" → {}", said.join(", ")) };
        format!("{on} → {name} ({}){said}", effect.decision)
    }
}

impl Check {
    /// The world before anything has happened.
    pub(crate) fn first_world(&self, universe: &mut Universe<'_>) -> World {
        let nobody = universe.between.number(Rc::new(SagaState::new(self.players.len(), universe.steps.len())));
        World::first(self.players.len(), universe.sagas(), nobody)
    }
}
