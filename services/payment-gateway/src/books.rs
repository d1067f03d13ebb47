//! The ledger in use: shared, and persisted in a file if one is given.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::Utc;
use uuid::Uuid;

use crate::{
    journal::Journal,
    ledger::{Judgement, Ledger, Payment, Statement},
    payment::{Decision, Refusal, State},
    request::{Record, Request},
    settings::Settings,
};

/// The answer to a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, with the payment's state at that time.
    Done(Payment),
    Refused(Refusal),
    KeyReused,
    Breakdown,
}

#[derive(Debug, Default)]
pub struct Books {
    ledger: Mutex<Ledger>,
    journal: Option<Journal>,
}

impl Books {
    /// Books that are lost when the program ends.
    pub fn in_memory() -> Books {
        Books::default()
    }

    /// Books in this file, which survive the program.
    pub fn in_file(path: &Path) -> anyhow::Result<Books> {
        let (journal, ledger) = Journal::open(path)?;
        Ok(Books { ledger: Mutex::new(ledger), journal: Some(journal) })
    }

    /// Judges a request and records what is new. The answer is durable on return. Blocks while writing.
    pub fn execute(&self, request: Request, settings: &Settings) -> anyhow::Result<Answer> {
        let payment_id = request.payment_id;
        let answer = {
            let mut ledger = self.ledger();
            match ledger.judge(&request, settings) {
                Judgement::New(verdict) => {
                    let record = Record { at: Utc::now(), request, verdict };
                    if let Some(journal) = &self.journal {
                        journal.append(&record)?;
                    }
                    ledger.record(record);
                    answer(&ledger, payment_id, verdict)
                }
                Judgement::Saved(verdict) => answer(&ledger, payment_id, verdict),
                Judgement::KeyReused => Answer::KeyReused,
                Judgement::Breakdown => Answer::Breakdown,
            }
        };
        // Outside the lock, so that several requests share one sync; also for a saved answer, whose record may have been appended
        // only a moment ago.
        if let Some(journal) = &self.journal {
            journal.sync()?;
        }
        Ok(answer)
    }

    pub fn payment(&self, payment_id: Uuid) -> Option<Payment> {
        self.ledger().payment(payment_id)
    }

    pub fn statement(&self, payment_id: Option<Uuid>) -> Statement {
        self.ledger().statement(payment_id)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(ledger: &Ledger, payment_id: Uuid, verdict: Decision) -> Answer {
    match verdict {
        Decision::Becomes(State::Declined) => Answer::Refused(Refusal::CardDeclined),
        Decision::Becomes(state) | Decision::Stays(state) => Answer::Done(ledger.payment_as_of(payment_id, state)),
        Decision::Refused(refusal) => Answer::Refused(refusal),
    }
}
