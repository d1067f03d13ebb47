//! Supervision of tasks that run as long as the program: one that ends before the shutdown ends the program.

use std::{collections::HashMap, pin::Pin, time::Duration};

use anyhow::{Context, anyhow};
use tokio::task::{Id, JoinSet};

use crate::shutdown::Shutdown;

/// Maximum time that a program takes to stop, whatever its tasks wait for.
pub const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Tasks by name.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Starts a task that runs until shutdown.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let handle = self.running.spawn(task);
        self.names.insert(handle.id(), name);
    }

    /// Returns when a task has ended without a request, with the reason; never while all run.
    pub async fn failed(&mut self, shutdown: &Shutdown) -> anyhow::Error {
        while let Some((name, ended)) = self.next().await {
            match ended {
                Err(error) => return error,
                Ok(()) if !shutdown.is_requested() => return anyhow!("{name} has ended by itself"),
                Ok(()) => {}
            }
        }
        std::future::pending().await
    }

    /// Waits for all tasks to end after a shutdown was requested.
    ///
    /// # Errors
    /// The first failure, or the tasks that still run after `within`.
    pub async fn finish(mut self, within: Duration) -> anyhow::Result<()> {
        let mut failure = None;
        let all = async {
            while let Some((_, ended)) = self.next().await {
                if let Err(error) = ended {
                    failure.get_or_insert(error);
                }
            }
        };
        if tokio::time::timeout(within, all).await.is_err() {
            let mut names: Vec<&str> = self.names.into_values().collect();
            names.sort_unstable();
            return Err(anyhow!("{} did not stop within {within:?}; aborted", names.join(", ")));
        }
        failure.map_or(Ok(()), Err)
    }

    async fn next(&mut self) -> Option<(&'static str, anyhow::Result<()>)> {
        let ended = self.running.join_next_with_id().await?;
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, ended),
            Err(panicked) => (panicked.id(), Err(anyhow!("{panicked}"))),
        };
        let name = self.names.remove(&id).unwrap_or("a task");
        Some((name, ended.with_context(|| format!("{name} has failed"))))
    }
}

/// Runs a program from its `main`, on a runtime that waits for nothing once the program has ended.
///
/// # Errors
/// The errors of the program.
pub fn main(program: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    run(std::pin::pin!(program))
}

/// Compiled once, and not for each program.
fn run(program: Pin<&mut dyn Future<Output = anyhow::Result<()>>>) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("creating the program's runtime")?;
    let ended = runtime.block_on(program);
    // Without a bound, this would wait for a blocking call.
    runtime.shutdown_timeout(Duration::from_millis(500));
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_task_that_ends_fails_or_panics_before_the_shutdown_is_noticed_at_once() {
        let (_stop, shutdown) = Shutdown::by_hand();
        let ends = async { Ok(()) };
        let fails = async { Err(anyhow!("the port is taken")) };
        let panics = async { panic!("a bug") };
        let tasks: [(_, std::pin::Pin<Box<dyn Future<Output = _> + Send>>); 3] =
            [("ended by itself", Box::pin(ends)), ("the port is taken", Box::pin(fails)), ("a bug", Box::pin(panics))];
        for (why, task) in tasks {
            let mut all = Tasks::default();
            all.spawn("lasts", std::future::pending());
            all.spawn("the server", task);
            let error = tokio::time::timeout(Duration::from_secs(10), all.failed(&shutdown)).await.expect("noticed");
            let error = format!("{error:#}");
            assert!(error.contains("the server") && error.contains(why), "{error}");
        }
    }

    #[tokio::test]
    async fn a_task_that_does_not_stop_is_named_and_not_waited_for() {
        let mut all = Tasks::default();
        all.spawn("the good one", async { Ok(()) });
        all.spawn("the stubborn one", std::future::pending());
        let error = all.finish(SOON).await.expect_err("one does not stop").to_string();
        assert!(error.contains("the stubborn one") && !error.contains("the good one"), "{error}");
    }
}
