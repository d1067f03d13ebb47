//! Deadlines: rows whose time has come become commands.

use std::{future::Future, time::Duration};

use sqlx::PgPool;

use crate::{service::Service, shutdown::Shutdown, unit_of_work::UnitOfWork};

/// Asks the database for commands that are due.
pub trait Deadlines<C>: Send + Sync + 'static {
    /// What is due, for the logs.
    const WHAT: &'static str;

    /// Commands that are due now, some hundred at most. They are only proposals: each is decided upon with its rows locked.
    fn due(&self, pool: &PgPool) -> impl Future<Output = sqlx::Result<Vec<C>>> + Send;
}

/// One round: carries out all that is due. Returns how many commands that were.
pub async fn step<S: Service, D: Deadlines<S::Command>>(work: &UnitOfWork<S>, deadlines: &D) -> anyhow::Result<usize> {
    let due = deadlines.due(work.pool()).await?;
    let count = due.len();
    for command in due {
        let _said = work.submit(D::WHAT, command, None).await?;
    }
    Ok(count)
}

/// Carries out what is due, every `period`, until shutdown.
pub(crate) async fn run<S: Service, D: Deadlines<S::Command>>(
    work: UnitOfWork<S>,
    deadlines: D,
    period: Duration,
    shutdown: Shutdown,
) {
    while shutdown.sleep(period).await {
        if let Err(error) = step(&work, &deadlines).await {
            tracing::warn!(error = %format!("{error:#}"), what = D::WHAT, "deadlines not looked after; trying again");
        }
    }
}
