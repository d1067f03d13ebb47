//! State of each order of a stage: when it was meant to begin, when and how it ended.

use std::{
    sync::{
        Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use events::Reason;

use super::ticket::Tickets;

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Completed,
    /// Refused by a business rule; everything done before was compensated.
    Refused(Reason),
    /// Refused without a business rule: the deadline passed, or the gateway did not answer.
    Failed(Reason),
    /// The request could not be published.
    Unsent,
}

impl End {
    /// Classifies a refusal by its reason.
    pub fn refused(reason: Reason) -> Self {
        match reason {
            Reason::TimedOut | Reason::GatewayUnavailable => End::Failed(reason),
            Reason::InsufficientBalance
            | Reason::UnknownUser
            | Reason::InvalidPaymentMethod
            | Reason::CardDeclined
            | Reason::OutOfStock
            | Reason::UnknownProduct
            | Reason::UnshippableAddress
            | Reason::Discontinued
            | Reason::InvalidRequest
            | Reason::CancelledByUser
            | Reason::Other(_) => End::Refused(reason),
        }
    }
}

/// One order. Times count from the start of its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    pub intended: Duration,
    /// When and how it ended, if it did.
    pub ended: Option<(Duration, End)>,
}

impl Course {
    /// From the intended start to the end.
    pub fn latency(&self) -> Option<Duration> {
        self.ended.map(|(at, _)| at.saturating_sub(self.intended))
    }
}

/// The progress of a stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub sent: u32,
    pub completed: u32,
    pub refused: u32,
    pub failed: u32,
}

impl Count {
    pub fn ended(self) -> u32 {
        self.completed + self.refused + self.failed
    }

    pub fn in_flight(self) -> u32 {
        self.sent.saturating_sub(self.ended())
    }
}

/// All orders of a stage; written by the sender and by the observer of the ends, each order once.
#[derive(Debug)]
pub struct Tally {
    tickets: Tickets,
    begun: OnceLock<Instant>,
    intended: Vec<OnceLock<Duration>>,
    ended: Vec<OnceLock<(Duration, End)>>,
    sent: AtomicU32,
    completed: AtomicU32,
    refused: AtomicU32,
    failed: AtomicU32,
    pulse: (Mutex<()>, Condvar),
}

impl Tally {
    /// The tally of a stage that has not begun.
    pub fn new(orders: u32) -> Self {
        let cells = orders as usize;
        Tally {
            tickets: Tickets::draw(),
            begun: OnceLock::new(),
            intended: (0..cells).map(|_| OnceLock::new()).collect(),
            ended: (0..cells).map(|_| OnceLock::new()).collect(),
            sent: AtomicU32::new(0),
            completed: AtomicU32::new(0),
            refused: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            pulse: (Mutex::new(()), Condvar::new()),
        }
    }

    pub fn tickets(&self) -> Tickets {
        self.tickets
    }

    /// Starts the clock.
    pub fn begin(&self) {
        self.begun();
    }

    /// Start of the stage; the first call starts the clock.
    pub fn begun(&self) -> Instant {
        *self.begun.get_or_init(Instant::now)
    }

    pub fn orders(&self) -> u32 {
        self.intended.len() as u32
    }

    /// Records that an order was sent that was due at `intended` after the start of the stage.
    pub fn sent(&self, number: u32, intended: Duration) {
        if let Some(cell) = self.intended.get(number as usize)
            && cell.set(intended).is_ok()
        {
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records how an order ended. The first end counts; the audit checks that there is no second one.
    pub fn ended(&self, number: u32, at: Instant, end: End) {
        let after = at.saturating_duration_since(self.begun());
        if let Some(cell) = self.ended.get(number as usize)
            && cell.set((after, end)).is_ok()
        {
            let count = match end {
                End::Completed => &self.completed,
                End::Refused(_) => &self.refused,
                End::Failed(_) | End::Unsent => &self.failed,
            };
            count.fetch_add(1, Ordering::Release);
        }
    }

    /// Wakes [`until_room`](Self::until_room): once for all ends that were recorded.
    pub fn pulse(&self) {
        drop(self.pulse.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.pulse.1.notify_all();
    }

    /// Waits at most `bound` until fewer than `most` are in flight; returns false if there is still no room. Blocking.
    pub fn until_room(&self, most: u32, bound: Duration) -> bool {
        let guard = self.pulse.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |(): &mut ()| self.count().in_flight() >= most;
        let waited = self.pulse.1.wait_timeout_while(guard, bound, full);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    pub fn count(&self) -> Count {
        // Ends first: an order that has ended was sent before.
        let (completed, refused, failed) = (
            self.completed.load(Ordering::Acquire),
            self.refused.load(Ordering::Acquire),
            self.failed.load(Ordering::Acquire),
        );
        Count { sent: self.sent.load(Ordering::Acquire), completed, refused, failed }
    }

    /// Every order that was sent, by number.
    pub fn courses(&self) -> impl Iterator<Item = (u32, Course)> {
        let cells = self.intended.iter().zip(&self.ended).zip(0..);
        cells.filter_map(|((intended, ended), number)| {
            Some((number, Course { intended: *intended.get()?, ended: ended.get().copied() }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_counts_from_the_intended_beginning() {
        let tally = Tally::new(2);
        // The sender was delayed, so the second order was sent late; the system must not get credit for that.
        tally.sent(0, Duration::from_millis(0));
        tally.sent(1, Duration::from_millis(10));
        for number in [0, 1] {
            tally.ended(number, tally.begun() + Duration::from_millis(500), End::Completed);
        }
        let latencies: Vec<_> = tally.courses().filter_map(|(_, course)| course.latency()).collect();
        assert_eq!(latencies, [Duration::from_millis(500), Duration::from_millis(490)]);
    }

    #[test]
    fn the_first_end_counts_and_only_once() {
        let tally = Tally::new(1);
        tally.sent(0, Duration::ZERO);
        assert!(!tally.until_room(1, Duration::ZERO));
        tally.ended(0, tally.begun(), End::Refused(Reason::OutOfStock));
        tally.ended(0, tally.begun(), End::Completed);
        tally.ended(7, tally.begun(), End::Completed);
        assert_eq!(tally.count(), Count { sent: 1, completed: 0, refused: 1, failed: 0 });
        assert!(tally.until_room(1, Duration::ZERO));
    }

    #[test]
    fn a_deadline_is_no_business_refusal() {
        assert_eq!(End::refused(Reason::TimedOut), End::Failed(Reason::TimedOut));
        assert_eq!(End::refused(Reason::OutOfStock), End::Refused(Reason::OutOfStock));
    }
}
