//! The ledger as the program holds it: shared, and kept in a file if one is given.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::Utc;
use uuid::Uuid;

use crate::{
    journal::Journal,
    ledger::{Judgement, Ledger, Payment, Statement},
    payment::{Refusal, State, Verdict},
    request::{Record, Request},
    settings::Settings,
};

/// What a client is told about its request.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done; the payment as it was then.
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
    /// Books that end with the program.
    pub fn in_memory() -> Books {
        Books::default()
    }

    /// Books that outlive the program, in this file.
    pub fn in_file(path: &Path) -> anyhow::Result<Books> {
        let (journal, ledger) = Journal::open(path)?;
        Ok(Books { ledger: Mutex::new(ledger), journal: Some(journal) })
    }

    /// Judges a request and writes down what is new. What it returns is on disk. Blocks while it is being written.
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
        // Outside the lock, so that several requests share one write to the disk; also for a saved answer, whose record may
        // have been appended only a moment ago.
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

fn answer(ledger: &Ledger, payment_id: Uuid, verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Becomes(State::Declined) => Answer::Refused(Refusal::CardDeclined),
        Verdict::Becomes(state) | Verdict::Stays(state) => Answer::Done(ledger.payment_as_of(payment_id, state)),
        Verdict::Refused(refusal) => Answer::Refused(refusal),
    }
}
