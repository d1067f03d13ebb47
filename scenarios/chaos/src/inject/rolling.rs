//! A rolling change: services are exchanged for another version, one after the other, and back.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures::{FutureExt, future::BoxFuture};
use operations::{databases::Databases, reconcile};
use testbed::{Environment, Program, Rolling};
use tokio::time::{Instant, sleep};

use super::{Ended, Ending, Injector, NOT_OURS};

/// Maximum time to wait until what a later version has written is processed.
const READ_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

impl Injector<'_> {
    /// Changes the programs in this order, and back in the reverse order: readers of a new event come before its writers. A
    /// program for which there is no other version is restarted.
    pub(super) fn rolling_change(&self, programs: &[Program], together: Duration) -> anyhow::Result<Ending> {
        let running = self.stack.programs().context(NOT_OURS)?;
        let roll = |program: &Program| running.rolling(*program);
        let changes: Vec<Rolling> = programs.iter().map(roll).collect::<anyhow::Result<_>>()?;
        let (environment, diary, next) = (self.environment.clone(), self.diary.clone(), self.next.clone());
        let changing = self.changing.clone();
        Ok(async move {
            let _one_at_a_time = changing.lock().await;
            for rolling in &changes {
                let program = rolling.program();
                let binary = next.get(&program).cloned();
                let binary = binary.unwrap_or_else(|| rolling.original().to_owned());
                let done = format!("  {program} has been changed to {}", binary.display());
                rolling.to(binary, together).await?;
                diary.note(done);
            }
            sleep(together).await;
            for rolling in changes.iter().rev() {
                rolling.to(rolling.original().to_owned(), together).await?;
                diary.note(format!("  {} has been changed back", rolling.program()));
                if changes.len() > 1 && read(&environment).await.is_err() {
                    diary.note("  what the later version wrote has not been processed in time");
                }
            }
            Ok(Ended::now())
        }
        .boxed())
    }
}

/// Waits until the services have processed what has been written so far: the next one may then be changed back.
fn read(environment: &Environment) -> BoxFuture<'_, anyhow::Result<()>> {
    Box::pin(async move {
        let databases = Databases::of(environment)?;
        let last = Instant::now() + READ_WITHIN;
        loop {
            let arrived = reconcile::arrived(&environment.brokers, &databases, READ_WITHIN).await;
            if arrived.is_ok_and(|arrived| arrived.is_ok()) && none_waits(&databases).await.unwrap_or(false) {
                return Ok(());
            }
            ensure!(Instant::now() < last, "waited {} s in vain", READ_WITHIN.as_secs());
            sleep(PAUSE).await;
        }
    })
}

/// Tells whether no event waits for a program that reads its version.
async fn none_waits(databases: &Databases) -> sqlx::Result<bool> {
    let waits =
        "select exists (select from parked_events join parked_newer using (event_id) where status <> 'settled')";
    for database in databases.all() {
        if sqlx::query_scalar(waits).fetch_one(databases.of_service(database)).await? {
            return Ok(false);
        }
    }
    Ok(true)
}
