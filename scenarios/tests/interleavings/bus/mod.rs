//! An in-memory bus on which all seven services run: their real tables, rows and decisions, without Kafka and without SQL.
//!
//! A [`World`] is one moment; a [`Step`] is something that can happen in it; [`Bus::take`] makes the next moment of both.
//! The bus knows no event by name: who hears what, and what it is told to do about it, comes from the services' tables.

mod cast;
mod databases;
mod outside;
mod player;
mod shared;
mod step;
mod topic;
mod world;

use events::{OrderId, Publisher};
use kit::{Says, attempts::Answer, says::Said};
use notification::Mail;
use payment::lifecycle;
use serde::Deserialize;

pub(crate) use cast::Cast;
pub(crate) use databases::Databases;
pub(crate) use outside::{Attempt, Stage};
pub(crate) use shared::Shared;
pub(crate) use step::{Step, What};
pub(crate) use world::{Saga, World};

use outside::MAIL;

/// What makes one moment follow another.
#[derive(Default)]
pub(crate) struct Bus {
    pub(crate) cast: Cast,
    /// Repetitions are not kept out by the inbox, nor by the attempts' table: they get through to the decisions.
    pub(crate) forgetful: bool,
}

impl Bus {
    /// Everything that can be tried. Much of it will turn out to change nothing.
    pub(crate) fn steps(&self, world: &World) -> Vec<Step> {
        if world.fault.is_some() {
            return Vec::new();
        }
        let mut steps = Vec::new();
        for (order, saga) in world.sagas.iter().enumerate() {
            let step = |what| Step { order, what };
            for from in Publisher::all() {
                for &to in Publisher::SERVICES {
                    let topic = saga.topic(from);
                    steps.extend(topic.next(to).map(|_| step(What::Deliver { from, to })));
                    let read = (0..topic.has_read(to)).filter(|&nth| self.cast.part(to).cares_for(&topic.said[nth]));
                    steps.extend(read.map(|nth| step(What::Redeliver { from, to, nth })));
                }
            }
            for attempt in 0..saga.attempts.len() {
                steps.extend([What::Answer { attempt }, What::LoseAnswer { attempt }, What::GiveUp { attempt }].map(step));
            }
            steps.extend([What::RequestAgain, What::Cancel, What::TimeOut].map(step));
        }
        steps
    }

    /// The next moment; none if the step is impossible or changes nothing.
    pub(crate) fn take(&self, world: &World, Step { order, what }: Step) -> Option<World> {
        let mut next = world.clone();
        match what {
            What::Deliver { from, to } => {
                let topic = next.sagas[order].topic_mut(from);
                let said = topic.next(to)?.clone();
                topic.advance(to, &self.cast);
                self.hear(&mut next, order, to, &said);
            }
            What::Redeliver { from, to, nth } => {
                if !self.forgetful {
                    return None;
                }
                let said = next.sagas[order].topic(from).said.get(nth)?.clone();
                self.hear(&mut next, order, to, &said);
            }
            What::RequestAgain => {
                let requests = next.sagas[order].topic(Publisher::Client);
                let request = requests.said.first().filter(|_| requests.next(Publisher::Order).is_none())?.clone();
                self.hear(&mut next, order, Publisher::Order, &request);
            }
            What::Cancel => self.ask_order(&mut next, order, order::Command::RequestCancel),
            What::TimeOut => self.ask_order(&mut next, order, order::Command::TimeOut),
            What::Answer { attempt } => self.call(&mut next, order, attempt)?,
            What::LoseAnswer { attempt } => {
                let saga = &mut next.sagas[order];
                let wanted = &saga.attempts.get(attempt).filter(|attempt| attempt.wanted.kind != MAIL)?.wanted;
                let _lost = saga.gateway.carry_out(wanted);
            }
            What::GiveUp { attempt } => {
                let attempt = next.sagas[order].attempts.get_mut(attempt)?;
                if attempt.stage == Stage::Ended || !attempt.wanted.gives_up {
                    return None;
                }
                attempt.stage = Stage::Ended;
                self.tell_payment(&mut next, order, lifecycle::Step::AuthorizeGaveUp);
            }
        }
        if next == *world {
            return None;
        }
        if next.age() <= world.age() {
            next.fault = Some(Shared::new("something has changed, although nothing new has happened".to_owned()));
        }
        Some(next)
    }

    fn hear(&self, world: &mut World, order: usize, to: Publisher, said: &Said) {
        match self.cast.part(to).hear(&mut world.databases, said) {
            Ok(says) => self.say(world, order, says),
            Err(fault) => world.fault = Some(Shared::new(fault)),
        }
    }

    fn ask_order(&self, world: &mut World, order: usize, ask: fn(OrderId) -> order::Command) {
        let command = ask(world.sagas[order].order_id);
        let says = self.cast.order.decide(&mut world.databases, command);
        self.say(world, order, says);
    }

    fn tell_payment(&self, world: &mut World, order: usize, step: lifecycle::Step) {
        let command = payment::Command::answered(world.sagas[order].order_id, step);
        let says = self.cast.payment.decide(&mut world.databases, command);
        self.say(world, order, says);
    }

    /// Makes a call, and settles its attempt with the answer.
    fn call(&self, world: &mut World, order: usize, attempt: usize) -> Option<()> {
        let Saga { attempts, gateway, .. } = &mut world.sagas[order];
        let Attempt { wanted, stage } = attempts.get_mut(attempt)?;
        if *stage == Stage::Ended && !self.forgetful {
            return None;
        }
        if wanted.kind == MAIL {
            let mail = Mail::deserialize(&wanted.request).expect("a mail");
            *stage = Stage::Ended;
            let command = notification::Command::NoteSent { order: mail.order };
            let says = self.cast.notification.decide(&mut world.databases, command);
            self.say(world, order, says);
            return Some(());
        }
        match gateway.carry_out(wanted) {
            Answer::Done(step) => {
                *stage = Stage::Ended;
                self.tell_payment(world, order, step);
            }
            Answer::Transient(_) | Answer::NotCalled(_) => return None,
            Answer::NeedsPerson(why) => {
                world.fault = Some(Shared::new(format!("{} needs a person: {why}", wanted.kind)));
            }
        }
        Some(())
    }

    /// Puts what was said on the topics, and notes the calls that were asked for: each only once.
    fn say(&self, world: &mut World, order: usize, says: Says) {
        if let Some(why) = says.refused {
            world.fault = Some(Shared::new(format!("an event has gone to the dead letters: {why}")));
        }
        let saga = &mut world.sagas[order];
        for said in &says.events {
            saga.publish(said, &self.cast);
        }
        for wanted in says.attempts {
            if saga.attempts.iter().all(|attempt| attempt.wanted.kind != wanted.kind) {
                saga.attempts.push(Attempt { wanted: Shared::new(wanted), stage: Stage::Open });
            }
        }
    }
}
