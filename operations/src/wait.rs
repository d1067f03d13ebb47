//! Waits for a condition, never for a fixed time, and never forever.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Interval between two checks of a condition.
const PAUSE: Duration = Duration::from_millis(25);

/// Polls until there is an answer.
///
/// # Errors
/// If `bound` passes without one; the error says `what` was waited for.
pub async fn until<T>(what: &str, bound: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
    let last = Instant::now() + bound;
    loop {
        if let Ok(Some(answer)) = tokio::time::timeout_at(last, ask()).await {
            return Ok(answer);
        }
        anyhow::ensure!(Instant::now() < last, "waited {} s in vain until {what}", bound.as_secs());
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn says_what_it_waited_for() {
        let error = until("the cows come home", Duration::ZERO, async || None::<()>).await.unwrap_err();
        assert_eq!(error.to_string(), "waited 0 s in vain until the cows come home");
    }

    #[tokio::test]
    async fn a_question_that_never_returns_is_bounded_too() {
        let never = until("it answers", Duration::from_millis(50), async || std::future::pending::<Option<()>>().await);
        assert!(never.await.is_err());
    }
}
