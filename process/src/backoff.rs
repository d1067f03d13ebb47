//! Exponential backoff with jitter, so that many waiting clients do not return all at once.

use std::time::Duration;

/// Delays that double from `first` to `longest`.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Backoff {
    /// A backoff from `first` up to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Backoff { first, longest, tries: 0 }
    }

    /// Number of tries since the last success.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// Counts a try without waiting.
    pub fn count(&mut self) {
        self.tries = self.tries.saturating_add(1);
    }

    /// Resets the backoff after a success.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// Time to wait now: between half and all of the current delay.
    pub fn delay(&mut self) -> Duration {
        let delay = self.first.saturating_mul(1 << self.tries.min(20)).min(self.longest);
        self.count();
        delay.mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_start_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for whole in [100, 200, 400, 800, 1000, 1000] {
            let delay = backoff.delay();
            assert!(
                delay >= Duration::from_millis(whole / 2) && delay <= Duration::from_millis(whole),
                "{delay:?} of {whole} ms"
            );
        }
        backoff.reset();
        assert!(backoff.delay() <= Duration::from_millis(100));
    }
}
