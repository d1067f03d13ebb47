//! One connection through a proxy, and the faults applied to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::{Mode, Side, pump::Direction};

/// Orders for all connections of a proxy.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Control {
    pub(super) mode: Mode,
    /// Connections with a lower number stay silent forever.
    pub(super) stranded_below: u64,
}

/// State shared by the connections of a proxy.
#[derive(Debug, Default)]
pub(super) struct Shared {
    opened: AtomicU64,
    pub(super) trap: Trap,
}

impl Shared {
    /// The number of connections so far, which is also the number of the next one.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Acquire)
    }
}

/// Waits for the first connection on which a program sends `COMMIT`.
#[derive(Debug, Default)]
pub(super) struct Trap {
    armed: AtomicBool,
    sprung: Notify,
}

impl Trap {
    pub(super) fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }

    /// Returns false if it was no longer armed.
    pub(super) fn disarm(&self) -> bool {
        self.armed.swap(false, Ordering::AcqRel)
    }

    /// Returns when it has caught a connection.
    pub(super) async fn sprung(&self) {
        self.sprung.notified().await;
    }

    /// Tells whether these bytes trigger it.
    fn is_sprung_by(&self, bytes: &[u8]) -> bool {
        const COMMIT: &[u8] = b"COMMIT";
        let commits = || bytes.windows(COMMIT.len()).any(|window| window.eq_ignore_ascii_case(COMMIT));
        self.armed.load(Ordering::Acquire) && commits() && self.disarm()
    }
}

/// One connection's view of the faults.
#[derive(Debug)]
pub(super) struct Line {
    number: u64,
    control: watch::Receiver<Control>,
    shared: Arc<Shared>,
    caught: AtomicBool,
}

impl Line {
    pub(super) fn open(control: watch::Receiver<Control>, shared: Arc<Shared>) -> Self {
        let number = shared.opened.fetch_add(1, Ordering::AcqRel);
        Line { number, control, shared, caught: AtomicBool::new(false) }
    }

    pub(super) fn is_silent(&self, direction: Direction) -> bool {
        let control = *self.control.borrow();
        let silent = match control.mode {
            Mode::Silent(Side::Both) => true,
            Mode::Silent(Side::Answers) => direction == Direction::Down,
            Mode::Pass | Mode::Reset | Mode::Refuse | Mode::Slow(_) => false,
        };
        silent || self.number < control.stranded_below || self.caught.load(Ordering::Acquire)
    }

    pub(super) fn delay(&self) -> Option<Duration> {
        match self.control.borrow().mode {
            Mode::Slow(delay) => Some(delay),
            Mode::Pass | Mode::Silent(_) | Mode::Reset | Mode::Refuse => None,
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        matches!(self.control.borrow().mode, Mode::Reset | Mode::Refuse)
    }

    /// Returns when the connection has to be reset.
    pub(super) async fn cut(&self) {
        let mut control = self.control.clone();
        // An error means that the proxy is gone, and its connections with it.
        let _ = control.wait_for(|control| matches!(control.mode, Mode::Reset | Mode::Refuse)).await;
    }

    /// Checks the program's bytes for the trap; strands the connection that triggers it.
    pub(super) fn inspect(&self, bytes: &[u8]) {
        if self.shared.trap.is_sprung_by(bytes) {
            self.caught.store(true, Ordering::Release);
            self.shared.trap.sprung.notify_one();
        }
    }
}
