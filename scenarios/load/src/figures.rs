//! Figures from courses: histograms, percentiles, and their development over time.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    plan::Stage,
    processes::Usage,
    tally::{Course, End, Tally},
    times::{Bar, Latency, Times},
};

/// Number of intervals that a stage is divided into.
const MOMENTS: usize = 80;
/// Maximum number of single orders in a chart.
const DOTS: usize = 700;

/// Results of a stage.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub stage: String,
    pub pace: String,
    pub mix: String,
    pub orders: u32,
    pub success: u32,
    /// Refusals by business rules, by reason.
    pub refused: BTreeMap<String, u32>,
    /// Orders without an end within the time limit, or refused without a business rule, by reason.
    pub failed: BTreeMap<String, u32>,
    /// Orders that ended otherwise than intended.
    pub surprises: u32,
    /// From the first request to the last end.
    pub took_seconds: f64,
    pub sagas_per_second: f64,
    /// Latency of the completed orders.
    pub latency: Latency,
    /// Latency of the refused orders.
    pub refusal_latency: Latency,
    pub histogram: Vec<Bar>,
    pub over_time: Vec<Moment>,
    #[serde(skip)]
    pub dots: Vec<Dot>,
    pub processes: Vec<Usage>,
}

/// Orders that ended in one interval of the stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Moment {
    pub second: f64,
    pub orders: u64,
    pub p50: f64,
    pub p99: f64,
}

/// One order: when it ended, in seconds, and its latency in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    pub second: f64,
    pub latency: f64,
    pub success: bool,
}

impl Figures {
    pub fn of(stage: &Stage, tally: &Tally, processes: Vec<Usage>) -> Self {
        let courses: Vec<(u32, Course)> = tally.courses().collect();
        let mut figures = Figures {
            stage: stage.name.clone(),
            pace: stage.pace.to_string(),
            mix: stage.mix.to_string(),
            orders: stage.orders,
            success: 0,
            refused: BTreeMap::new(),
            failed: BTreeMap::new(),
            surprises: 0,
            took_seconds: 0.0,
            sagas_per_second: 0.0,
            latency: Latency::default(),
            refusal_latency: Latency::default(),
            histogram: Vec::new(),
            over_time: Vec::new(),
            dots: dots(&courses),
            processes,
        };
        let (mut success, mut refusal) = (Times::new(), Times::new());
        let mut last = Duration::ZERO;
        for (number, course) in &courses {
            let expected = stage.mix.fate_of(*number).completes();
            let Some((at, end)) = course.ended else {
                *figures.failed.entry("no end".to_owned()).or_default() += 1;
                continue;
            };
            let latency = at.saturating_sub(course.intended);
            match end {
                End::Completed => {
                    figures.success += 1;
                    success.record(latency);
                    figures.surprises += u32::from(!expected);
                }
                End::Refused(reason) => {
                    *figures.refused.entry(reason.to_string()).or_default() += 1;
                    refusal.record(latency);
                    figures.surprises += u32::from(expected);
                }
                End::Failed(reason) => *figures.failed.entry(reason.to_string()).or_default() += 1,
                End::Unsent => {
                    *figures.failed.entry("not published".to_owned()).or_default() += 1;
                    continue;
                }
            }
            last = last.max(at);
        }
        // Requests never sent because the stage reached its time limit have not ended either.
        let unsent = stage.orders.saturating_sub(courses.len() as u32);
        if unsent > 0 {
            *figures.failed.entry("not sent".to_owned()).or_default() += unsent;
        }
        let ended = courses.iter().filter(|(_, course)| course.ended.is_some()).count();
        figures.took_seconds = last.as_secs_f64();
        figures.sagas_per_second = if last.is_zero() { 0.0 } else { ended as f64 / last.as_secs_f64() };
        figures.latency = success.latency();
        figures.refusal_latency = refusal.latency();
        figures.histogram = success.bars();
        figures.over_time = over_time(&courses, last);
        figures
    }

    pub fn refusals(&self) -> u32 {
        self.refused.values().sum()
    }

    pub fn failures(&self) -> u32 {
        self.failed.values().sum()
    }
}

fn over_time(courses: &[(u32, Course)], last: Duration) -> Vec<Moment> {
    if last.is_zero() {
        return Vec::new();
    }
    let width = last.as_secs_f64() / MOMENTS as f64;
    let mut moments: BTreeMap<usize, Times> = BTreeMap::new();
    for (_, course) in courses {
        if let Some((at, End::Completed)) = course.ended {
            let place = ((at.as_secs_f64() / width) as usize).min(MOMENTS - 1);
            moments.entry(place).or_default().record(at.saturating_sub(course.intended));
        }
    }
    let moment = |(place, times): (usize, Times)| {
        let Latency { p50, p99, .. } = times.latency();
        Moment { second: (place as f64 + 0.5) * width, orders: times.len(), p50, p99 }
    };
    moments.into_iter().map(moment).collect()
}

/// Every order of a small stage, a regular sample of a large one.
fn dots(courses: &[(u32, Course)]) -> Vec<Dot> {
    let step = courses.len().div_ceil(DOTS).max(1);
    let dot = |(_, course): &(u32, Course)| {
        let (at, end) = course.ended?;
        let latency = course.latency()?.as_secs_f64() * 1e3;
        match end {
            End::Completed => Some(Dot { second: at.as_secs_f64(), latency, success: true }),
            End::Refused(_) | End::Failed(_) => Some(Dot { second: at.as_secs_f64(), latency, success: false }),
            End::Unsent => None,
        }
    };
    courses.iter().step_by(step).filter_map(dot).collect()
}

#[cfg(test)]
mod tests {
    use events::Reason;

    use super::*;
    use crate::{cast::Choice, mix::Mix, plan::Pace};

    fn stage(orders: u32, mix: &str) -> Stage {
        let mix: Mix = mix.parse().unwrap();
        Stage { name: "test".into(), orders, pace: Pace::Rate(100.0), mix, choice: Choice::default() }
    }

    fn at(tally: &Tally, milliseconds: u64) -> std::time::Instant {
        tally.begun() + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_stall_is_felt_by_everyone_who_had_to_wait_for_it() {
        // 100 per second; the system stalls for a second and then answers all at once. A sender that waits for answers would
        // record one slow order; here there are a hundred.
        let (stage, tally) = (stage(100, "happy=1"), Tally::new(100));
        for number in 0..100 {
            tally.sent(number, stage.pace.intended(number).unwrap());
            tally.ended(number, at(&tally, 1_000), End::Completed);
        }
        let Figures { latency, success, sagas_per_second, .. } = Figures::of(&stage, &tally, Vec::new());
        assert_eq!(success, 100);
        assert!((sagas_per_second - 100.0).abs() < 0.1);
        assert!((latency.mean - 505.0).abs() < 2.0, "{latency:?}");
        assert!((latency.p50 - 500.0).abs() < 2.0, "{latency:?}");
        assert!((latency.max - 1_000.0).abs() < 2.0, "{latency:?}");
    }

    #[test]
    fn every_order_is_counted_once_under_what_became_of_it() {
        let (stage, tally) = (stage(6, "happy=1"), Tally::new(6));
        for number in 0..5 {
            tally.sent(number, Duration::ZERO);
        }
        tally.ended(0, at(&tally, 10), End::Completed);
        tally.ended(1, at(&tally, 20), End::Refused(Reason::OutOfStock));
        tally.ended(2, at(&tally, 30), End::Failed(Reason::TimedOut));
        tally.ended(3, at(&tally, 40), End::Unsent);
        let figures = Figures::of(&stage, &tally, Vec::new());
        assert_eq!((figures.success, figures.refusals(), figures.failures()), (1, 1, 4));
        let reasons: Vec<&str> = figures.failed.keys().map(String::as_str).collect();
        assert_eq!(reasons, ["no end", "not published", "not sent", "timed_out"]);
        assert_eq!(figures.surprises, 1, "a happy order was refused");
        assert!((figures.latency.max - 10.0).abs() < 0.1, "refusals have latencies of their own");
    }

    #[test]
    fn nothing_ended_is_no_division_by_zero() {
        let figures = Figures::of(&stage(3, "happy=1"), &Tally::new(3), Vec::new());
        assert_eq!((figures.sagas_per_second, figures.failures()), (0.0, 3));
        assert!(figures.histogram.is_empty() && figures.over_time.is_empty());
    }
}
