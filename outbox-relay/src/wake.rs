//! Notifications of commits.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use process::Backoff;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};

const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
/// Time without a notification after which the connection is replaced.
const SILENCE: Duration = Duration::from_secs(60);

/// Receives notifications on a connection of its own. Several that arrive before the first has been taken count as one. While
/// the connection is down, polling alone finds new rows.
pub(crate) struct Wake {
    called: Arc<Notify>,
    listener: JoinHandle<()>,
}

impl Wake {
    pub(crate) fn listen(options: &PgConnectOptions) -> Self {
        let called = Arc::new(Notify::new());
        let listener = tokio::spawn(pass_on(options.clone(), Arc::clone(&called)));
        Wake { called, listener }
    }

    /// Returns when a notification has arrived since the last one that was taken or forgotten.
    pub(crate) async fn called(&self) {
        self.called.notified().await;
    }

    /// Forgets a notification that has not been taken.
    pub(crate) fn forget(&self) {
        let _ = self.called.notified().now_or_never();
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn pass_on(options: PgConnectOptions, called: Arc<Notify>) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        if let Err(error) = listen(&options, &called, &mut backoff).await {
            tracing::debug!(%error, "the connection for notifications of commits failed; polling until it is back");
        }
        tokio::time::sleep(backoff.delay()).await;
    }
}

/// Returns after a long silence: the connection may have died unnoticed, and a new one is cheap.
async fn listen(options: &PgConnectOptions, called: &Notify, backoff: &mut Backoff) -> sqlx::Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let pool = pool.acquire_timeout(CONNECTED_WITHIN).connect_lazy_with(options.clone());
    let listening = async {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(outbox::CHANNEL).await?;
        Ok(listener)
    };
    let mut listener = timeout(CONNECTED_WITHIN, listening).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    backoff.reset();
    // A commit may have been announced before this connection listened.
    called.notify_one();
    // None: the connection was lost and replaced; a notification may have been missed.
    while let Ok(heard) = timeout(SILENCE, listener.try_recv()).await {
        heard?;
        called.notify_one();
    }
    Ok(())
}
