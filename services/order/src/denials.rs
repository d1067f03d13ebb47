//! Denied requests, over HTTP and on the topic: counted at once, and recorded in the audit log by a task of their own.

use std::{sync::Arc, time::Duration};

use audit_log::{Actor, Denial, Denials, Known, Recorder};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Name of a caller who has not proved any.
const NOBODY: &str = "nobody";
/// Time that the last entries of a program that ends may take.
const ENDS_WITHIN: Duration = Duration::from_secs(3);

/// Counts denials. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Denied(Arc<Denials>);

/// A request that is denied. None of it is what the caller sent, but for an id.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    /// Subject of the caller's token, if it is valid.
    pub(crate) subject: Option<&'a str>,
    /// What was asked for: `route` or `topic`, and its name.
    pub(crate) object: (&'static str, &'a str),
    pub(crate) why: &'a str,
    /// The order that was asked for.
    pub(crate) order: Option<Uuid>,
}

impl Denied {
    /// Counts a denial. Waits for nothing.
    pub(crate) fn count(&self, Attempt { subject, object: (kind, name), why, order }: Attempt<'_>) {
        let known = if subject.is_some() { Known::Token } else { Known::Unverified };
        let actor = Actor { name: subject.unwrap_or(NOBODY).to_owned(), known };
        let denial = Denial { actor, object: (kind, name.to_owned()), why: why.to_owned(), about: order };
        metrics::counter!("order_denials_total", "on" => kind).increment(1);
        if !self.0.count(denial) {
            metrics::counter!("order_denials_unnamed_total").increment(1);
        }
    }

    /// Records denials at this interval, from now on, in the runtime in which this is called. No request waits for it.
    pub fn recorded(&self, recorder: Recorder, every: Duration) -> Recording {
        let (denials, kept) = (self.0.clone(), recorder.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                record(&denials, &kept).await;
            }
        });
        Recording { denials: self.0.clone(), recorder, task }
    }
}

async fn record(denials: &Denials, recorder: &Recorder) {
    if let Err(error) = denials.record(recorder).await {
        tracing::warn!(
            error = format!("{error:#}"),
            waiting = denials.waiting(),
            "denied requests could not be recorded in the audit log; they are counted on, and recorded later"
        );
    }
    metrics::gauge!("order_denials_waiting").set(denials.waiting() as f64);
}

/// The task that records denials.
#[derive(Debug)]
pub struct Recording {
    denials: Arc<Denials>,
    recorder: Recorder,
    task: JoinHandle<()>,
}

impl Recording {
    /// Records what is left, within a few seconds.
    pub async fn finish(self) {
        self.task.abort();
        let _ = tokio::time::timeout(ENDS_WITHIN, record(&self.denials, &self.recorder)).await;
        let lost = self.denials.waiting();
        if lost > 0 {
            tracing::error!(denials = lost, "the program ends, and these denied requests are not in the audit log");
        }
    }
}
