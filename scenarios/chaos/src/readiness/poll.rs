//! Polls every program's health, and its progress in the databases, during a run of chaos.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use operations::{choreography::Choreography, databases::Databases};
use reqwest::StatusCode;
use saga::shutdown::{Shutdown, Stop};
use testbed::{Database, Environment, Manifest, Pids, Ports, Program, Role};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use super::{BOUND, Judge, Judges, Sample};
use crate::Diary;

const EVERY: Duration = Duration::from_millis(500);
/// Events from other services before it is suspicious that a service publishes nothing: some are not for it.
const WORTH: i64 = 60;

/// The programs that faults affect.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched(Arc<Mutex<BTreeMap<Program, usize>>>);

impl Watched {
    /// Marks the beginning or the end of a fault on these programs.
    pub(crate) fn faults_on(&self, programs: &[Program], on: bool) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for program in programs {
            let count = faults.entry(*program).or_default();
            *count = if on { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    fn has_fault(&self, program: Program) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&program).is_some_and(|count| *count > 0)
    }
}

/// Polls until it is ended.
pub(crate) struct Watch {
    stop: Stop,
    polling: JoinHandle<Vec<String>>,
}

/// The share of a service, or of the relay, in one database.
type Part = (Program, Database);

struct Poller {
    http: reqwest::Client,
    ports: Ports,
    pids: watch::Receiver<Pids>,
    databases: Databases,
    programs: Vec<Program>,
    /// For each service's database, those of the services whose events it consumes.
    heard_by: BTreeMap<Database, BTreeSet<Database>>,
    diary: Diary,
    watched: Watched,
    judges: Judges<Part>,
    /// Since when `/livez` has been failing.
    dying: BTreeMap<Program, Instant>,
}

impl Watch {
    pub(crate) async fn begin(
        environment: &Environment,
        ports: Ports,
        pids: watch::Receiver<Pids>,
        diary: Diary,
        watched: Watched,
    ) -> anyhow::Result<Self> {
        let (stop, shutdown) = Shutdown::by_hand();
        let judge = |part: Part| {
            let (program, database) = part;
            let (name, worth) = match program {
                _ if program.role() == Role::Relay => (format!("{program} (for {database})"), 1),
                _ => (program.to_string(), WORTH),
            };
            (part, Judge::new(name, worth))
        };
        let manifest = environment.manifest.clone();
        let parts = manifest
            .programs()
            .flat_map(|program| manifest.databases_of(program).into_iter().map(move |database| (program, database)));
        let poller = Poller {
            http: environment.transport.http()?.timeout(Duration::from_secs(2)).build()?,
            ports,
            pids,
            databases: Databases::of(environment)?,
            programs: manifest.programs().collect(),
            heard_by: heard_by(&Choreography::with(&environment.further_programs).await?, &manifest),
            diary,
            watched,
            judges: parts.map(judge).collect(),
            dying: BTreeMap::new(),
        };
        Ok(Watch { stop, polling: tokio::spawn(poller.poll(shutdown)) })
    }

    /// Ends the watch; returns its findings.
    pub(crate) async fn end(self) -> anyhow::Result<Vec<String>> {
        self.stop.now();
        Ok(self.polling.await?)
    }
}

impl Poller {
    async fn poll(mut self, shutdown: Shutdown) -> Vec<String> {
        let mut findings = Vec::new();
        while shutdown.sleep(EVERY).await {
            let health: BTreeMap<Program, (Option<bool>, Option<bool>)> =
                join_all(self.programs.iter().map(|program| self.ask(*program))).await.into_iter().collect();
            for (program, (_, alive)) in &health {
                self.restart_if_dead(*program, *alive);
            }
            // While the server itself is down, no program can work and progress cannot be read.
            let Some(work) = self.work().await else { continue };
            for ((program, database), judge) in &mut self.judges {
                let Some(own) = work.get(database).copied() else { continue };
                let (done, given) = match program {
                    _ if program.role() == Role::Relay => (own.published, own.written),
                    _ => {
                        let heard = self.heard_by.get(database).into_iter().flatten();
                        (own.by_service(), heard.filter_map(|other| work.get(other)).map(|other| other.published).sum())
                    }
                };
                let ready = health.get(program).and_then(|(ready, _)| *ready);
                let sample = Sample { ready, done, given, under_fault: self.watched.has_fault(*program) };
                if let Some(finding) = judge.see(Instant::now(), sample) {
                    self.diary.note(format!("  FOUND: {finding}"));
                    findings.push(finding);
                }
            }
        }
        findings
    }

    /// Answers of `/readyz` and `/livez`.
    async fn ask(&self, program: Program) -> (Program, (Option<bool>, Option<bool>)) {
        let get = async |path: &str| {
            let url = format!("{}{path}", self.ports.operations_url(program));
            self.http.get(url).send().await.ok().map(|answer| answer.status() == StatusCode::OK)
        };
        (program, tokio::join!(get("/readyz"), get("/livez")))
    }

    /// Acts as an orchestrator would: kills a program that reports that it is not alive; its supervisor restarts it.
    fn restart_if_dead(&mut self, program: Program, alive: Option<bool>) {
        if alive != Some(false) {
            self.dying.remove(&program);
            return;
        }
        let since = *self.dying.entry(program).or_insert_with(Instant::now);
        if since.elapsed() < BOUND / 2 {
            return;
        }
        self.dying.remove(&program);
        if let Some(pid) = self.pids.borrow().get(&program).and_then(|pid| i32::try_from(*pid).ok()) {
            self.diary.note(format!("  {program} reports that it is not alive; killing it, so that it is restarted"));
            // The process may already be gone.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    async fn work(&self) -> Option<BTreeMap<Database, Work>> {
        let read = async |database: Database| {
            let query = sqlx::query_as(
                "select coalesce((select max(seq) from outbox), 0), last_seq,
                        coalesce((select sum(next_offset) from consumer_offsets), 0)::bigint
                 from relay_cursor",
            );
            let read = tokio::time::timeout(EVERY * 4, query.fetch_one(self.databases.of_service(database))).await;
            let (written, published, read) = read.ok()?.ok()?;
            Some((database, Work { written, published, read }))
        };
        let work: BTreeMap<Database, Work> =
            join_all(self.databases.all().map(read)).await.into_iter().flatten().collect();
        // A service beside the shop may be ill by itself; the shop's databases are on one server.
        Database::OF_THE_SHOP.iter().all(|database| work.contains_key(database)).then_some(work)
    }
}

/// The progress of one database's service and of its relay.
#[derive(Debug, Clone, Copy, Default)]
struct Work {
    /// Events that the service has written.
    written: i64,
    /// Events that the relay has published.
    published: i64,
    /// Records that the service has finished, over all partitions.
    read: i64,
}

impl Work {
    /// Increases with whatever the service does, even if events change nothing, for example when many orders were too late.
    fn by_service(self) -> i64 {
        self.written + self.read
    }
}

/// For each service's database, those of the services whose events it consumes.
fn heard_by(choreography: &Choreography, manifest: &Manifest) -> BTreeMap<Database, BTreeSet<Database>> {
    let database = |service: &str| manifest.databases().find(|database| database.publisher().name() == service);
    let mut heard: BTreeMap<Database, BTreeSet<Database>> = BTreeMap::new();
    for (service, publisher) in choreography.arrows() {
        if let Some(service) = database(service) {
            heard.entry(service).or_default().extend(database(publisher));
        }
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_events_that_change_nothing_does_something() {
        let before = Work { written: 7, published: 7, read: 100 };
        assert_ne!(before.by_service(), Work { read: 101, ..before }.by_service());
        assert_ne!(before.by_service(), Work { written: 8, ..before }.by_service());
        assert_eq!(
            before.by_service(),
            Work { published: 8, ..before }.by_service(),
            "what the relay does is not its work"
        );
    }

    #[test]
    fn everybody_hears_somebody_and_the_databases_are_the_services_own() {
        let heard = heard_by(&Choreography::of_the_shop(), &Manifest::of_the_shop());
        assert_eq!(heard.len(), Database::OF_THE_SHOP.len());
        let by_shipping = [Database::ORDERS, Database::INVENTORY, Database::ENTITLEMENTS];
        assert_eq!(heard[&Database::SHIPPING], BTreeSet::from(by_shipping));
        assert!(heard.values().all(|others| !others.is_empty()), "{heard:?}");
    }
}
