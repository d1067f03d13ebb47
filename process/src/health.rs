//! Readiness and liveness of a program, judged by the progress of its loops.
//!
//! Every loop registers with [`Health::watch`] and marks each round that it completes, idle rounds included. A loop that
//! waits for something else (a database that is unavailable) reports it: the program is then not ready, but alive. A loop
//! that has marked nothing for much longer than its rounds may take is considered hung: `/livez` fails, so that an
//! orchestrator restarts the program.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// A loop is considered hung after this many times the bound of its rounds, and never before [`PATIENCE`].
const HUNG_AFTER: u32 = 4;
/// Minimum silence after which a loop is considered hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// A manual readiness switch: ready once everything that the program needs is available.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Sets the switch.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    /// Position of the switch.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Health of a program: its switches and the loops that it watches. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Parts>);

#[derive(Debug, Default)]
struct Parts {
    switches: Mutex<Vec<Readiness>>,
    loops: Mutex<Vec<Arc<Loop>>>,
}

/// Marks the progress of one loop; it counts until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Loop>);

#[derive(Debug)]
struct Loop {
    name: &'static str,
    /// Maximum duration of a healthy round.
    bound: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone)]
struct State {
    /// True once there was a sign of life: a loop that waits for others to start is not hung.
    started: bool,
    /// Last sign of life: a completed round, or one that had to wait.
    seen: Instant,
    /// Last completed round; before the first, the registration.
    progress: Instant,
    /// Reason why no round completes at present, and since when.
    waiting: Option<(String, Instant)>,
}

/// Result of a health check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What is not ready and since when, one line each.
    pub not_ready: Vec<String>,
    /// Loops that hang, one line each.
    pub hung: Vec<String>,
}

impl From<Readiness> for Health {
    fn from(switch: Readiness) -> Self {
        let health = Health::default();
        lock(&health.0.switches).push(switch);
        health
    }
}

impl Health {
    /// Watches a loop whose rounds take at most `bound`. It is not ready before its first completed round.
    pub fn watch(&self, name: &'static str, bound: Duration) -> Progress {
        let now = Instant::now();
        let waiting = Some(("it has not started yet".to_owned(), now));
        let state = Mutex::new(State { started: false, seen: now, progress: now, waiting });
        let watched = Arc::new(Loop { name, bound, state });
        lock(&self.0.loops).push(watched.clone());
        Progress(watched)
    }

    /// Judges switches and loops at `now`.
    pub fn report(&self, now: Instant) -> Report {
        let mut report = Report::default();
        if !lock(&self.0.switches).iter().all(Readiness::get) {
            report.not_ready.push("waiting for the database or the broker".to_owned());
        }
        for watched in lock(&self.0.loops).iter() {
            let state = lock(&watched.state).clone();
            judge(watched.name, watched.bound, &state, now, &mut report);
        }
        report
    }

    /// Sets the gauge `loop_last_progress_seconds`: the age of every loop's last completed round.
    pub fn publish(&self, now: Instant) {
        for watched in lock(&self.0.loops).iter() {
            let age = now.saturating_duration_since(lock(&watched.state).progress);
            metrics::gauge!("loop_last_progress_seconds", "loop" => watched.name).set(age.as_secs_f64());
        }
    }
}

impl Progress {
    /// Progress that no health check watches.
    pub fn unwatched() -> Self {
        Health::default().watch("unwatched", Duration::MAX)
    }

    /// Marks a completed round, idle or not.
    pub fn round(&self) {
        let now = Instant::now();
        let mut state = lock(&self.0.state);
        state.started = true;
        state.seen = now;
        state.progress = now;
        state.waiting = None;
    }

    /// Marks a round that could not complete: the loop is alive, but waits for `reason`.
    pub fn waiting(&self, reason: impl Into<String>) {
        let now = Instant::now();
        let mut state = lock(&self.0.state);
        state.started = true;
        state.seen = now;
        let since = state.waiting.take().map_or(now, |(_, since)| since);
        state.waiting = Some((reason.into(), since));
    }
}

/// A loop that has ended is not judged here: its supervisor knows.
impl Drop for Progress {
    fn drop(&mut self) {
        // The registry's reference and this one.
        if Arc::strong_count(&self.0) <= 2 {
            lock(&self.0.state).waiting = Some(("it has ended".to_owned(), Instant::now()));
        }
    }
}

fn judge(name: &str, bound: Duration, state: &State, now: Instant, report: &mut Report) {
    let silent = now.saturating_duration_since(state.seen);
    let since = |then: Instant| format!("{:.1} s", now.saturating_duration_since(then).as_secs_f64());
    if let Some((reason, begun)) = &state.waiting {
        report.not_ready.push(format!("{name}: {reason}, for {}", since(*begun)));
    } else if silent > bound {
        report.not_ready.push(format!("{name}: no progress for {}", since(state.progress)));
    }
    if state.started && silent > bound.saturating_mul(HUNG_AFTER).max(PATIENCE) {
        report.hung.push(format!("{name}: no sign of life for {}", since(state.seen)));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(2);

    #[test]
    fn a_loop_is_ready_from_its_first_round_until_it_is_late_for_the_next() {
        let health = Health::default();
        let progress = health.watch("timer", BOUND);
        let waits = health.report(Instant::now() + 10 * PATIENCE);
        assert!(waits.not_ready[0].starts_with("timer: it has not started yet"), "{waits:?}");
        assert!(waits.hung.is_empty(), "it waits for what comes before it: {waits:?}");
        progress.round();
        let now = Instant::now();
        assert_eq!(health.report(now), Report::default());
        let late = health.report(now + BOUND + Duration::from_millis(1));
        assert_eq!((late.not_ready.len(), late.hung.len()), (1, 0), "{late:?}");
        assert!(late.not_ready[0].starts_with("timer: no progress for 2.0 s"), "{late:?}");
    }

    #[test]
    fn a_loop_that_waits_is_alive_and_one_that_says_nothing_at_all_hangs() {
        let health = Health::default();
        let progress = health.watch("consumer", BOUND);
        progress.round();
        progress.waiting("the database is away");
        let now = Instant::now();
        let waits = health.report(now);
        assert!(waits.hung.is_empty() && waits.not_ready[0].contains("the database is away"), "{waits:?}");
        let hangs = health.report(now + PATIENCE + Duration::from_secs(1));
        assert!(hangs.hung[0].starts_with("consumer: no sign of life"), "{hangs:?}");
        progress.round();
        assert_eq!(health.report(Instant::now()), Report::default());
    }

    #[test]
    fn a_loop_that_has_ended_is_not_ready() {
        let health = Health::default();
        let progress = health.watch("consumer", BOUND);
        progress.round();
        drop(progress.clone());
        assert_eq!(health.report(Instant::now()), Report::default(), "one clone is left");
        drop(progress);
        assert!(health.report(Instant::now()).not_ready[0].contains("it has ended"));
    }

    #[test]
    fn a_switch_that_is_off_makes_the_program_not_ready() {
        let switch = Readiness::default();
        let health = Health::from(switch.clone());
        assert_eq!(health.report(Instant::now()).not_ready.len(), 1);
        switch.set(true);
        assert_eq!(health.report(Instant::now()), Report::default());
    }
}
