//! A rate for each subject.

use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

/// Number of counters. Subjects share them by hash, so that memory is bounded however many subjects come. That two busy ones
/// share one is unlikely, and nobody can aim at it: the hash is keyed anew in every process.
const COUNTERS: u64 = 65_536;

/// Requests that each subject may make: so many at once, and so many a second in the long run.
#[derive(Debug)]
pub struct Rate {
    limiter: DefaultKeyedRateLimiter<u16>,
    clock: DefaultClock,
    hasher: RandomState,
}

impl Rate {
    /// A rate of `per_second` in the long run, and of `burst` at once.
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        Rate { limiter: RateLimiter::keyed(quota), clock: DefaultClock::default(), hasher: RandomState::new() }
    }

    /// Counts a request of this subject.
    ///
    /// # Errors
    /// If it is one too many: the time after which the next one may come.
    pub fn count(&self, subject: &str) -> Result<(), Duration> {
        let counter = (self.hasher.hash_one(subject) % COUNTERS) as u16;
        self.limiter.check_key(&counter).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate::new(NonZeroU32::new(per_second).expect("not 0"), NonZeroU32::new(burst).expect("not 0"))
    }

    #[test]
    fn one_who_asks_too_often_waits_and_holds_up_nobody_else() {
        let rate = rate(1, 3);
        assert!((0..3).all(|_| rate.count("1").is_ok()));
        let wait = rate.count("1").expect_err("a fourth at once");
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        let others = (2..=9).filter(|subject: &i32| rate.count(&subject.to_string()).is_ok()).count();
        // Two of nine may share a counter, with a probability of 1 in 2,000.
        assert!(others >= 7, "{others}");
    }

    #[test]
    fn memory_is_bounded_however_many_subjects_come() {
        let rate = rate(1, 1);
        for subject in 0..200_000 {
            let _ = rate.count(&subject.to_string());
        }
        assert!(rate.limiter.len() <= 65_536);
    }
}
