//! Takes one step: applies its changes, and yields the next state.

use std::{borrow::Cow, collections::BTreeSet};

use events::{OrderId, Publisher, publisher, request::ORDER_REQUESTED};
use notification::Mail;
use payment::lifecycle;
use saga::{NewAttempt, Said, Says, attempts::Answer};
use serde::Deserialize;

use super::{
    Bus,
    change::Change,
    databases::Databases,
    outside::{Attempt, MAIL, Stage},
    player::Heard,
    reconcile::Expected,
    shared::Shared,
    step::What,
    topic::{Event, Occasion},
    world::{Saga, World},
};

/// A step in progress. The order's saga is copied only if the step changes it.
pub(super) struct Turn<'a> {
    pub(super) bus: &'a Bus,
    pub(super) databases: Databases,
    pub(super) saga: Cow<'a, Saga>,
    changes: BTreeSet<Change>,
    at_rest: bool,
    pub(super) fault: Option<String>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(bus: &'a Bus, world: &'a World, order: usize) -> Self {
        Turn {
            bus,
            databases: world.databases.clone(),
            saga: Cow::Borrowed(&world.sagas[order]),
            changes: world.changes.clone(),
            at_rest: bus.may.repairs && world.is_at_rest(),
            fault: None,
        }
    }

    /// Returns None if the step is impossible.
    pub(super) fn take(&mut self, what: What) -> Option<()> {
        match what {
            What::Deliver { from, to } if self.saga.first_aside(to).is_some() => self.put_aside(from, to, false)?,
            What::Deliver { from, to } => {
                let event = self.saga.topic(from).next(to)?.clone();
                self.saga.to_mut().topic_mut(from).advance(to);
                self.hear(to, &event);
            }
            What::TakeUp { by } => self.take_up(by)?,
            What::Park { from, to } => self.put_aside(from, to, true)?,
            What::Retry { at } => self.retry(at)?,
            What::Lose { from, to } => self.lose(from, to)?,
            What::Resolve { at } => self.resolve(at)?,
            What::Look => self.look()?,
            What::Repair => self.repair(!self.at_rest)?,
            What::ParkCall { attempt } => self.park_call(attempt)?,
            What::RetryCall { attempt } => self.retry_call(attempt)?,
            What::AnswerCall { attempt } => self.settle_call(attempt, true)?,
            What::DropCall { attempt } => self.settle_call(attempt, false)?,
            What::Change(change) => {
                change.happen(&mut self.databases);
                self.changes.insert(change);
            }
            What::Provider(operation) => {
                let order = self.saga.order_id;
                self.saga.to_mut().gateway.act(order, operation)?;
            }
            What::RequestOther => {
                let other = self.bus.event(self.bus.may.other_request.as_ref()?, Occasion::Outside, Expected::new());
                self.hear(publisher::ORDER, &other);
            }
            What::Redeliver { from, to, nth } => {
                let event = self.saga.topic(from).events().get(nth).filter(|_| self.bus.forgetful)?.clone();
                self.hear(to, &event);
            }
            What::RequestAgain => {
                let requests = self.saga.topic(publisher::CLIENT);
                let request = requests.events().first().filter(|_| requests.next(publisher::ORDER).is_none())?.clone();
                self.hear(publisher::ORDER, &request);
            }
            What::Cancel => self.ask_order(order::Command::RequestCancel),
            What::TimeOut => self.ask_order(order::Command::TimeOut),
            What::Answer { attempt } => self.call(attempt)?,
            What::LoseAnswer { attempt } => {
                let wanted =
                    self.saga.attempts.get(attempt).filter(|attempt| attempt.wanted.kind != MAIL)?.wanted.clone();
                let _lost = self.carry_out(&wanted);
            }
            What::GiveUp { attempt } => {
                self.saga.attempts.get(attempt).filter(|open| open.stage == Stage::Open && open.wanted.gives_up)?;
                self.saga.to_mut().attempts[attempt].stage = Stage::Ended;
                self.tell_payment(lifecycle::Step::AuthorizeGaveUp);
            }
        }
        Some(())
    }

    /// The next state; None if nothing has changed.
    pub(super) fn end(self, world: &World, order: usize) -> Option<World> {
        let Turn { databases, saga, changes, mut fault, .. } = self;
        let saga = match saga {
            Cow::Owned(changed) => Shared::new(changed),
            Cow::Borrowed(_) => world.sagas[order].clone(),
        };
        let changed = changes != world.changes;
        if fault.is_none() && !changed && databases == world.databases && saga == world.sagas[order] {
            return None;
        }
        if saga.age() <= world.sagas[order].age() && !changed {
            fault.get_or_insert_with(|| "something has changed, although nothing new has happened".to_owned());
        }
        let mut sagas = world.sagas.clone();
        sagas[order] = saga;
        Some(World { databases, sagas, changes, fault })
    }

    pub(super) fn hear(&mut self, to: Publisher, event: &Shared<Event>) {
        let service = self.bus.cast.part(to);
        if !event.counts(to, service.standing(&self.databases, self.saga.order_id)) {
            return;
        }
        let heard = service.hear(&mut self.databases, event);
        self.say(&heard, Occasion::Event(event.said.event_type));
    }

    fn ask_order(&mut self, ask: fn(OrderId) -> order::Command) {
        let heard = self.bus.cast.order.ask(&mut self.databases, ask(self.saga.order_id));
        self.say(&heard, Occasion::Outside);
    }

    pub(super) fn tell_payment(&mut self, step: lifecycle::Step) {
        let command = payment::Command::answered(self.saga.order_id, step);
        let heard = self.bus.cast.payment.ask(&mut self.databases, command);
        self.say(&heard, Occasion::Outside);
    }

    /// Makes a call, and settles its attempt with the answer.
    fn call(&mut self, attempt: usize) -> Option<()> {
        let attempt = self.saga.attempts.get(attempt).map(|_| attempt)?;
        match self.saga.attempts[attempt].stage {
            Stage::Open => {}
            Stage::Ended if self.bus.forgetful => {}
            Stage::Ended | Stage::Parked => return None,
        }
        let wanted = self.saga.attempts[attempt].wanted.clone();
        if wanted.kind == MAIL {
            let mail = Mail::deserialize(&wanted.request).expect("a mail");
            self.saga.to_mut().attempts[attempt].stage = Stage::Ended;
            let noted = notification::Command::NoteSent { order: mail.order };
            let heard = self.bus.cast.notification.ask(&mut self.databases, noted);
            self.say(&heard, Occasion::Outside);
            return Some(());
        }
        match self.carry_out(&wanted) {
            Answer::Done(step) => {
                self.saga.to_mut().attempts[attempt].stage = Stage::Ended;
                self.tell_payment(step);
            }
            Answer::Transient(_) | Answer::NotCalled(_) => return None,
            Answer::NeedsPerson(_) if self.bus.may.calls_park => {
                self.saga.to_mut().attempts[attempt].stage = Stage::Parked;
            }
            Answer::NeedsPerson(why) => self.fault = Some(format!("{} needs a person: {why}", wanted.kind)),
        }
        Some(())
    }

    /// Has the gateway carry out a call.
    fn carry_out(&mut self, wanted: &Shared<NewAttempt>) -> Answer<lifecycle::Step> {
        let key = (self.saga.gateway.clone(), wanted.clone());
        let (gateway, answer) = self.bus.calls.recall(key, |(gateway, wanted)| {
            let mut gateway = gateway.clone();
            let answer = gateway.carry_out(wanted);
            (gateway, answer)
        });
        if gateway != self.saga.gateway {
            self.saga.to_mut().gateway = gateway;
        }
        answer
    }

    /// Publishes events on the topics, and records the requested calls, each only once.
    fn say(&mut self, heard: &Heard, occasion: Occasion) {
        let says = match &**heard {
            // The client's own mistake: another request under the same id.
            Ok(says) if says.refused.is_some() && occasion == Occasion::Event(ORDER_REQUESTED) => return,
            Ok(Says { refused: Some(why), .. }) => {
                self.fault = Some(format!("an event goes to the dead letters: {why}"));
                return;
            }
            Ok(says) => says,
            Err(why) => {
                self.fault = Some(why.clone());
                return;
            }
        };
        for said in &says.events {
            self.append(said, occasion, Expected::new());
        }
        for wanted in &says.attempts {
            if self.saga.attempts.iter().all(|attempt| attempt.wanted.kind != wanted.kind) {
                let open = Attempt { wanted: Shared::new(wanted.clone()), stage: Stage::Open };
                self.saga.to_mut().attempts.push(open);
            }
        }
    }

    pub(super) fn append(&mut self, said: &Said, occasion: Occasion, expected: Expected) {
        let event = self.bus.event(said, occasion, expected);
        self.saga.to_mut().topic_mut(event.publisher()).append(event);
    }
}
