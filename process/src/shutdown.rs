//! Clean shutdown: SIGTERM or SIGINT requests it, and every task finishes what it has begun.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Receiver of the shutdown request, held by every loop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// A shutdown has been requested, so the awaited event was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requested;

impl fmt::Display for Requested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a shutdown has been requested")
    }
}

impl std::error::Error for Requested {}

/// Requests a shutdown from every holder of a [`Shutdown`].
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// Requests the shutdown.
    pub fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// A shutdown that the program requests.
    pub fn by_hand() -> (Stop, Shutdown) {
        let (sender, receiver) = watch::channel(false);
        (Stop(Arc::new(sender)), Shutdown(receiver))
    }

    /// A shutdown that SIGTERM or SIGINT requests.
    pub fn on_signals() -> anyhow::Result<Shutdown> {
        Self::on_signals_or_by_hand().map(|(_, shutdown)| shutdown)
    }

    /// A shutdown that SIGTERM, SIGINT or the program requests.
    pub fn on_signals_or_by_hand() -> anyhow::Result<(Stop, Shutdown)> {
        let (stop, shutdown) = Self::by_hand();
        let by_hand = stop.clone();
        let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            tracing::info!("stopping: finishing the work in progress");
            stop.now();
            // Keeps the channel open, so that later receivers still see the request.
            std::future::pending::<()>().await;
        });
        Ok((by_hand, shutdown))
    }

    /// Returns whether a shutdown has been requested.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when a shutdown has been requested.
    pub async fn requested(&self) {
        let mut receiver = self.0.clone();
        // An error means that no sender is left: that is a shutdown too.
        let _ = receiver.wait_for(|stop| *stop).await;
    }

    /// Sleeps.
    ///
    /// # Errors
    /// If a shutdown is requested first.
    pub async fn pause(&self, time: Duration) -> Result<(), Requested> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.requested() => Err(Requested),
        }
    }

    /// As [`pause`](Self::pause), for use as a loop condition: true if the loop should go on.
    pub async fn sleep(&self, time: Duration) -> bool {
        self.pause(time).await.is_ok()
    }
}
