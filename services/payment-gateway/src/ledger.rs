//! The books: requests, answers, and the state of each payment. No file, no clock, no HTTP.

use std::collections::{BTreeMap, HashMap, hash_map};

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    fingerprint::Fingerprint,
    payment::{self, Card, Decision, Operation, State},
    request::{Charge, Command, Record, Request},
    settings::Settings,
};

/// The amount, in any currency, at which the provider fails.
pub const BOMB: i64 = 9999;

/// The books' judgement of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// To be recorded, then answered.
    New(Decision),
    /// Answered before.
    Saved(Decision),
    /// Another request used this key.
    KeyReused,
    /// The provider fails on it.
    Breakdown,
}

/// A change of a payment's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Booking {
    /// Position in the ledger, from 1.
    pub seq: usize,
    pub at: DateTime<Utc>,
    pub payment_id: Uuid,
    pub operation: Operation,
    /// The state that the operation led to.
    pub state: State,
    /// Absent if nothing had been authorized.
    #[serde(flatten)]
    pub sum: Option<Sum>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// Minor units of `currency`.
    pub amount: i64,
    pub currency: String,
}

/// A payment and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Payment {
    pub payment_id: Uuid,
    pub state: State,
    /// Absent if the payment was voided before it was authorized.
    #[serde(flatten)]
    pub sum: Option<Sum>,
}

/// State of a payment that decides the next request.
#[derive(Debug)]
struct Page {
    state: State,
    sum: Option<Sum>,
    card: Option<Fingerprint>,
}

/// Totals authorized, captured, voided and refunded in one currency, in its minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub authorized: i128,
    pub captured: i128,
    /// Authorizations that were released.
    pub voided: i128,
    pub refunded: i128,
}

/// The requested bookings, with their totals by currency.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    pub entries: Vec<Booking>,
    pub totals: BTreeMap<String, Totals>,
}

#[derive(Debug, Default)]
pub struct Ledger {
    answered: HashMap<String, (Request, Decision)>,
    pages: HashMap<Uuid, Page>,
    bookings: Vec<Booking>,
}

impl Ledger {
    /// Decides the answer; changes nothing.
    pub fn judge(&self, request: &Request, settings: &Settings) -> Judgement {
        match self.answered.get(&request.idempotency_key) {
            Some((first, verdict)) if first == request => return Judgement::Saved(*verdict),
            Some(_) => return Judgement::KeyReused,
            None => {}
        }
        let page = self.pages.get(&request.payment_id);
        let card = match &request.command {
            Command::Authorize(charge) if charge.amount == BOMB => return Judgement::Breakdown,
            Command::Authorize(charge) => Some(&charge.card),
            Command::Capture | Command::Void | Command::Refund => page.and_then(|page| page.card.as_ref()),
        };
        let card = card.map_or(Card::Good, |card| settings.card(card));
        Judgement::New(payment::decide(page.map(|page| page.state), request.command.operation(), card))
    }

    /// Applies a judged request.
    pub fn record(&mut self, Record { at, request, verdict }: Record) {
        if let Decision::Becomes(state) = verdict {
            self.book(at, &request, state);
        }
        self.answered.insert(request.idempotency_key.clone(), (request, verdict));
    }

    fn book(&mut self, at: DateTime<Utc>, request: &Request, state: State) {
        let page = match self.pages.entry(request.payment_id) {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(unknown) => {
                let (sum, card) = match request.command.clone() {
                    Command::Authorize(Charge { amount, currency, card }) => {
                        (Some(Sum { amount, currency }), Some(card))
                    }
                    Command::Capture | Command::Void | Command::Refund => (None, None),
                };
                unknown.insert(Page { state, sum, card })
            }
        };
        page.state = state;
        self.bookings.push(Booking {
            seq: self.bookings.len() + 1,
            at,
            payment_id: request.payment_id,
            operation: request.command.operation(),
            state,
            sum: page.sum.clone(),
        });
    }

    /// The payment in its present state.
    pub fn payment(&self, payment_id: Uuid) -> Option<Payment> {
        self.pages.get(&payment_id).map(|page| Payment { payment_id, state: page.state, sum: page.sum.clone() })
    }

    /// The payment at the time when it was in this state; its other fields never change.
    pub fn payment_as_of(&self, payment_id: Uuid, state: State) -> Payment {
        Payment { payment_id, state, sum: self.pages.get(&payment_id).and_then(|page| page.sum.clone()) }
    }

    /// All bookings, or those of one payment.
    pub fn statement(&self, payment_id: Option<Uuid>) -> Statement {
        let wanted = |booking: &&Booking| payment_id.is_none_or(|id| booking.payment_id == id);
        let entries: Vec<Booking> = self.bookings.iter().filter(wanted).cloned().collect();
        let mut totals: BTreeMap<String, Totals> = BTreeMap::new();
        for booking in &entries {
            let Some(Sum { amount, currency }) = &booking.sum else { continue };
            let totals = totals.entry(currency.clone()).or_default();
            let total = match booking.state {
                State::Authorized => &mut totals.authorized,
                State::Captured => &mut totals.captured,
                State::Voided => &mut totals.voided,
                State::Refunded => &mut totals.refunded,
                State::Declined => continue,
            };
            *total += i128::from(*amount);
        }
        Statement { entries, totals }
    }
}
