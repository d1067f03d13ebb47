//! The outside world: the payment gateway with its real books, and a mail system that accepts every mail.

use events::OrderId;
use payment::{
    calls::{Call, Charge},
    lifecycle::Step,
    reply::{Problem, Reply, meaning},
};
use payment_gateway::{
    books::{self, Books},
    fingerprint::Fingerprint,
    payment::{Operation, State},
    problem,
    request::{self, Command, Request},
    settings::Settings,
};
use reqwest::StatusCode;
use saga::{NewAttempt, attempts::Answer};
use scenarios::audit::Booking;

use super::shared::Shared;

/// The kind of the attempts that are mails.
pub(crate) const MAIL: &str = "mail";

/// A durable attempt, repeated until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    pub(crate) wanted: Shared<NewAttempt>,
    pub(crate) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    Open,
    /// No answer within the retries: it waits for an operator.
    Parked,
    /// Answered, given up or settled by hand; a request that was given up may still be in flight.
    Ended,
}

/// The payment gateway's history of one order. Everything else follows from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Gateway(Vec<Deed>);

/// An event at the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Deed {
    /// A call of ours arrives.
    Call(Shared<NewAttempt>),
    /// The provider acts on its own.
    Own(Operation),
    /// An operator has it done by hand.
    ByHand(Operation),
}

impl Gateway {
    /// Carries out a call, and returns the payment service's interpretation of the reply. A repetition gets the same reply, and
    /// changes nothing.
    pub(crate) fn carry_out(&mut self, wanted: &Shared<NewAttempt>) -> Answer<Step> {
        let call: Call = wanted.kind.parse().expect("a call to the gateway");
        let deed = Deed::Call(wanted.clone());
        let answer = execute(&self.books(wanted.saga_id), wanted.saga_id, &deed);
        let reply = match &answer {
            books::Answer::Done(_) => Reply { status: StatusCode::OK, problem: Problem::default() },
            books::Answer::Refused(refusal) => reply(&problem::Problem::from(*refusal)),
            books::Answer::KeyReused => reply(&problem::Problem::key_reused()),
            books::Answer::Breakdown => reply(&problem::Problem::internal()),
        };
        if answer != books::Answer::Breakdown && !self.0.contains(&deed) {
            self.0.push(deed);
        }
        meaning(call, &reply)
    }

    /// The provider acts on its own, once, on a payment that it knows; None if it cannot.
    pub(crate) fn act(&mut self, order: OrderId, operation: Operation) -> Option<()> {
        let deed = Deed::Own(operation);
        self.state(order).filter(|_| !self.0.contains(&deed))?;
        let before = self.state(order);
        self.0.push(deed);
        (self.state(order) != before).then_some(())
    }

    /// An operator settles a call by hand: has the provider complete it, and returns the word for the outcome.
    pub(crate) fn settle_by_hand(&mut self, order: OrderId, call: Call) -> &'static str {
        match (call, self.state(order)) {
            (Call::Authorize, Some(State::Authorized)) => "authorized",
            (Call::Authorize, _) => "refused",
            (Call::Capture, Some(State::Captured)) => "captured",
            (Call::Capture, Some(State::Voided)) => "voided",
            (Call::Capture, _) => "refused",
            (Call::Void, Some(State::Captured)) => "captured",
            (_, Some(State::Refunded)) => "refunded",
            (Call::VoidInstead | Call::Refund | Call::RefundInstead, Some(State::Captured)) => {
                self.0.push(Deed::ByHand(Operation::Refund));
                "refunded"
            }
            // Also recorded for an unknown payment, so that an authorization still in flight is refused.
            (_, None | Some(State::Authorized)) => {
                self.0.push(Deed::ByHand(Operation::Void));
                "voided"
            }
            (_, Some(State::Voided | State::Declined)) => "voided",
        }
    }

    /// An operator has an operation done by hand, once.
    pub(crate) fn have_done(&mut self, order: OrderId, operation: Operation) -> Option<()> {
        let before = self.state(order);
        self.0.push(Deed::ByHand(operation));
        (self.state(order) != before).then_some(())
    }

    /// The state of the payment; None if it is unknown.
    pub(crate) fn state(&self, order: OrderId) -> Option<State> {
        if self.0.is_empty() { None } else { self.books(order).payment(order.0).map(|payment| payment.state) }
    }

    /// Tells whether the provider has done this on its own.
    pub(crate) fn has_acted(&self, operation: Operation) -> bool {
        self.0.contains(&Deed::Own(operation))
    }

    /// Its bookings, oldest first.
    pub(crate) fn bookings(&self, order: OrderId) -> Vec<Booking> {
        let statement = serde_json::to_value(self.books(order).statement(None)).expect("a statement is JSON");
        serde_json::from_value(statement["entries"].clone()).expect("the audit reads bookings")
    }

    /// Increases with every new call.
    pub(crate) fn age(&self) -> usize {
        self.0.len()
    }

    fn books(&self, order: OrderId) -> Books {
        let books = Books::in_memory();
        for deed in &self.0 {
            execute(&books, order, deed);
        }
        books
    }
}

fn execute(books: &Books, order: OrderId, deed: &Deed) -> books::Answer {
    let (key, command) = match deed {
        Deed::Call(wanted) => (wanted.kind.to_owned(), command(wanted)),
        Deed::Own(operation) => (format!("provider {operation:?}"), bare(*operation)),
        Deed::ByHand(operation) => (format!("by hand {operation:?}"), bare(*operation)),
    };
    let request = Request { idempotency_key: format!("{order}:{key}"), payment_id: order.0, command };
    books.execute(request, &Settings::default()).expect("books in memory")
}

fn command(wanted: &NewAttempt) -> Command {
    match wanted.kind.parse().expect("a call to the gateway") {
        // Details are not encrypted on the bus: they are the card's token.
        Call::Authorize => {
            let charge = Charge::read(&wanted.request).expect("a charge");
            let currency = charge.currency.to_string();
            let card = Fingerprint::of(&charge.sealed_details.unwrap_or_default());
            Command::Authorize(request::Charge { amount: charge.amount, currency, card })
        }
        Call::Capture => Command::Capture,
        Call::Void | Call::VoidInstead => Command::Void,
        Call::Refund | Call::RefundInstead => Command::Refund,
    }
}

fn bare(operation: Operation) -> Command {
    match operation {
        Operation::Authorize => panic!("nobody authorizes a charge but we"),
        Operation::Capture => Command::Capture,
        Operation::Void => Command::Void,
        Operation::Refund => Command::Refund,
    }
}

/// A refusal in its HTTP form.
fn reply(problem: &problem::Problem) -> Reply {
    let body = serde_json::to_value(problem).expect("a problem is JSON");
    let status = body["status"].as_u64().and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    Reply { status: status.expect("a status"), problem: serde_json::from_value(body).expect("a problem") }
}
