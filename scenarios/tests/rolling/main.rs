//! Rolling changes: two versions of a service share its consumer group and its database, first the old with the new and then the
//! other way round, while thousands of sagas are in flight. Nothing is stuck, lost or doubled.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "how much each version did, for whoever runs it with --nocapture")]

mod flow;
mod workshop;

use std::{os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc, time::Duration};

use saga::shutdown::Shutdown;
use scenarios::{
    audit,
    databases::Databases,
    requests::Client,
    stack::{self, Broker, Manifest, Options, Reporter, Rolling, Stack, until},
};
use sqlx::PgPool;

use flow::{BURST, Flow, request};

/// Bound for any wait.
const BOUND: Duration = Duration::from_secs(60);
/// Time for which two versions run side by side in each step.
const TOGETHER: Duration = Duration::from_secs(1);
/// Minimum number of sagas that are under way when the reader is changed, since they wait for it.
const IN_FLIGHT: usize = 1_500;
/// Number of sagas after which a version has certainly worked.
const SOME: usize = 100;
/// Jobs that have ended, at the cutter.
const ENDED: &str = "select count(*) from cuts where done > 0";
/// Programs of the workshop: this test binary, started again by a script for each.
struct Scripts(tempfile::TempDir);

impl Scripts {
    fn write() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let this = std::env::current_exe().unwrap();
        for name in ["cutter-1", "cutter-2", "cutter-renamed", "fitter-1", "fitter-2"] {
            let script = format!(
                "#!/bin/sh\nexport WORKSHOP_PROGRAM={name}\nexec '{}' --exact workshop::program --ignored --nocapture\n",
                this.display()
            );
            let file = directory.path().join(name);
            std::fs::write(&file, script).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let manifest = "
            [[programs]]
            name = 'cutter'
            database = 'cutting'
            requests = ['job.requests']
            binary = 'cutter-1'

            [[programs]]
            name = 'fitter'
            database = 'fitting'
            binary = 'fitter-1'
        ";
        std::fs::write(directory.path().join("workshop.toml"), manifest).unwrap();
        Scripts(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn options(&self) -> Options {
        let manifest = Manifest::with_file(&self.path("workshop.toml")).unwrap();
        Options { manifest: Arc::new(manifest), ..Options::new(Broker::Kafka) }
    }
}

/// The system, seen from outside.
struct Workshop<'a> {
    stack: &'a Stack,
    scripts: &'a Scripts,
    databases: Databases,
}

impl Workshop<'_> {
    fn pool(&self, service: &str) -> &PgPool {
        let program = self.stack.environment().manifest.program(service).unwrap();
        self.databases.of_service(program.database().unwrap())
    }

    async fn count(&self, service: &str, query: &'static str) -> usize {
        let count: i64 = sqlx::query_scalar(query).fetch_one(self.pool(service)).await.unwrap();
        usize::try_from(count).unwrap()
    }

    fn rolling(&self, service: &str) -> anyhow::Result<Rolling> {
        let program = self.stack.environment().manifest.program(service).unwrap();
        self.stack.programs().unwrap().rolling(program)
    }

    /// Changes a service to this version of it while the old one still runs.
    async fn change(&self, service: &str, to: &str) -> anyhow::Result<()> {
        self.rolling(service)?.to(self.scripts.path(to), TOGETHER).await
    }

    async fn until_none(&self, what: &str, service: &str, query: &'static str) -> anyhow::Result<()> {
        until(what, BOUND, async || (self.count(service, query).await == 0).then_some(())).await
    }

    /// Waits until a service has done so many more.
    async fn until_more(&self, query: &'static str, service: &str, more: usize) -> anyhow::Result<()> {
        let before = self.count(service, query).await;
        let enough = async || (self.count(service, query).await >= before + more).then_some(());
        until(&format!("{more} more: {query}"), BOUND, enough).await
    }

    /// The first version, the second, and the first again. Forward in the wrong order: the cutter says what the fitter cannot
    /// read yet. Back in the right one.
    async fn there_and_back(&self) -> anyhow::Result<usize> {
        let flow = Flow::begin(self.stack.environment())?;
        self.change("cutter", "cutter-2").await?;
        let waits = "select count(*) from parked_newer where needs_version = 2";
        let many = async || (self.count("fitter", waits).await > IN_FLIGHT).then_some(());
        until("pieces of version 2 wait", BOUND, many).await?;
        self.change("fitter", "fitter-2").await?;
        // Nobody asks for it.
        let unsettled = "select count(*) from parked_events where status <> 'settled'";
        self.until_none("the new fitter has taken up what the old one left", "fitter", unsettled).await?;

        let by_the_second = "select count(*) from fits where by_version = 2";
        self.until_more(by_the_second, "fitter", flow.burst().await?).await?;
        let ever = "select count(*) from parked_events";
        let parked = self.count("fitter", ever).await;
        flow.burst().await?;
        self.change("cutter", "cutter-1").await?;
        let cut_by_the_first = "select count(*) from outbox where type = 'PieceCut' and dataversion = 1";
        self.until_more(cut_by_the_first, "cutter", SOME).await?;
        let published =
            "select count(*) from outbox where dataversion = 2 and seq > (select last_seq from relay_cursor)";
        self.until_none("every piece of version 2 is on Kafka", "cutter", published).await?;
        let second = self.count("cutter", "select count(*) from outbox where dataversion = 2").await;
        let fitted = async || (self.of_version_2_fitted().await == second).then_some(());
        until("every piece of version 2 is fitted", BOUND, fitted).await?;
        flow.burst().await?;
        println!(
            "{:>6} under way when the reader is changed back",
            flow.requested() - self.count("cutter", ENDED).await
        );
        self.change("fitter", "fitter-1").await?;
        self.until_more("select count(*) from fits where by_version = 1", "fitter", SOME).await?;
        assert_eq!(self.count("fitter", ever).await, parked, "in the right order nothing has to wait");
        let jobs = flow.end().await?;
        let done = async || (self.count("cutter", ENDED).await == jobs).then_some(());
        until("every job has ended", BOUND, done).await?;
        Ok(jobs)
    }

    /// Jobs whose piece was cut by the second version and has been fitted.
    async fn of_version_2_fitted(&self) -> usize {
        let cut: Vec<String> = sqlx::query_scalar("select aggregateid from outbox where dataversion = 2")
            .fetch_all(self.pool("cutter"))
            .await
            .unwrap();
        let fitted: i64 = sqlx::query_scalar("select count(*) from fits where job_id = any($1::text[]::uuid[])")
            .bind(cut)
            .fetch_one(self.pool("fitter"))
            .await
            .unwrap();
        usize::try_from(fitted).unwrap()
    }

    async fn is_whole(&self, jobs: usize) -> anyhow::Result<()> {
        let report = audit::run(self.stack.environment(), BOUND).await?;
        assert!(report.holds(), "{report:#?}");
        assert!(jobs > IN_FLIGHT + 3 * BURST, "{jobs}");
        // Each job once, at each service and as each event.
        let counts = [
            ("cutter", "select count(*) from cuts"),
            ("cutter", "select count(*) from cuts where done = 1"),
            ("cutter", "select count(*) from outbox where type = 'PieceCut'"),
            ("cutter", "select count(*) from outbox where type = 'JobDone'"),
            ("cutter", "select count(distinct aggregateid) from outbox where type = 'JobDone'"),
            ("fitter", "select count(*) from fits"),
            ("fitter", "select count(*) from outbox where type = 'PieceFitted'"),
        ];
        for (service, query) in counts {
            assert_eq!(self.count(service, query).await, jobs, "{service}: {query}");
        }
        // Both versions have worked, or the test would show nothing.
        for (service, query) in [
            ("cutter", "select count(*) from outbox where type = 'PieceCut' and dataversion = 1"),
            ("cutter", "select count(*) from outbox where type = 'PieceCut' and dataversion = 2"),
            ("fitter", "select count(*) from fits where by_version = 1"),
            ("fitter", "select count(*) from fits where by_version = 2"),
            ("fitter", "select count(*) from parked_events where status = 'settled' and tries > 1"),
        ] {
            let count = self.count(service, query).await;
            println!("{count:>6} of {jobs}  {service}: {query}");
            assert!(count > SOME, "{service}: {query}: {count}");
        }
        Ok(())
    }

    /// A test of the test: an incompatible change under the same version is found.
    async fn a_mistake_is_found(&self) -> anyhow::Result<()> {
        self.change("cutter", "cutter-renamed").await?;
        request(&Client::new(&self.stack.environment().brokers)?, 20).await?;
        let parked = "select count(*) from parked_events where status <> 'settled'
            and event_id not in (select event_id from parked_newer)";
        until("they are parked", BOUND, async || (self.count("fitter", parked).await == 20).then_some(())).await?;
        let report = audit::run(self.stack.environment(), BOUND).await?;
        let findings: Vec<&str> = report
            .invariants
            .iter()
            .flat_map(|invariant| &invariant.findings)
            .map(|finding| finding.what.as_str())
            .collect();
        assert_eq!(findings, ["20 events of fitting are parked and wait for a person"]);
        // A newer version of the reader does not help: only a person, or a reader of both names.
        self.change("fitter", "fitter-2").await?;
        assert_eq!(self.count("fitter", parked).await, 20);
        Ok(())
    }
}

#[tokio::test]
async fn two_versions_share_a_group_in_both_directions_and_nothing_is_stuck_lost_or_doubled() {
    let scripts = Scripts::write();
    let (reporter, (_stop, shutdown)) = (Reporter::silent(), Shutdown::by_hand());
    let done = stack::with(scripts.options(), &reporter, &shutdown, async |stack| {
        let databases = Databases::of(stack.environment())?;
        let workshop = Workshop { stack, scripts: &scripts, databases };
        let jobs = workshop.there_and_back().await?;
        workshop.is_whole(jobs).await?;
        workshop.a_mistake_is_found().await
    });
    done.await.unwrap().unwrap();
}
