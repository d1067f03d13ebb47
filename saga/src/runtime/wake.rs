//! Waking whoever has work: the relay by a NOTIFY in a transaction of its own, the attempts' worker within the process.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use crate::{health::Progress, sessions::Sessions, shutdown::Shutdown};

/// Longest time between two marks of progress while there is nothing to pass on.
pub(crate) const IDLE: Duration = Duration::from_secs(2);

/// Told after every commit that left work for others; cheap to clone. Several calls before the first has been heard are one.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    relay: Arc<Notify>,
    attempts: Arc<Notify>,
}

impl Wake {
    /// There are rows in the outbox.
    pub fn relay(&self) {
        self.relay.notify_one();
    }

    /// There are attempts to be made.
    pub fn attempts(&self) {
        self.attempts.notify_one();
    }

    pub(crate) async fn attempts_called(&self) {
        self.attempts.notified().await;
    }
}

/// Passes wake-ups on to the relay, until shutdown. A NOTIFY within a handler's transaction would make all commits of the
/// server wait for one another; in a transaction of its own, and at most one at a time, it costs nothing. A lost one does
/// no harm: the relay also looks by itself.
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
                tracing::debug!(%error, "could not wake the relay; it will look by itself");
                progress.waiting(format!("the relay cannot be woken: {error}"));
                if !shutdown.sleep(Duration::from_millis(200)).await {
                    return;
                }
            }
        }
    }
}
