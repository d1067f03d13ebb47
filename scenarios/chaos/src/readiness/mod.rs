//! Detects false readiness: a program that reports ready and does nothing, or works and reports unready.

mod poll;

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

pub(super) use poll::{Watch, Watched};

/// Time for which readiness may be false.
pub const BOUND: Duration = Duration::from_secs(10);

/// A sample of one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Answer of `/readyz`; None if there is none.
    pub ready: Option<bool>,
    /// Increases with all work that the program completes.
    pub done: i64,
    /// Increases with all work that the program is given.
    pub given: i64,
    /// A fault affects it: it may be unready while others do its work.
    pub under_fault: bool,
}

/// Judges the samples of one program. Pure, so that a test can feed it any.
#[derive(Debug)]
pub struct Judge {
    name: String,
    /// Amount of work given from which inactivity is suspicious.
    worth: i64,
    last: Option<Sample>,
    /// The last time at which it completed work, had none, or did not report ready; and the work given by then.
    excused: Option<(Instant, i64)>,
    /// Start of an unready report without a fault, the work completed by then, and the last time at which work was completed.
    unready: Option<(Instant, i64, Instant)>,
    /// True if the present violation has been reported.
    told: bool,
}

impl Judge {
    pub fn new(name: impl Into<String>, worth: i64) -> Self {
        Judge { name: name.into(), worth, last: None, excused: None, unready: None, told: false }
    }

    /// Takes a sample; returns a finding once for each violation.
    pub fn see(&mut self, now: Instant, sample: Sample) -> Option<String> {
        let progressed = self.last.is_none_or(|last| sample.done != last.done);
        self.last = Some(sample);
        let lie = self
            .idle_though_ready(now, sample, progressed)
            .or_else(|| self.busy_though_unready(now, sample, progressed));
        if lie.is_none() {
            self.told &= self.excused.is_some_and(|(since, _)| now > since) || self.unready.is_some();
            return None;
        }
        let new = !std::mem::replace(&mut self.told, true);
        lie.filter(|_| new)
    }

    fn idle_though_ready(&mut self, now: Instant, sample: Sample, progressed: bool) -> Option<String> {
        let (since, given) = match self.excused {
            Some(excused) if !progressed && sample.ready == Some(true) => excused,
            _ => {
                self.excused = Some((now, sample.given));
                return None;
            }
        };
        let waiting = sample.given - given;
        if waiting < self.worth {
            // No work yet: the time counts from when there is some.
            self.excused = Some((now, given));
            return None;
        }
        let idle = now - since;
        (idle > BOUND).then(|| {
            format!(
                "{} has called itself ready for {} s while {waiting} events wait for it and it does nothing",
                self.name,
                idle.as_secs()
            )
        })
    }

    fn busy_though_unready(&mut self, now: Instant, sample: Sample, progressed: bool) -> Option<String> {
        if sample.ready != Some(false) || sample.under_fault {
            self.unready = None;
            return None;
        }
        let (since, done, worked) = match self.unready {
            Some((since, done, worked)) if now - worked < BOUND / 3 => {
                (since, done, if progressed { now } else { worked })
            }
            _ if progressed => (now, sample.done, now),
            _ => return None,
        };
        self.unready = Some((since, done, worked));
        let unready = now - since;
        (unready > BOUND && progressed && sample.done - done >= self.worth)
            .then(|| format!("{} has called itself unready for {} s although it works", self.name, unready.as_secs()))
    }
}

/// The judge of each program.
pub type Judges<K> = BTreeMap<K, Judge>;

#[cfg(test)]
mod tests {
    use super::*;

    const WORTH: i64 = 50;

    /// Feeds one sample per second; returns the findings with their seconds.
    fn findings(samples: impl IntoIterator<Item = Sample>) -> Vec<(u64, String)> {
        let begun = Instant::now();
        let mut judge = Judge::new("account", WORTH);
        let seen = |(second, sample): (u64, Sample)| {
            judge.see(begun + Duration::from_secs(second), sample).map(|finding| (second, finding))
        };
        (0..).zip(samples).filter_map(seen).collect()
    }

    fn sample(ready: impl Into<Option<bool>>, done: i64, given: i64) -> Sample {
        Sample { ready: ready.into(), done, given, under_fault: false }
    }

    #[test]
    fn ready_and_idle_with_work_waiting_is_a_lie_and_told_once() {
        let found = findings((0..30).map(|second| sample(true, 7, second * 100)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, 11);
        assert!(found[0].1.contains("account has called itself ready"), "{found:?}");
    }

    #[test]
    fn a_second_lie_is_told_again() {
        let lie = |done| (0..15).map(move |second| sample(true, done, done * 10_000 + second * 100));
        assert_eq!(findings(lie(1).chain(lie(2))).len(), 2);
    }

    #[test]
    fn who_works_or_has_nothing_to_do_or_admits_it_does_not_lie() {
        assert_eq!(findings((0..60).map(|second| sample(true, second / 9, second * 100))), []);
        assert_eq!(findings((0..60).map(|_| sample(true, 7, 100))), []);
        assert_eq!(findings((0..60).map(|second| sample(false, 7, second * 100))), []);
        assert_eq!(findings((0..60).map(|second| sample(None, 7, second * 100))), []);
    }

    #[test]
    fn the_time_counts_from_when_there_is_something_to_do() {
        let late = |second: i64| sample(true, 7, if second < 20 { 0 } else { 1000 });
        assert_eq!(findings((0..60).map(late)).first().map(|(second, _)| *second), Some(30));
    }

    #[test]
    fn who_was_unready_for_long_has_a_while_to_say_that_it_works_again() {
        let back = |second: i64| sample(second >= 38, second.max(30) * 10, 1000);
        assert_eq!(findings((0..60).map(back)), []);
    }

    #[test]
    fn unready_and_working_is_a_lie_too_unless_a_fault_is_on_it() {
        let found = findings((0..40).map(|second| sample(false, second * 10, second * 10)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].1.contains("unready for 11 s"), "{found:?}");
        let excused = |second: i64| Sample { under_fault: true, ..sample(false, second * 10, second * 10) };
        assert_eq!(findings((0..40).map(excused)), []);
    }
}
