//! A circuit breaker: while too many calls fail, no calls are made.
//!
//! Pure state without a clock: the caller passes the time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Thresholds and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time window of the calls that are counted.
    pub window: Duration,
    /// Minimum number of calls in the window to open the circuit.
    pub min_calls: usize,
    /// Percentage of failed calls at which the circuit opens.
    pub failure_percent: usize,
    /// Time for which an open circuit blocks calls, and after which an unanswered probe no longer blocks the next one.
    pub rest: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { window: Duration::from_secs(10), min_calls: 20, failure_percent: 50, rest: Duration::from_secs(5) }
    }
}

/// Closed admits all calls, open none, half-open one probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    Closed,
    HalfOpen,
    Open,
}

/// Permission for one call, to be returned with its outcome.
#[derive(Debug)]
#[must_use = "how the call went has to be recorded"]
pub struct Permit {
    era: u64,
}

#[derive(Debug)]
pub struct Breaker {
    limits: Limits,
    state: State,
    /// Increases with every change, so that calls from before it no longer count.
    era: u64,
}

#[derive(Debug)]
enum State {
    Closed(Recent),
    Open { since: Instant },
    HalfOpen { probe_since: Instant },
}

/// The calls in the window, oldest first.
#[derive(Debug, Default)]
struct Recent {
    calls: VecDeque<(Instant, bool)>,
    failures: usize,
}

impl Recent {
    fn push(&mut self, now: Instant, failed: bool, window: Duration) {
        self.calls.push_back((now, failed));
        self.failures += usize::from(failed);
        while let Some(&(at, failed)) = self.calls.front()
            && now.saturating_duration_since(at) > window
        {
            self.calls.pop_front();
            self.failures -= usize::from(failed);
        }
    }
}

impl Breaker {
    pub fn new(limits: Limits) -> Breaker {
        Breaker { limits, state: State::Closed(Recent::default()), era: 0 }
    }

    pub fn circuit(&self) -> Circuit {
        match self.state {
            State::Closed(_) => Circuit::Closed,
            State::Open { .. } => Circuit::Open,
            State::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }

    /// Number of calls that [`admit`](Self::admit) would let through now.
    pub fn room(&self, now: Instant) -> usize {
        match self.state {
            State::Closed(_) => usize::MAX,
            State::Open { since: at } | State::HalfOpen { probe_since: at } => usize::from(self.rested(at, now)),
        }
    }

    fn rested(&self, since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) >= self.limits.rest
    }

    /// A permit to call now; None while calls are blocked.
    pub fn admit(&mut self, now: Instant) -> Option<Permit> {
        match self.state {
            State::Closed(_) => {}
            State::Open { since: at } | State::HalfOpen { probe_since: at } if self.rested(at, now) => {
                self.enter(State::HalfOpen { probe_since: now });
            }
            State::Open { .. } | State::HalfOpen { .. } => return None,
        }
        Some(Permit { era: self.era })
    }

    /// Records the outcome of a call.
    pub fn record(&mut self, permit: Permit, now: Instant, failed: bool) {
        if permit.era != self.era {
            return;
        }
        let Limits { window, min_calls, failure_percent, .. } = self.limits;
        match &mut self.state {
            State::Closed(recent) => {
                recent.push(now, failed, window);
                let (calls, failures) = (recent.calls.len(), recent.failures);
                if calls >= min_calls && failures * 100 >= failure_percent * calls {
                    self.enter(State::Open { since: now });
                }
            }
            State::HalfOpen { .. } if failed => self.enter(State::Open { since: now }),
            State::HalfOpen { .. } => self.enter(State::Closed(Recent::default())),
            // No permit belongs to the era of an open circuit.
            State::Open { .. } => {}
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { window: Duration::from_secs(10), min_calls: 4, failure_percent: 50, rest: Duration::from_secs(5) };

    struct Call<'a>(&'a mut Breaker, Instant);

    impl Call<'_> {
        fn went(self, failed: bool) {
            let permit = self.0.admit(self.1).expect("admitted");
            self.0.record(permit, self.1, failed);
        }
    }

    fn calls(breaker: &mut Breaker, now: Instant, outcomes: impl IntoIterator<Item = bool>) {
        for failed in outcomes {
            Call(breaker, now).went(failed);
        }
    }

    fn open(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(LIMITS);
        calls(&mut breaker, now, [true; 4]);
        assert_eq!(breaker.circuit(), Circuit::Open);
        breaker
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_opens_exactly_when_enough_calls_failed_often_enough() {
        let now = Instant::now();
        for failures in 0..=6_usize {
            for successes in 0..=6_usize {
                let mut breaker = Breaker::new(LIMITS);
                // Successes first, so that the threshold is reached only at the end.
                calls(&mut breaker, now, (0..successes).map(|_| false));
                let mut failed = 0;
                while failed < failures && breaker.circuit() == Circuit::Closed {
                    Call(&mut breaker, now).went(true);
                    failed += 1;
                }
                let expected = (1..=failures).any(|failed| failed + successes >= 4 && failed >= successes);
                assert_eq!(breaker.circuit() == Circuit::Open, expected, "{failures} failed, {successes} did not");
            }
        }
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let begin = Instant::now();
        let mut breaker = Breaker::new(LIMITS);
        calls(&mut breaker, begin, [true; 3]);
        calls(&mut breaker, begin + seconds(11), [true; 3]);
        assert_eq!(breaker.circuit(), Circuit::Closed, "three of three in the window are too few to say anything");
        calls(&mut breaker, begin + seconds(12), [true]);
        assert_eq!(breaker.circuit(), Circuit::Open);
    }

    #[test]
    fn an_open_circuit_rests_and_then_lets_one_probe_through() {
        let begin = Instant::now();
        let mut breaker = open(begin);
        assert_eq!(breaker.room(begin + seconds(4)), 0);
        assert!(breaker.admit(begin + seconds(4)).is_none());
        assert_eq!(breaker.room(begin + seconds(5)), 1);
        let probe = breaker.admit(begin + seconds(5)).expect("a probe");
        assert_eq!(breaker.circuit(), Circuit::HalfOpen);
        assert_eq!(breaker.room(begin + seconds(6)), 0);
        assert!(breaker.admit(begin + seconds(6)).is_none(), "one probe at a time");
        breaker.record(probe, begin + seconds(6), false);
        assert_eq!((breaker.circuit(), breaker.room(begin + seconds(6))), (Circuit::Closed, usize::MAX));
        calls(&mut breaker, begin + seconds(6), [true; 3]);
        assert_eq!(breaker.circuit(), Circuit::Closed, "it begins anew");
    }

    #[test]
    fn a_failed_probe_opens_it_for_another_rest() {
        let begin = Instant::now();
        let mut breaker = open(begin);
        let probe = breaker.admit(begin + seconds(5)).expect("a probe");
        breaker.record(probe, begin + seconds(7), true);
        assert_eq!(breaker.circuit(), Circuit::Open);
        assert!(breaker.admit(begin + seconds(11)).is_none());
        assert!(breaker.admit(begin + seconds(12)).is_some());
    }

    #[test]
    fn a_probe_that_never_returns_is_replaced() {
        let begin = Instant::now();
        let mut breaker = open(begin);
        let lost = breaker.admit(begin + seconds(5)).expect("a probe");
        let second = breaker.admit(begin + seconds(10)).expect("another probe");
        breaker.record(lost, begin + seconds(11), true);
        assert_eq!(breaker.circuit(), Circuit::HalfOpen, "the lost one counts no more");
        breaker.record(second, begin + seconds(11), false);
        assert_eq!(breaker.circuit(), Circuit::Closed);
    }

    #[test]
    fn a_call_from_before_the_opening_changes_nothing() {
        let begin = Instant::now();
        let mut breaker = Breaker::new(LIMITS);
        let slow = [breaker.admit(begin), breaker.admit(begin)].map(|permit| permit.expect("admitted"));
        calls(&mut breaker, begin, [true; 4]);
        let [first, second] = slow;
        breaker.record(first, begin, false);
        assert_eq!(breaker.circuit(), Circuit::Open);
        let _probe = breaker.admit(begin + seconds(5)).expect("a probe");
        breaker.record(second, begin + seconds(5), false);
        assert_eq!(breaker.circuit(), Circuit::HalfOpen);
    }
}
