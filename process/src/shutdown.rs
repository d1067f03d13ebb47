//! Stopping cleanly: SIGTERM or SIGINT asks, everyone finishes what is begun.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Asked by everyone who loops; cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// A shutdown has been requested: what was waited for has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requested;

impl fmt::Display for Requested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a shutdown has been requested")
    }
}

impl std::error::Error for Requested {}

/// Asks everyone who holds a [`Shutdown`] to stop.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// Requests the shutdown.
    pub fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// A shutdown that somebody else requests.
    pub fn by_hand() -> (Stop, Shutdown) {
        let (sender, receiver) = watch::channel(false);
        (Stop(Arc::new(sender)), Shutdown(receiver))
    }

    /// A shutdown that SIGTERM or SIGINT requests.
    pub fn on_signals() -> anyhow::Result<Shutdown> {
        Self::on_signals_or_by_hand().map(|(_, shutdown)| shutdown)
    }

    /// A shutdown that SIGTERM or SIGINT requests, or the program itself.
    pub fn on_signals_or_by_hand() -> anyhow::Result<(Stop, Shutdown)> {
        let (stop, shutdown) = Self::by_hand();
        let by_hand = stop.clone();
        let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            tracing::info!("stopping: finishing what is begun");
            stop.now();
            // Keep the channel open: whoever asks later must still hear it.
            std::future::pending::<()>().await;
        });
        Ok((by_hand, shutdown))
    }

    /// Tells whether it has been requested.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when a shutdown has been requested.
    pub async fn requested(&self) {
        let mut receiver = self.0.clone();
        // An error means that whoever could ask is gone: that is a shutdown too.
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

    /// As [`pause`](Self::pause), as the condition of a loop: true if it is to go on.
    pub async fn sleep(&self, time: Duration) -> bool {
        self.pause(time).await.is_ok()
    }
}
