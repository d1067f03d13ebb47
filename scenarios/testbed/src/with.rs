//! Work with a system that is stopped again, however the work ends.

use saga::shutdown::Shutdown;

use super::{Options, Reporter, Stack};

/// Runs `work` with the system that the process environment names, or else with a new one. A new one is stopped again, whether
/// the work succeeds, fails or panics, or `shutdown` is requested meanwhile; in the last case the result is None.
pub async fn with<T>(
    options: Options,
    reporter: &Reporter,
    shutdown: &Shutdown,
    work: impl AsyncFnOnce(&mut Stack) -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let opened = tokio::select! {
        opened = Stack::open(options, reporter) => opened,
        () = shutdown.requested() => return Ok(None),
    };
    let mut stack = opened?;
    let answer = tokio::select! {
        answer = work(&mut stack) => answer.map(Some),
        () = shutdown.requested() => Ok(None),
    };
    let stopped = stack.stop(reporter).await;
    let answer = answer?;
    stopped?;
    Ok(answer)
}
