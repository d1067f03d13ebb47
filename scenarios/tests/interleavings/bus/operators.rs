//! What operators do with parked events and with parked calls.

use events::Publisher;
use payment::calls::Call;

use super::{
    outside::{MAIL, Stage},
    step::What,
    turn::Turn,
    world::{Aside, Saga},
};

/// What may become of events that are aside.
pub(super) fn steps(saga: &Saga, whats: &mut Vec<What>) {
    for &at in Publisher::SERVICES {
        match saga.first_aside(at) {
            Some((_, Aside { parked: true, .. })) => whats.push(What::Retry { at }),
            Some((_, Aside { parked: false, .. })) => whats.push(What::TakeUp { by: at }),
            None => {}
        }
    }
}

impl Turn<'_> {
    /// Puts the next event aside, for an operator or behind another one.
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

    /// An operator settles a call by hand, and says how it ended; or drops it.
    pub(super) fn settle_call(&mut self, attempt: usize, says_so: bool) -> Option<()> {
        let call = self.parked_call(attempt)?;
        let order = self.saga.order_id;
        let saga = self.saga.to_mut();
        saga.attempts[attempt].stage = Stage::Ended;
        if says_so {
            let step = saga.gateway.settle_by_hand(order, call);
            self.tell_payment(step);
        }
        Some(())
    }

    fn parked_call(&self, attempt: usize) -> Option<Call> {
        let parked = self.saga.attempts.get(attempt).filter(|call| call.stage == Stage::Parked)?;
        parked.wanted.kind.parse().ok()
    }

    fn grow_older(&mut self) {
        self.saga.to_mut().spent.acts += 1;
    }
}
