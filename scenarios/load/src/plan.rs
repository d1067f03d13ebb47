//! The stages of a load, and how their requests are spread over time.

use std::{fmt, time::Duration};

use anyhow::ensure;
use testbed::Broker;

use super::{cast::Choice, mix::Mix};

/// When the requests of a stage are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// All of them at once.
    AtOnce,
    /// Requests per second, whether the system keeps up or not: an open loop. Latency counts from the intended time of the
    /// request, so that a stalling system cannot hide delays by holding up the sender.
    Rate(f64),
    /// A new request whenever an order ends, with this many in flight: a closed loop, for the maximum throughput.
    InFlight(u32),
}

impl Pace {
    /// Intended time of the order with this number, from the start; `None` if it depends on other orders.
    pub fn intended(self, number: u32) -> Option<Duration> {
        match self {
            Pace::AtOnce => Some(Duration::ZERO),
            Pace::Rate(rate) => Some(Duration::from_secs_f64(f64::from(number) / rate)),
            Pace::InFlight(_) => None,
        }
    }

    /// Linger time of the sender's client. One Kafka request per record would cost the machine more than the saga does; the wait
    /// is part of the measured latency.
    pub(super) fn linger(self) -> Duration {
        match self {
            Pace::Rate(rate) if rate < 200.0 => Duration::ZERO,
            Pace::AtOnce => Duration::ZERO,
            Pace::Rate(_) | Pace::InFlight(_) => Duration::from_millis(5),
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pace::AtOnce => f.write_str("all at once"),
            Pace::Rate(rate) => write!(f, "{rate} a second, open loop"),
            Pace::InFlight(most) => write!(f, "{most} in flight, closed loop"),
        }
    }
}

/// A separately measured part of a load.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    pub name: String,
    pub orders: u32,
    pub pace: Pace,
    pub mix: Mix,
    pub choice: Choice,
}

/// A load: the warm-up, which is not measured, and the stages.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub warm_up: u32,
    pub stages: Vec<Stage>,
    /// Time allowed for orders to end after the last request. Later ones count as technical failures.
    pub patience: Duration,
}

impl Plan {
    /// Total number of orders.
    pub fn orders(&self) -> u64 {
        u64::from(self.warm_up) + self.stages.iter().map(|stage| u64::from(stage.orders)).sum::<u64>()
    }

    /// # Errors
    /// If the broker's memory cannot retain that many orders' events until the audit has read them.
    pub fn fits(&self, broker: Broker, partitions: i32) -> anyhow::Result<()> {
        let (orders, most) = (self.orders(), embedded_capacity(partitions));
        ensure!(
            broker != Broker::Embedded || orders <= most,
            "{orders} orders, warm-up included, are more than the embedded broker's memory keeps: {most} at most. \
             Take --broker kafka"
        );
        Ok(())
    }
}

/// Number of orders whose events fit into the embedded broker, which holds 5 MiB per partition and then drops the oldest records.
pub fn embedded_capacity(partitions: i32) -> u64 {
    const KEPT: u64 = 5 * 1024 * 1024;
    // The busiest topics have two events per order, of about 900 bytes with their headers.
    const BYTES_PER_ORDER: u64 = 2 * 1024;
    // Orders are not spread evenly over partitions.
    let usable = KEPT * 4 / 5;
    usable * u64::from(partitions.unsigned_abs()) / BYTES_PER_ORDER
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::Fate;

    fn plan(orders: u32) -> Plan {
        let (mix, choice) = (Mix::only(Fate::Happy), Choice::default());
        let stage = Stage { name: "test".into(), orders, pace: Pace::AtOnce, mix, choice };
        Plan { warm_up: 100, stages: vec![stage], patience: Duration::from_secs(1) }
    }

    #[test]
    fn more_than_the_embedded_broker_keeps_is_refused() {
        assert!(plan(1_000).fits(Broker::Embedded, 6).is_ok());
        assert!(plan(100_000).fits(Broker::Kafka, 6).is_ok());
        let error = plan(100_000).fits(Broker::Embedded, 6).unwrap_err().to_string();
        assert!(error.starts_with("100100 orders, warm-up included, are more than"), "{error}");
    }

    #[test]
    fn an_open_loop_is_due_by_the_clock_alone() {
        let pace = Pace::Rate(200.0);
        assert_eq!(pace.intended(0), Some(Duration::ZERO));
        assert_eq!(pace.intended(50), Some(Duration::from_millis(250)));
        assert_eq!(Pace::InFlight(3).intended(50), None);
    }
}
