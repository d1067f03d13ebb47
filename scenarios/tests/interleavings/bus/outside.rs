//! The world outside: the payment gateway with its real books, and a mail system that takes every mail.

use events::OrderId;
use kit::{NewAttempt, attempts::Answer};
use payment::{
    calls::{Call, Charge},
    reply::{Problem, Reply, meaning},
};
use payment_gateway::{
    books::{self, Books},
    problem,
    request::{self, Command, Request},
    settings::Settings,
};
use reqwest::StatusCode;
use scenarios::audit::Booking;

use super::shared::Shared;

/// The kind of the attempts that are mails.
pub(crate) const MAIL: &str = "mail";

/// A durable attempt: it is made again and again until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    pub(crate) wanted: Shared<NewAttempt>,
    pub(crate) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    Open,
    /// Answered, or given up; a request that was given up may still be on its way.
    Ended,
}

/// What the payment gateway knows of one order: what it was asked, in the order in which that arrived. Everything else
/// follows from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Gateway(Vec<Shared<NewAttempt>>);

impl Gateway {
    /// Carries a call out, and tells what the payment service makes of the reply. Again: the same reply, and nothing changes.
    pub(crate) fn carry_out(&mut self, wanted: &Shared<NewAttempt>) -> Answer<payment::lifecycle::Step> {
        let books = self.books();
        let call: Call = wanted.kind.parse().expect("a call to the gateway");
        let answer = execute(&books, wanted);
        let reply = match &answer {
            books::Answer::Done(_) => Reply { status: StatusCode::OK, problem: Problem::default() },
            books::Answer::Refused(refusal) => reply(&problem::Problem::from(*refusal)),
            books::Answer::KeyReused => reply(&problem::Problem::key_reused()),
            books::Answer::Breakdown => reply(&problem::Problem::internal()),
        };
        if answer != books::Answer::Breakdown && !self.0.contains(wanted) {
            self.0.push(wanted.clone());
        }
        meaning(call, &reply)
    }

    /// What it has booked, oldest first.
    pub(crate) fn bookings(&self) -> Vec<Booking> {
        let statement = serde_json::to_value(self.books().statement(None)).expect("a statement is JSON");
        serde_json::from_value(statement["entries"].clone()).expect("the audit reads bookings")
    }

    /// Grows with every new call.
    pub(crate) fn age(&self) -> usize {
        self.0.len()
    }

    fn books(&self) -> Books {
        let books = Books::in_memory();
        for wanted in &self.0 {
            execute(&books, wanted);
        }
        books
    }
}

fn execute(books: &Books, wanted: &NewAttempt) -> books::Answer {
    let command = match wanted.kind.parse().expect("a call to the gateway") {
        // On the bus, details are sealed by calling them so: they are the card's token.
        Call::Authorize => {
            let charge = Charge::read(&wanted.request).expect("a charge");
            let currency = charge.currency.to_string();
            Command::Authorize(request::Charge { amount: charge.amount, currency, token: charge.sealed_details })
        }
        Call::Capture => Command::Capture,
        Call::Void | Call::VoidInstead => Command::Void,
        Call::Refund | Call::RefundInstead => Command::Refund,
    };
    let OrderId(payment_id) = wanted.order_id;
    let idempotency_key = format!("{payment_id}:{}", wanted.kind);
    books.execute(Request { idempotency_key, payment_id, command }, &Settings::default()).expect("books in memory")
}

/// A refusal as it arrives over HTTP.
fn reply(problem: &problem::Problem) -> Reply {
    let body = serde_json::to_value(problem).expect("a problem is JSON");
    let status = body["status"].as_u64().and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    Reply { status: status.expect("a status"), problem: serde_json::from_value(body).expect("a problem") }
}
