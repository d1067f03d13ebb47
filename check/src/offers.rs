//! What may happen next.

use std::rc::Rc;

use crate::{
    bus::{Step, What},
    saga_state::SagaState,
    universe::{Call, Input, Universe},
    world::World,
};

/// Number of times that a client may send a request.
const SENDS: u8 = 2;
/// Number of events of a saga that a service may park.
const PARKS: u8 = 1;

/// A step that may be taken, and the input that it is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) step: Step,
    pub(crate) input: Input,
    /// True if it comes sooner or later. Deadlines do if they change anything.
    pub(crate) is_due: bool,
}

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
            if let Some(aside) = saga.first_aside(service) {
                offer(What::Retry, aside.input, true);
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
                    let (what, input) = (What::Answer { call: *call, answer }, Input::Answer { call: *call, answer });
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
                outcome.as_ref().as_ref().map_or(true, |effect| effect.changes)
            })
    }

    /// Everything that may happen in a world.
    pub(crate) fn all_offers(&mut self, world: &World) -> Rc<[Offer]> {
        let mut all = Vec::new();
        for (number, between) in world.sagas().iter().enumerate() {
            all.extend_from_slice(&self.offers_of(number, *between));
        }
        all.into()
    }

    fn offers_of(&mut self, number: usize, between: u32) -> Rc<[Offer]> {
        if let Some(known) = self.known_offers.get(&(number, between)) {
            return known.clone();
        }
        let offers: Rc<[Offer]> = self.offers(number, self.between.get(between)).into();
        self.known_offers.insert((number, between), offers.clone());
        offers
    }

    /// True if nothing is under way: no event is unread, no call is open that can be answered, every request was read once,
    /// nothing is set aside, and no deadline would change anything.
    pub(crate) fn is_at_rest(&mut self, world: &World) -> bool {
        for (number, between) in world.sagas().iter().enumerate() {
            if self.offers_of(number, *between).iter().any(|offer| offer.is_due) {
                return false;
            }
        }
        // Only if nothing is due are decisions tried.
        !self.all_offers(world).iter().any(|offer| self.is_owed(world, offer))
    }
}
