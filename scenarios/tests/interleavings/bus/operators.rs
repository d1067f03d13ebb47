//! Operators' actions: on parked events, on parked calls, and through reconcile.

use events::{Publisher, publisher};
use payment::{by_hand, calls::Call};

use super::{
    Bus,
    outside::{MAIL, Stage},
    reconcile::{Act, Expected, Picture, is_over},
    step::What,
    topic::Occasion,
    turn::Turn,
    world::{Aside, Saga, World},
};

impl Bus {
    /// What operators may do about an order, and services about parked events.
    pub(super) fn operating(&self, world: &World, saga: &Saga, whats: &mut Vec<What>) {
        for &at in publisher::SERVICES {
            match saga.first_aside(at) {
                Some((_, Aside { parked: true, .. })) if self.may.repairs => {
                    whats.extend([What::Retry { at }, What::Resolve { at }]);
                }
                Some((_, Aside { parked: true, .. })) => whats.push(What::Retry { at }),
                Some((_, Aside { parked: false, .. })) => whats.push(What::TakeUp { by: at }),
                None => {}
            }
        }
        let looks_on = self.may.torn.map(|parts| saga.picture.next(parts).is_some());
        if looks_on == Some(true) {
            whats.push(What::Look);
        }
        if looks_on == Some(false) && !saga.spent.repaired || self.may.repairs && world.is_at_rest() {
            whats.push(What::Repair);
        }
    }
}

impl Turn<'_> {
    /// Sets the next event aside: parked for an operator, or waiting behind another one.
    pub(super) fn put_aside(&mut self, from: Publisher, to: Publisher, parked: bool) -> Option<()> {
        let nth = self.saga.topic(from).place(to)?;
        let saga = self.saga.to_mut();
        saga.topic_mut(from).advance(to);
        saga.aside.push(Aside { at: to, from, nth, parked });
        saga.spent.parked |= parked;
        self.grow_older();
        Some(())
    }

    pub(super) fn take_up(&mut self, by: Publisher) -> Option<()> {
        let (place, Aside { from, nth, .. }) = self.saga.first_aside(by).filter(|(_, aside)| !aside.parked)?;
        self.saga.to_mut().aside.remove(place);
        self.grow_older();
        let event = self.saga.topic(from).events()[nth].clone();
        self.hear(by, &event);
        Some(())
    }

    pub(super) fn retry(&mut self, at: Publisher) -> Option<()> {
        let (place, _) = self.saga.first_aside(at).filter(|(_, aside)| aside.parked)?;
        self.saga.to_mut().aside[place].parked = false;
        self.grow_older();
        Some(())
    }

    pub(super) fn resolve(&mut self, at: Publisher) -> Option<()> {
        let (place, _) = self.saga.first_aside(at).filter(|(_, aside)| aside.parked)?;
        self.saga.to_mut().aside.remove(place);
        self.grow_older();
        Some(())
    }

    pub(super) fn lose(&mut self, from: Publisher, to: Publisher) -> Option<()> {
        self.saga.topic(from).next(to)?;
        let saga = self.saga.to_mut();
        saga.topic_mut(from).advance(to);
        saga.spent.lost = true;
        Some(())
    }

    pub(super) fn park_call(&mut self, attempt: usize) -> Option<()> {
        let open = self.saga.attempts.get(attempt)?;
        if open.stage != Stage::Open || open.wanted.gives_up || open.wanted.kind == MAIL {
            return None;
        }
        let saga = self.saga.to_mut();
        saga.attempts[attempt].stage = Stage::Parked;
        saga.spent.call_parked = true;
        self.grow_older();
        Some(())
    }

    pub(super) fn retry_call(&mut self, attempt: usize) -> Option<()> {
        self.parked_call(attempt)?;
        self.saga.to_mut().attempts[attempt].stage = Stage::Open;
        self.grow_older();
        Some(())
    }

    /// An operator settles a call by hand and records the outcome, or drops the call.
    pub(super) fn settle_call(&mut self, attempt: usize, says_so: bool) -> Option<()> {
        let call = self.parked_call(attempt)?;
        let order = self.saga.order_id;
        let saga = self.saga.to_mut();
        saga.attempts[attempt].stage = Stage::Ended;
        if says_so {
            let word = saga.gateway.settle_by_hand(order, call);
            let step = by_hand::meaning(call.as_str(), word).expect("a word that fits the call");
            self.tell_payment(step);
        }
        Some(())
    }

    fn parked_call(&self, attempt: usize) -> Option<Call> {
        let parked = self.saga.attempts.get(attempt).filter(|call| call.stage == Stage::Parked)?;
        parked.wanted.kind.parse().ok()
    }

    /// Reconcile reads the next part.
    pub(super) fn look(&mut self) -> Option<()> {
        let part = self.saga.picture.next(self.bus.may.torn?)?;
        let picture = self.saga.picture.clone().with(part, &self.bus.cast, &self.databases, &self.saga);
        self.saga.to_mut().picture = picture;
        self.grow_older();
        Some(())
    }

    /// Reconcile acts: upon what it has read if `torn`, otherwise upon the present state.
    pub(super) fn repair(&mut self, torn: bool) -> Option<()> {
        // Orders with an open call are left alone.
        if self.saga.attempts.iter().any(|call| call.stage != Stage::Ended) {
            return None;
        }
        let whole = || Picture::whole(&self.bus.cast, &self.databases, &self.saga);
        let picture = if torn { self.saga.picture.clone() } else { whole() };
        match picture.act(self.saga.facts(&self.databases).as_ref())? {
            Act::LetGo(operation) => {
                let order = self.saga.order_id;
                let phase = self.databases.payment.transactions.get(&order).map(|known| known.phase);
                if !is_over(phase) {
                    self.fault = Some(format!("an operator lets go of a charge whose payment is {phase:?}"));
                }
                self.saga.to_mut().gateway.have_done(order, operation)?;
            }
            Act::Say(events, expected) => {
                // An event published anew once is not published again: it would have no other effect.
                let known = |said: &_| self.saga.events().any(|event| event.is_an_operators(said));
                let new: Vec<_> = events.into_iter().filter(|said| !known(said)).collect();
                if new.is_empty() {
                    return None;
                }
                let expected = if self.bus.may.says_blindly { Expected::new() } else { expected };
                for said in &new {
                    self.append(said, Occasion::Operator, expected.clone());
                }
            }
        }
        self.saga.to_mut().spent.repaired |= torn;
        self.grow_older();
        Some(())
    }

    fn grow_older(&mut self) {
        self.saga.to_mut().spent.acts += 1;
    }
}
