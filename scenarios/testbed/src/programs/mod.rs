//! The services, the gateway and the relay, each a process of its own.

mod migration;
mod program;
mod rolling;
mod supervisor;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use futures::future::{join_all, try_join_all};
use operations::Entry;
use tokio::sync::watch;

use super::{Environment, Manifest, Roles, certs::Certs, network::Network, reporter::Reporter, state::StateDir};

pub use operations::Program;
pub use program::{binary, binary_of};
pub use rolling::Rolling;
pub use supervisor::{Launch, Life, Supervisor};

const READY_WITHIN: Duration = Duration::from_secs(90);

/// The process id of each running program.
pub type Pids = BTreeMap<Program, u32>;

/// An additional variable for one program.
#[derive(Debug, Clone)]
pub struct Setting {
    pub program: Program,
    pub name: String,
    pub value: String,
}

/// All programs, under supervision.
#[derive(Debug)]
pub struct Programs {
    running: Vec<Supervisor>,
    launches: BTreeMap<Program, Launch>,
    ports: Ports,
    reporter: Reporter,
    pids: watch::Receiver<Pids>,
}

/// HTTP addresses of each program; unchanged by a restart.
#[derive(Debug, Clone)]
pub struct Ports {
    own: BTreeMap<Program, u16>,
    /// Ports of operations, where they have a listener of their own.
    operations: Option<BTreeMap<Program, u16>>,
}

impl Ports {
    /// Free ports: two for each program of a secured system, which serves operations apart and over TLS, else one.
    pub(super) fn choose(manifest: &Manifest, secured: bool) -> anyhow::Result<Self> {
        let choose = || -> anyhow::Result<BTreeMap<Program, u16>> {
            manifest.programs().map(|program| Ok((program, super::ports::free()?))).collect()
        };
        Ok(Ports { own: choose()?, operations: if secured { Some(choose()?) } else { None } })
    }

    fn variables(&self, program: Program) -> Vec<(String, String)> {
        let mut variables = vec![("HTTP_ADDR".to_owned(), address(&self.own, program))];
        variables.extend(self.operations.as_ref().map(|ports| ("OPS_ADDR".to_owned(), address(ports, program))));
        variables
    }

    /// The base URL of the program's own routes.
    pub fn url(&self, program: Program) -> String {
        self.url_at(&self.own, program)
    }

    /// The base URL of its health, metrics and settings.
    pub fn operations_url(&self, program: Program) -> String {
        self.url_at(self.operations.as_ref().unwrap_or(&self.own), program)
    }

    fn url_at(&self, ports: &BTreeMap<Program, u16>, program: Program) -> String {
        format!("{}://{}", if self.operations.is_some() { "https" } else { "http" }, address(ports, program))
    }
}

fn address(ports: &BTreeMap<Program, u16>, program: Program) -> String {
    // Every program has a port by construction.
    format!("127.0.0.1:{}", ports.get(&program).copied().unwrap_or_default())
}

/// How the programs are started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) partitions: i32,
    /// Added to each program's usual variables.
    pub(super) settings: &'a [Setting],
    /// Certificates, if every link has them.
    pub(super) certs: Option<&'a Certs>,
    /// The databases' roles, if each program has its own; the owner's migrates first.
    pub(super) roles: Option<&'a Roles>,
}

impl Programs {
    /// Starts all programs against `environment`, through the proxies of `network`, and waits until all are ready.
    ///
    /// # Errors
    /// If one has not been built or does not become ready.
    pub(super) async fn start(
        environment: &Environment,
        network: &Network,
        ports: Ports,
        plan: Plan<'_>,
        state: &StateDir,
        reporter: &Reporter,
    ) -> anyhow::Result<Self> {
        let (tell, pids) = watch::channel(Pids::new());
        let launch = |entry: &Entry| {
            let program = entry.program;
            let own = plan.roles.map(|roles| roles.environment_of(program, environment));
            let seen = network.seen_by(program, own.as_ref().unwrap_or(environment))?;
            let mut variables = program::wiring(entry, &seen, state, plan.partitions)?;
            variables.extend(ports.variables(program));
            variables.extend(plan.certs.iter().flat_map(|certs| certs.variables(program)));
            let own = plan.settings.iter().filter(|setting| setting.program == program);
            variables.extend(own.map(|setting| (setting.name.clone(), setting.value.clone())));
            Ok(Launch {
                name: program.name().to_owned(),
                binary: binary(entry)?,
                arguments: Vec::new(),
                variables,
                log: state.log_of(program.name()),
                transport: environment.transport.clone(),
            })
        };
        // Find all binaries before starting any program.
        let manifest = &environment.manifest;
        let launches: Vec<Launch> = manifest.entries().iter().map(launch).collect::<anyhow::Result<_>>()?;
        if let Some(roles) = plan.roles {
            migration::migrate(manifest, roles, plan.certs, &launches).await?;
        }
        let supervise = |(program, launch): (Program, Launch)| {
            let tell = tell.clone();
            let started = move |pid| tell.send_modify(|pids| _ = pids.insert(program, pid));
            Supervisor::start(launch, reporter.clone(), started)
        };
        let running: Vec<Supervisor> =
            manifest.programs().zip(launches.clone()).map(supervise).collect::<anyhow::Result<_>>()?;
        let launches = manifest.programs().zip(launches).collect();
        let programs = Self { running, launches, ports, reporter: reporter.clone(), pids };
        let all_ready = manifest.programs().zip(&programs.running).map(|(program, supervisor)| {
            let url = programs.ports.operations_url(program);
            async move { supervisor.ready(&url, READY_WITHIN).await }
        });
        try_join_all(all_ready).await?;
        Ok(programs)
    }

    /// Starts another replica of a running program, with its own port and instance id, modified by `change`. The caller owns it.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn one_more(&self, program: Program, change: impl FnOnce(&mut Launch)) -> anyhow::Result<Supervisor> {
        rolling::one_more(program, self.launch_of(program)?, &self.reporter, change).map(|(second, _)| second)
    }

    /// A handle with which the program's version can be changed.
    ///
    /// # Errors
    /// If the program does not run.
    pub fn rolling(&self, program: Program) -> anyhow::Result<Rolling> {
        let launch = self.launch_of(program)?.clone();
        // In the order of the manifest, as `launches` is.
        let place = self.launches.keys().position(|other| *other == program);
        let supervisor = place.and_then(|place| self.running.get(place)).context("every program has a supervisor")?;
        let (life, exchange, url) = (supervisor.watched(), supervisor.exchange(), self.ports.operations_url(program));
        Ok(Rolling::new(program, launch, life, exchange, url, self.reporter.clone()))
    }

    fn launch_of(&self, program: Program) -> anyhow::Result<&Launch> {
        self.launches.get(&program).with_context(|| format!("{program} does not run"))
    }

    /// The process ids; changes with every restart.
    pub fn pids(&self) -> watch::Receiver<Pids> {
        self.pids.clone()
    }

    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Stops all of them at once; each finishes its work in progress.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        join_all(self.running.into_iter().map(Supervisor::stop)).await.into_iter().collect()
    }
}
