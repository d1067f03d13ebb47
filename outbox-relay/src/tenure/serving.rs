//! The leader's loop.

use std::time::Instant;

use process::shutdown::Shutdown;

use super::{Outcome, Tenure};
use crate::{
    Lost,
    pace::{Found, Pace, Pause},
    wake::Wake,
};

impl Tenure {
    /// Leads until shutdown, then resigns; or until leadership is lost.
    pub(crate) async fn serve(mut self, shutdown: &Shutdown) -> Result<(), Lost> {
        match self.step_until(shutdown).await {
            Ok(()) => self.resign().await,
            Err(lost) => {
                self.publisher.discard().await;
                Err(lost)
            }
        }
    }

    async fn step_until(&mut self, shutdown: &Shutdown) -> Result<(), Lost> {
        let wake = Wake::listen(self.context.options());
        let mut pace = Pace::new(self.context.timing().max_poll);
        let transport = &self.context.kafka().transport.clone();
        while !shutdown.is_requested() {
            if transport.version() != self.certificates {
                tracing::info!(
                    database = self.context.database(),
                    "new certificates: leading again with a new Kafka client"
                );
                return Ok(());
            }
            // The read in this step sees every commit that was announced before it.
            wake.forget();
            let looked_at = Instant::now();
            let found = match self.step().await? {
                Outcome::Published { more: true, .. } => Found::Full,
                Outcome::Published { more: false, .. } => Found::Some,
                Outcome::Gap(_) => Found::Gap,
                Outcome::Empty => Found::Nothing,
                Outcome::Busy | Outcome::Resting => {
                    tokio::select! {
                        () = self.something_arrives() => {}
                        () = shutdown.requested() => {}
                    }
                    continue;
                }
            };
            let pause = pace.after(found, looked_at.elapsed());
            self.rest(pause, &mut pace, &wake, shutdown).await?;
        }
        Ok(())
    }

    /// Waits until the next read is due; meanwhile handles what is in flight.
    async fn rest(&mut self, pause: Pause, pace: &mut Pace, wake: &Wake, shutdown: &Shutdown) -> Result<(), Lost> {
        let until = Instant::now() + pause.length;
        while Instant::now() < until {
            tokio::select! {
                () = wake.called(), if pause.wakeable => {
                    pace.woken();
                    break;
                }
                () = shutdown.requested() => break,
                () = tokio::time::sleep_until(until.into()) => break,
                () = self.something_arrives() => self.tend().await?,
            }
        }
        Ok(())
    }
}
