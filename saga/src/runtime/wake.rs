//! Wakes workers: the relay by a NOTIFY in a transaction of its own, the attempts worker within the process.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use crate::{health::Progress, sessions::Sessions, shutdown::Shutdown};

/// Maximum time between two marks of progress while idle.
pub(crate) const IDLE: Duration = Duration::from_secs(2);

/// Signals that a commit has left work for others. Cheap to clone. Signals are coalesced until they are handled.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    relay: Arc<Notify>,
    attempts: Arc<Notify>,
}

impl Wake {
    /// Signals rows in the outbox.
    pub fn relay(&self) {
        self.relay.notify_one();
    }

    /// Signals attempts to be made.
    pub fn attempts(&self) {
        self.attempts.notify_one();
    }

    pub(crate) async fn attempts_called(&self) {
        self.attempts.notified().await;
    }
}

/// Forwards wake-ups to the relay until shutdown. A NOTIFY within a handler's transaction would serialize all commits of
/// the server; in a transaction of its own, and at most one at a time, it costs nothing. A lost one does no harm: the
/// relay also polls.
pub async fn notify_relay(wake: Wake, sessions: Sessions, progress: Progress, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = wake.relay.notified() => {}
            () = tokio::time::sleep(IDLE) => {
                progress.round();
                continue;
            }
            () = shutdown.requested() => return,
        }
        let notify = async { outbox::notify(&mut *sessions.acquire().await?).await };
        match sessions.bounded(notify).await {
            Ok(_) => progress.round(),
            Err(error) => {
                tracing::debug!(%error, "could not wake the relay; its next poll finds the rows");
                progress.waiting(format!("the relay cannot be woken: {error}"));
                if !shutdown.sleep(Duration::from_millis(200)).await {
                    return;
                }
            }
        }
    }
}
