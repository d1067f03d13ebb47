//! Reconcile on the bus: its own decision, on a picture taken service by service while the system runs.

use events::{Kind, Order, Publisher, Reason, publisher};
use payment::phase::Phase;
use payment_gateway::payment::{Operation, State};
use saga::{Said, barrier::Status};
use scenarios::reconcile::{Fresh, Placed, Remedy, Standing, StepState, next};

use super::{Cast, databases::Databases, world::Saga};

/// What reconcile reads, one part after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    Ledger,
    Of(Publisher),
}

/// The provider's ledger before our payments, and all others before the orders.
pub(crate) const LEDGER_FIRST_ORDERS_LAST: &[Part] = &[
    Part::Ledger,
    Part::Of(publisher::NOTIFICATION),
    Part::Of(publisher::PAYMENT),
    Part::Of(publisher::ACCOUNT),
    Part::Of(publisher::INVENTORY),
    Part::Of(publisher::SHIPPING),
    Part::Of(publisher::ENTITLEMENT),
    Part::Of(publisher::ORDER),
];

/// The orders first: an order created before the last read then seems to be missing.
pub(crate) const ORDERS_FIRST: &[Part] = &[
    Part::Ledger,
    Part::Of(publisher::ORDER),
    Part::Of(publisher::ACCOUNT),
    Part::Of(publisher::PAYMENT),
    Part::Of(publisher::INVENTORY),
    Part::Of(publisher::SHIPPING),
    Part::Of(publisher::ENTITLEMENT),
    Part::Of(publisher::NOTIFICATION),
];

/// Our payments before the provider's ledger: a charge created in between then seems to have no payment.
pub(crate) const LEDGER_LAST: &[Part] = &[
    Part::Of(publisher::NOTIFICATION),
    Part::Of(publisher::PAYMENT),
    Part::Of(publisher::ACCOUNT),
    Part::Of(publisher::INVENTORY),
    Part::Of(publisher::SHIPPING),
    Part::Of(publisher::ENTITLEMENT),
    Part::Of(publisher::ORDER),
    Part::Ledger,
];

/// The state of an order in each service when reconcile looked: its events count only while this still holds.
pub(crate) type Expected = Vec<(Publisher, Option<&'static str>)>;

/// What has been read so far, in the order of reading.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Picture(Vec<(Part, Option<Seen>)>);

/// The state of an order in one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Seen {
    /// In the service's own term.
    word: &'static str,
    status: &'static str,
    reason: Option<Reason>,
    /// Amount held or returned.
    amount: i64,
}

/// Reconcile's action on an order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    Say(Vec<Said>, Expected),
    LetGo(Operation),
}

impl Picture {
    /// A picture taken at a single moment.
    pub(super) fn whole(cast: &Cast, databases: &Databases, saga: &Saga) -> Self {
        let parts = LEDGER_FIRST_ORDERS_LAST.iter();
        parts.fold(Picture::default(), |picture, part| picture.with(*part, cast, databases, saga))
    }

    /// The next part to read.
    pub(super) fn next(&self, parts: &'static [Part]) -> Option<Part> {
        parts.get(self.0.len()).copied()
    }

    pub(super) fn with(mut self, part: Part, cast: &Cast, databases: &Databases, saga: &Saga) -> Self {
        self.0.push((part, look(part, cast, databases, saga)));
        self
    }

    /// The action to take, by reconcile's own decision.
    pub(super) fn act(&self, facts: Option<&Order>) -> Option<Act> {
        if let Some(operation) = self.let_go() {
            return Some(Act::LetGo(operation));
        }
        let (facts, standing) = (facts?, self.standing(facts?)?);
        standing.doubt(0)?;
        match next(&standing, facts) {
            Remedy::Say(events) => Some(Act::Say(events.iter().map(said).collect(), self.expected())),
            _ => None,
        }
    }

    fn of(&self, service: Publisher) -> Option<Seen> {
        self.0.iter().find(|(part, _)| *part == Part::Of(service)).and_then(|(_, seen)| *seen)
    }

    /// None while the payment waits for an answer: then its state is unknown.
    fn standing(&self, facts: &Order) -> Option<Standing> {
        let step = |service| {
            let seen: Option<Seen> = self.of(service);
            seen.and_then(|seen| Some(StepState { status: seen.status.parse::<Status>().ok()?, reason: seen.reason }))
        };
        if self.of(publisher::PAYMENT).is_some_and(|seen| seen.status == "PENDING") {
            return None;
        }
        let placed = self.of(publisher::ORDER).map(|seen| Placed {
            status: seen.status.to_owned(),
            reason: seen.reason,
            refunded: seen.amount,
            physical: facts.has(Kind::Physical),
            digital: facts.has(Kind::Digital),
            // The extreme case: every order seems long overdue.
            overdue: Some(i64::MAX),
        });
        Some(Standing {
            order: placed,
            balance: step(publisher::ACCOUNT),
            amount: self.of(publisher::ACCOUNT).map_or(0, |seen| seen.amount),
            payment: step(publisher::PAYMENT),
            stock: step(publisher::INVENTORY),
            shipment: step(publisher::SHIPPING),
            tracking_no: None,
            entitlement: step(publisher::ENTITLEMENT),
            letter: self.of(publisher::NOTIFICATION).is_some(),
        })
    }

    fn expected(&self) -> Expected {
        let word = |&service: &Publisher| (service, self.of(service).map(|seen| seen.word));
        publisher::SERVICES.iter().map(word).collect()
    }

    /// Money that the provider holds although our payment is over.
    fn let_go(&self) -> Option<Operation> {
        let over = |seen: Seen| matches!(seen.status, "CANCELLED" | "REJECTED" | "REFUNDED");
        if !self.of(publisher::PAYMENT).is_none_or(over) {
            return None;
        }
        let ledger = self.0.iter().find(|(part, _)| *part == Part::Ledger).and_then(|(_, seen)| *seen)?;
        match ledger.status {
            "authorized" => Some(Operation::Void),
            "captured" => Some(Operation::Refund),
            _ => None,
        }
    }
}

fn look(part: Part, cast: &Cast, databases: &Databases, saga: &Saga) -> Option<Seen> {
    let id = &saga.order_id;
    let Part::Of(service) = part else {
        let status = ledger_word(saga.gateway.state(*id)?);
        return Some(Seen { word: status, status, reason: None, amount: 0 });
    };
    let word = cast.part(service).standing(databases, *id)?;
    let seen = |status, reason, amount| Some(Seen { word, status, reason, amount });
    match service {
        publisher::PAYMENT => {
            let row = databases.payment.transactions.get(id)?;
            seen(row.phase.status(), reason(row.phase), row.order.total)
        }
        publisher::ACCOUNT => {
            let row = databases.account.reservations.get(id)?;
            seen(row.status.as_str(), row.reason, row.amount)
        }
        publisher::ORDER => {
            let row = databases.order.purchases.get(id)?;
            let refunded = match row.money {
                order::Money::Open => 0,
                order::Money::Settled { refunded, .. } => refunded,
            };
            seen(row.status.as_str(), row.reason, refunded)
        }
        publisher::INVENTORY => seen(word, databases.inventory.reservations.get(id)?.reason, 0),
        publisher::SHIPPING => seen(word, databases.shipping.shipments.get(id)?.reason, 0),
        publisher::ENTITLEMENT => seen(word, databases.entitlement.unlocks.get(id)?.reason, 0),
        publisher::NOTIFICATION => seen(word, None, 0),
        _ => None,
    }
}

fn ledger_word(state: State) -> &'static str {
    match state {
        State::Authorized => "authorized",
        State::Declined => "declined",
        State::Captured => "captured",
        State::Voided => "voided",
        State::Refunded => "refunded",
    }
}

fn reason(phase: Phase) -> Option<Reason> {
    match phase {
        Phase::Declined(reason) | Phase::CaptureFailed(reason) | Phase::Cancelled(reason) => Some(reason),
        Phase::Voiding(reason) | Phase::Voided(reason) | Phase::Refunding(reason) | Phase::Refunded(reason) => {
            Some(reason)
        }
        Phase::Capturing { cancel } => cancel,
        Phase::Authorizing | Phase::Authorized | Phase::Captured => None,
    }
}

/// A new event in its published form.
fn said(fresh: &Fresh) -> Said {
    let publisher = publisher::of_topic(fresh.topic).expect("a topic of the saga");
    Said {
        event_type: fresh.event_type,
        version: fresh.version,
        aggregatetype: publisher.name(),
        saga_id: fresh.order_id,
        payload: fresh.data.to_string(),
    }
}

/// Tells whether the payment has no call open at the provider, so that an operator may release what is held there.
pub(super) fn is_over(phase: Option<Phase>) -> bool {
    match phase {
        None | Some(Phase::Declined(_) | Phase::Voided(_) | Phase::Refunded(_) | Phase::Cancelled(_)) => true,
        Some(Phase::Authorizing | Phase::Authorized | Phase::Capturing { .. } | Phase::Captured) => false,
        Some(Phase::CaptureFailed(_) | Phase::Voiding(_) | Phase::Refunding(_)) => false,
    }
}
