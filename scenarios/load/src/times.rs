//! Latencies: a histogram with three significant digits, its percentiles and its bars.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

/// Bars of a histogram per factor of ten.
const BARS_PER_DECADE: f64 = 30.0;

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    pub mean: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// Number of orders that took from `from` to `to` milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bar {
    pub from: f64,
    pub to: f64,
    pub orders: u64,
}

/// Latencies, to three significant digits.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Times::new()
    }
}

impl Times {
    pub fn new() -> Self {
        // One microsecond to an hour; three digits is a valid choice, so this never fails.
        let histogram = Histogram::new_with_bounds(1, 3_600_000_000, 3);
        Times(histogram.unwrap_or_else(|_| unreachable!("the bounds are constants")))
    }

    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1));
    }

    pub fn len(&self) -> u64 {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All zero if there are none.
    pub fn latency(&self) -> Latency {
        if self.is_empty() {
            return Latency::default();
        }
        let quantile = |q| milliseconds(self.0.value_at_quantile(q));
        Latency {
            mean: self.0.mean() / 1e3,
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
            max: milliseconds(self.0.max()),
        }
    }

    /// Bars whose width grows with the latency: the same number of them for each factor of ten.
    pub fn bars(&self) -> Vec<Bar> {
        let mut bars: BTreeMap<i32, u64> = BTreeMap::new();
        for value in self.0.iter_recorded() {
            let place = (milliseconds(value.value_iterated_to()).log10() * BARS_PER_DECADE).floor();
            *bars.entry(place as i32).or_default() += value.count_at_value();
        }
        let edge = |place: i32| 10_f64.powf(f64::from(place) / BARS_PER_DECADE);
        bars.into_iter().map(|(place, orders)| Bar { from: edge(place), to: edge(place + 1), orders }).collect()
    }
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_hold_everything_and_touch() {
        let mut times = Times::new();
        for milliseconds in [1, 2, 5, 10, 10, 100] {
            times.record(Duration::from_millis(milliseconds));
        }
        let bars = times.bars();
        assert_eq!(bars.iter().map(|bar| bar.orders).sum::<u64>(), 6);
        assert!(bars.iter().all(|bar| bar.from < bar.to));
    }
}
