//! Retry policy: when to retry and when to stop.

use std::time::Duration;

use super::{Answer, Attempt};

/// Delays between tries. A Try follows `delays` and then gives up; a Confirm or a Cancel goes on, doubling the last delay
/// up to `longest`, and is parked for an operator after `patience` tries.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct RetryPolicy {
    /// Milliseconds before the first, second, … retry.
    #[arg(long = "retry-delays-ms", env = "RETRY_DELAYS_MS", hide_env_values = true, value_delimiter = ',', default_values_t = [1000, 2000, 4000])]
    pub delays_ms: Vec<u64>,
    /// Maximum delay between tries of a confirm or a cancel, in milliseconds.
    #[arg(long = "retry-longest-ms", env = "RETRY_LONGEST_MS", hide_env_values = true, default_value_t = 60_000)]
    pub longest_ms: u64,
    /// Tries of a confirm or a cancel before it is parked for an operator.
    #[arg(long = "retry-patience", env = "RETRY_PATIENCE", hide_env_values = true, default_value_t = 12)]
    pub patience: u32,
}

/// Next step for an attempt whose call brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Retry.
    Retry {
        /// Delay before the retry.
        after: Duration,
        /// True if the try counts.
        counts: bool,
    },
    /// The Try has failed.
    GiveUp,
    /// Park for an operator.
    Park,
}

impl RetryPolicy {
    /// Next step after an answer; `None` if the attempt has ended.
    pub(super) fn next<C>(&self, attempt: &Attempt, answer: &Answer<C>) -> Option<Next> {
        match (answer, attempt.gives_up) {
            (Answer::Done(_), _) => None,
            (Answer::NeedsPerson(_), _) => Some(Next::Park),
            (Answer::Transient(_) | Answer::NotCalled(_), true) => {
                Some(match self.delays_ms.get(attempt.tries.saturating_sub(1) as usize) {
                    Some(&ms) => Next::Retry { after: Duration::from_millis(ms), counts: true },
                    None => Next::GiveUp,
                })
            }
            (Answer::Transient(_), false) if attempt.tries >= self.patience => Some(Next::Park),
            (Answer::Transient(_), false) => {
                Some(Next::Retry { after: self.patient_delay(attempt.tries), counts: true })
            }
            (Answer::NotCalled(_), false) => Some(Next::Retry { after: self.patient_delay(1), counts: false }),
        }
    }

    /// Maximum delay of any attempt.
    pub(super) fn longest_delay(&self) -> Duration {
        Duration::from_millis(self.delays_ms.iter().copied().max().unwrap_or(0).max(self.longest_ms))
    }

    fn patient_delay(&self, tries: u32) -> Duration {
        let index = tries.saturating_sub(1) as usize;
        let last = self.delays_ms.last().copied().unwrap_or(1000);
        let ms = self.delays_ms.get(index).copied().unwrap_or_else(|| {
            let doublings = (index - self.delays_ms.len()).min(30) as u32 + 1;
            last.saturating_mul(1 << doublings)
        });
        Duration::from_millis(ms.min(self.longest_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy { delays_ms: vec![1000, 2000, 4000], longest_ms: 30_000, patience: 6 }
    }

    fn attempt(tries: u32, gives_up: bool) -> Attempt {
        Attempt { gives_up, tries, ..Attempt::example() }
    }

    fn retry(ms: u64) -> Option<Next> {
        Some(Next::Retry { after: Duration::from_millis(ms), counts: true })
    }

    #[test]
    fn a_try_is_retried_three_times_and_then_gives_up() {
        let next: Vec<_> =
            (1..=4).map(|tries| policy().next(&attempt(tries, true), &Answer::<()>::Transient("500".into()))).collect();
        assert_eq!(next, [retry(1000), retry(2000), retry(4000), Some(Next::GiveUp)]);
    }

    #[test]
    fn a_confirm_goes_on_more_slowly_and_is_parked() {
        let next: Vec<_> = (1..=6)
            .map(|tries| policy().next(&attempt(tries, false), &Answer::<()>::Transient("500".into())))
            .collect();
        assert_eq!(next, [retry(1000), retry(2000), retry(4000), retry(8000), retry(16_000), Some(Next::Park)]);
    }

    #[test]
    fn an_open_circuit_uses_up_a_try_but_never_a_confirm() {
        let open = Answer::<()>::NotCalled("open".into());
        assert_eq!(policy().next(&attempt(4, true), &open), Some(Next::GiveUp));
        assert_eq!(
            policy().next(&attempt(99, false), &open),
            Some(Next::Retry { after: Duration::from_millis(1000), counts: false })
        );
    }

    #[test]
    fn an_answer_is_the_end_and_a_hopeless_call_is_for_a_person() {
        assert_eq!(policy().next(&attempt(1, true), &Answer::Done(())), None);
        for gives_up in [true, false] {
            assert_eq!(
                policy().next(&attempt(1, gives_up), &Answer::<()>::NeedsPerson("404".into())),
                Some(Next::Park)
            );
        }
    }
}
