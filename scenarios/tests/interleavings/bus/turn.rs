//! One step being taken: what changes, until it is the next moment.

use std::borrow::Cow;

use events::{OrderId, Publisher};
use kit::{Says, attempts::Answer};
use notification::Mail;
use payment::lifecycle;
use serde::Deserialize;

use super::{
    Bus,
    databases::Databases,
    outside::{Attempt, MAIL, Stage},
    shared::Shared,
    step::What,
    topic::Event,
    world::{Saga, World},
};

/// A step under way. The order's saga is copied only if the step changes it.
pub(super) struct Turn<'a> {
    bus: &'a Bus,
    databases: Databases,
    saga: Cow<'a, Saga>,
    fault: Option<String>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(bus: &'a Bus, world: &'a World, order: usize) -> Self {
        Turn { bus, databases: world.databases.clone(), saga: Cow::Borrowed(&world.sagas[order]), fault: None }
    }

    /// None if it is impossible.
    pub(super) fn take(&mut self, what: What) -> Option<()> {
        match what {
            What::Deliver { from, to } => {
                let event = self.saga.topic(from).next(to)?.clone();
                self.saga.to_mut().topic_mut(from).advance(to);
                self.hear(to, &event);
            }
            What::Redeliver { from, to, nth } => {
                let event = self.saga.topic(from).events().get(nth).filter(|_| self.bus.forgetful)?.clone();
                self.hear(to, &event);
            }
            What::RequestAgain => {
                let requests = self.saga.topic(Publisher::Client);
                let request = requests.events().first().filter(|_| requests.next(Publisher::Order).is_none())?.clone();
                self.hear(Publisher::Order, &request);
            }
            What::Cancel => self.ask_order(order::Command::RequestCancel),
            What::TimeOut => self.ask_order(order::Command::TimeOut),
            What::Answer { attempt } => self.call(attempt)?,
            What::LoseAnswer { attempt } => {
                let wanted =
                    self.saga.attempts.get(attempt).filter(|attempt| attempt.wanted.kind != MAIL)?.wanted.clone();
                let _lost = self.saga.to_mut().gateway.carry_out(&wanted);
            }
            What::GiveUp { attempt } => {
                self.saga.attempts.get(attempt).filter(|open| open.stage == Stage::Open && open.wanted.gives_up)?;
                self.saga.to_mut().attempts[attempt].stage = Stage::Ended;
                self.tell_payment(lifecycle::Step::AuthorizeGaveUp);
            }
        }
        Some(())
    }

    /// The next moment; none if nothing has changed.
    pub(super) fn end(self, world: &World, order: usize) -> Option<World> {
        let Turn { databases, saga, mut fault, .. } = self;
        let saga = match saga {
            Cow::Owned(changed) => Shared::new(changed),
            Cow::Borrowed(_) => world.sagas[order].clone(),
        };
        if fault.is_none() && databases == world.databases && saga == world.sagas[order] {
            return None;
        }
        if saga.age() <= world.sagas[order].age() {
            fault.get_or_insert_with(|| "something has changed, although nothing new has happened".to_owned());
        }
        let mut sagas = world.sagas.clone();
        sagas[order] = saga;
        Some(World { databases, sagas, fault })
    }

    fn hear(&mut self, to: Publisher, event: &Shared<Event>) {
        match &*self.bus.cast.part(to).hear(&mut self.databases, event) {
            Ok(says) => self.say(says),
            Err(why) => self.fault = Some(why.clone()),
        }
    }

    fn ask_order(&mut self, ask: fn(OrderId) -> order::Command) {
        let says = self.bus.cast.order.decide(&mut self.databases, ask(self.saga.order_id));
        self.say(&says);
    }

    fn tell_payment(&mut self, step: lifecycle::Step) {
        let command = payment::Command::answered(self.saga.order_id, step);
        let says = self.bus.cast.payment.decide(&mut self.databases, command);
        self.say(&says);
    }

    /// Makes a call, and settles its attempt with the answer.
    fn call(&mut self, attempt: usize) -> Option<()> {
        let attempt = self.saga.attempts.get(attempt).map(|_| attempt)?;
        if self.saga.attempts[attempt].stage == Stage::Ended && !self.bus.forgetful {
            return None;
        }
        let Saga { attempts, gateway, .. } = self.saga.to_mut();
        let Attempt { wanted, stage } = &mut attempts[attempt];
        if wanted.kind == MAIL {
            let mail = Mail::deserialize(&wanted.request).expect("a mail");
            *stage = Stage::Ended;
            let noted = notification::Command::NoteSent { order: mail.order };
            let says = self.bus.cast.notification.decide(&mut self.databases, noted);
            self.say(&says);
            return Some(());
        }
        match gateway.carry_out(wanted) {
            Answer::Done(step) => {
                *stage = Stage::Ended;
                self.tell_payment(step);
            }
            Answer::Transient(_) | Answer::NotCalled(_) => return None,
            Answer::NeedsPerson(why) => self.fault = Some(format!("{} needs a person: {why}", wanted.kind)),
        }
        Some(())
    }

    /// Puts what was said on the topics, and notes the calls that were asked for: each only once.
    fn say(&mut self, says: &Says) {
        if let Some(why) = &says.refused {
            self.fault = Some(format!("an event goes to the dead letters: {why}"));
        }
        for said in &says.events {
            let event = Event::new(said.clone(), &self.bus.cast);
            self.saga.to_mut().topic_mut(event.publisher()).append(event);
        }
        for wanted in &says.attempts {
            if self.saga.attempts.iter().all(|attempt| attempt.wanted.kind != wanted.kind) {
                let open = Attempt { wanted: Shared::new(wanted.clone()), stage: Stage::Open };
                self.saga.to_mut().attempts.push(open);
            }
        }
    }
}
