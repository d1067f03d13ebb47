//! One log line and one metric count for every committed decision: its trigger and its outcome.

use crate::{
    EventId, SagaId,
    runtime::{
        erased::ErasedIncoming,
        incoming::{Origin, Outcome},
    },
};

struct Entry {
    service: &'static str,
    saga_id: SagaId,
    what: String,
    event_id: Option<EventId>,
}

/// Details of a batch, held until its commit.
pub(crate) struct Journal(Vec<Entry>);

impl Journal {
    pub(crate) fn of(service: &'static str, batch: &[ErasedIncoming<'_>]) -> Self {
        Journal(
            batch
                .iter()
                .map(|incoming| Entry {
                    service,
                    saga_id: incoming.saga_id,
                    what: incoming.what.to_owned(),
                    event_id: match incoming.origin {
                        Origin::Event(_) | Origin::Parked(_) => incoming.cause,
                        Origin::Attempt { .. } | Origin::Direct => None,
                    },
                })
                .collect(),
        )
    }

    /// Logs the outcomes. Call this after the commit, so that the log states facts only.
    pub(crate) fn write(&self, outcomes: &[Outcome]) {
        for (entry, outcome) in self.0.iter().zip(outcomes) {
            entry.write(outcome);
        }
    }
}

impl Entry {
    fn write(&self, outcome: &Outcome) {
        let Entry { service, saga_id, what, event_id } = self;
        let event_id = event_id.map(tracing::field::display);
        let count = |outcome: &'static str| {
            metrics::counter!("saga_decisions_total", "service" => *service, "on" => what.clone(), "outcome" => outcome).increment(1);
        };
        match outcome {
            Outcome::Duplicate => {
                tracing::info!(%saga_id, event_id, on = what, "duplicate ignored");
                count("duplicate");
            }
            Outcome::Held => {
                tracing::warn!(%saga_id, event_id, on = what, "event held back behind a parked event of its saga");
                count("held");
            }
            Outcome::Decided(says) => {
                if let Some(why) = says.ignored {
                    tracing::info!(%saga_id, event_id, on = what, why, "event or command ignored");
                    count("ignored");
                } else if let Some(why) = &says.refused {
                    tracing::warn!(%saga_id, event_id, on = what, why, "event refused; written to the dead letters");
                    count("refused");
                } else {
                    let said: Vec<&str> = says.events.iter().map(|said| said.event_type).collect();
                    let calls: Vec<&str> = says.attempts.iter().map(|attempt| attempt.kind).collect();
                    tracing::info!(%saga_id, event_id, on = what, becomes = says.becomes, says = said.join(" "), calls = calls.join(" "), "decision committed");
                    count("decided");
                }
            }
        }
    }
}
