//! The whole system on this machine: a private Postgres, a broker, and every program as a process of its own.
//!
//! [`with`] starts the system, runs some work with it and stops it, however the work ends. The work knows only the
//! [`Environment`], so it makes no difference whether the system was started here or already running.
//!
//! The kernel ends a child when the *thread* that spawned it is gone ([`process::command`]). So nothing is started on a
//! short-lived thread such as `spawn_blocking`'s.

#![allow(clippy::print_stdout, reason = "what the runner has to say to people goes to standard output")]

mod broker;
pub mod cast;
mod embedded;
pub mod env_file;
mod foundation;
mod kafka;
mod maven;
mod network;
mod ports;
mod postgres;
mod process;
mod programs;
mod proxy;
mod reporter;
pub mod seed;
mod state;

use std::{path::Path, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::LocalBoxFuture;
use saga::shutdown::Shutdown;
use secrecy::ExposeSecret;
use tokio::sync::watch;

pub use broker::{Broker, Started};
pub use embedded::Embedded;
pub use foundation::Foundation;
pub use kafka::{Kafka, Listener};
pub use network::Network;
pub use operations::{Database, Environment, Manifest, PAYMENT_DETAILS_KEY, Role, SYSTEM_MANIFEST, until};
pub use postgres::{POSTGRES_BIN, Postgres};
pub use process::command;
pub use programs::{Launch, Life, Pids, Ports, Program, Programs, Rolling, Setting, Supervisor, binary, binary_of};
pub use proxy::{Mode, Proxy, Side};
pub use reporter::{Reporter, Task};
pub use state::StateDir;

/// Default number of partitions of each topic.
pub const PARTITIONS: i32 = 6;

/// Options for starting a system.
#[derive(Debug, Clone)]
pub struct Options {
    /// The programs and their databases.
    pub manifest: Arc<Manifest>,
    pub broker: Broker,
    pub partitions: i32,
    pub settings: Vec<Setting>,
    /// True to put a proxy between each program and each server, so that tests can break the connections.
    pub breakable: bool,
}

impl Options {
    /// The unmodified shop.
    pub fn new(broker: Broker) -> Self {
        let manifest = Arc::new(Manifest::of_the_shop());
        Self { manifest, broker, partitions: PARTITIONS, settings: Vec::new(), breakable: false }
    }

    /// Puts a proxy between each program and each server.
    pub fn breakable(self) -> Self {
        Self { breakable: true, ..self }
    }

    /// Adds an environment variable to every program.
    pub fn setting_of_all(self, name: &str, value: &str) -> Self {
        let manifest = self.manifest.clone();
        manifest.programs().fold(self, |options, program| options.setting(program, name, value))
    }

    /// Adds an environment variable to one program.
    pub fn setting(mut self, program: Program, name: &str, value: impl Into<String>) -> Self {
        self.settings.push(Setting { program, name: name.to_owned(), value: value.into() });
        self
    }
}

/// A running system, started by us or external.
#[derive(Debug)]
pub struct Stack {
    environment: Environment,
    broker: Broker,
    own: Option<Own>,
}

/// Everything that has to be stopped.
#[derive(Debug)]
struct Own {
    programs: Programs,
    network: Arc<Network>,
    foundation: Foundation,
    state: StateDir,
}

/// Variable with PostgreSQL's URL for the superuser.
pub const POSTGRES_URL: &str = "POSTGRES_URL";

/// Runs `work` with the system that the process environment names, or else with a new one. A new one is stopped again, whether
/// the work succeeds, fails or panics, or `shutdown` is requested meanwhile; in the last case the result is None.
pub async fn with<T>(
    options: Options,
    reporter: &Reporter,
    shutdown: &Shutdown,
    work: impl AsyncFnOnce(&mut Stack) -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let opened = tokio::select! {
        opened = Stack::open(options, reporter) => opened,
        () = shutdown.requested() => return Ok(None),
    };
    let mut stack = opened?;
    let answer = tokio::select! {
        answer = work(&mut stack) => answer.map(Some),
        () = shutdown.requested() => Ok(None),
    };
    let stopped = stack.stop(reporter).await;
    let answer = answer?;
    stopped?;
    Ok(answer)
}

impl Stack {
    /// Uses the system that the process environment names, or else starts one.
    pub async fn open(options: Options, reporter: &Reporter) -> anyhow::Result<Self> {
        match Environment::from_process()? {
            Some(environment) => {
                let added = options.manifest.file().filter(|file| environment.manifest.file() != Some(*file));
                anyhow::ensure!(
                    added.is_none(),
                    "--manifest is for a new system, but KAFKA_BROKERS and DATABASE_URL_… name a running one: set \
                     {SYSTEM_MANIFEST} to the manifest that it was started with, or unset them"
                );
                reporter.note("using the system that KAFKA_BROKERS and DATABASE_URL_… name; starting nothing");
                Ok(Self::external(environment))
            }
            None => Self::start(options, reporter).await,
        }
    }

    /// An external system.
    pub fn external(environment: Environment) -> Self {
        Self { environment, broker: Broker::External, own: None }
    }

    /// Starts everything and waits until all of it is ready.
    ///
    /// # Errors
    /// If anything does not start; everything started before is stopped again.
    pub fn start(options: Options, reporter: &Reporter) -> LocalBoxFuture<'_, anyhow::Result<Self>> {
        // Boxed, so that it is compiled here and not in each test.
        Box::pin(Self::started(options, reporter))
    }

    async fn started(options: Options, reporter: &Reporter) -> anyhow::Result<Self> {
        let state = StateDir::create()?;
        reporter.note(format!("logs are in {}", state.logs().display()));
        // Report a missing binary now rather than after a minute.
        let manifest = &options.manifest;
        manifest.entries().iter().try_for_each(|entry| binary(entry).map(drop))?;
        let mut network = match options.breakable {
            true => Network::open(options.broker, manifest).await?,
            false => Network::default(),
        };
        let listeners = network.listeners();
        let foundation =
            Foundation::listening(manifest, options.broker, options.partitions, &listeners, &state, reporter).await?;
        let ports = Ports::choose(manifest)?;
        let further = manifest.programs().filter(|program| program.database().is_some_and(|own| !own.is_of_the_shop()));
        let environment = Environment {
            manifest: manifest.clone(),
            brokers: foundation.broker.brokers().to_owned(),
            databases: foundation.postgres.databases().clone(),
            order_api: Some(ports.url(Program::ORDER)),
            gateway: Some(ports.url(Program::PAYMENT_GATEWAY)),
            payment_details_key: Some(BASE64_STANDARD.encode(rand::random::<[u8; 32]>()).into()),
            mail_dir: std::env::var_os("SMTP_URL").is_none().then(|| state.mail()),
            mail_api: std::env::var("MAIL_API_URL").ok(),
            further_programs: further.map(|program| ports.url(program)).collect(),
            credentials: operations::credentials::Credentials::from_process()?,
        };
        if options.breakable {
            network.reach_databases(&environment).await?;
        }
        let step = reporter.step("starting the services, the payment gateway and the relay");
        let programs =
            Programs::start(&environment, &network, ports, options.partitions, &options.settings, &state, reporter)
                .await?;
        step.done("the services, the payment gateway and the relay, each a process of its own");
        Ok(Self {
            environment,
            broker: options.broker,
            own: Some(Own { programs, network: Arc::new(network), foundation, state }),
        })
    }

    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The broker in use.
    pub fn broker(&self) -> Broker {
        self.broker
    }

    /// The jars of Kafka's own tools, if we started Kafka.
    pub fn kafka_jars(&self) -> Option<&Path> {
        self.own.as_ref()?.foundation.broker.jars()
    }

    /// Postgres and the broker, if we started them, for fault injection.
    pub fn foundation(&mut self) -> Option<&mut Foundation> {
        self.own.as_mut().map(|own| &mut own.foundation)
    }

    /// The proxies between programs and servers, if we started them.
    pub fn network(&self) -> Option<Arc<Network>> {
        self.own.as_ref().map(|own| own.network.clone())
    }

    /// The directory with the logs, if we started the system.
    pub fn state(&self) -> Option<&StateDir> {
        self.own.as_ref().map(|own| &own.state)
    }

    /// The programs, if we started them.
    pub fn programs(&self) -> Option<&Programs> {
        self.own.as_ref().map(|own| &own.programs)
    }

    /// The process ids of the programs that we started; changes with every restart.
    pub fn pids(&self) -> Option<watch::Receiver<Pids>> {
        self.programs().map(Programs::pids)
    }

    /// Every process that we started, by name: the programs, `postgres` and `kafka`.
    pub fn processes(&self) -> Vec<(String, u32)> {
        let Some(own) = &self.own else { return Vec::new() };
        let programs = own.programs.pids().borrow().clone();
        let programs = programs.into_iter().map(|(program, pid)| (program.name().to_owned(), pid));
        let servers = [("postgres", own.foundation.postgres.pid()), ("kafka", own.foundation.broker.pid())];
        programs.chain(servers.into_iter().filter_map(|(name, pid)| Some((name.to_owned(), pid?)))).collect()
    }

    /// The broker and the database, with their versions if we started them.
    pub fn versions(&self) -> (String, String) {
        match &self.own {
            Some(own) => (own.foundation.broker.version(), format!("PostgreSQL {}", own.foundation.postgres.version())),
            None => (format!("the broker at {}", self.environment.brokers), "a Postgres that was running".to_owned()),
        }
    }

    /// Returns the reason if Postgres or the broker ends unexpectedly.
    pub async fn failed(&mut self) -> anyhow::Error {
        match &mut self.own {
            Some(own) => own.foundation.failed().await,
            None => std::future::pending().await,
        }
    }

    /// Variables for other programs: the environment and, for each program that we started, its process id and its HTTP address.
    pub fn variables(&self) -> Vec<(String, String)> {
        let mut variables = self.environment.variables();
        if let Some(jars) = self.kafka_jars() {
            variables.push(("KAFKA_JARS".to_owned(), jars.display().to_string()));
        }
        if let Some(own) = &self.own {
            let pids = own.programs.pids().borrow().clone();
            variables.extend(pids.iter().map(|(program, pid)| (program.variable("PID"), pid.to_string())));
            let postgres = &own.foundation.postgres;
            variables.push((POSTGRES_URL.to_owned(), postgres.admin_url().expose_secret().to_owned()));
            variables.push(("POSTGRES_ADDRESS".to_owned(), postgres.address()));
            let url = |program: Program| (program.variable("HTTP_URL"), own.programs.ports().url(program));
            variables.extend(self.environment.manifest.programs().map(url));
        }
        variables
    }

    /// Stops everything that we started, programs first.
    pub fn stop(self, reporter: &Reporter) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async move {
            let Some(own) = self.own else { return Ok(()) };
            let step = reporter.step("stopping everything");
            let programs = own.programs.stop().await;
            let foundation = own.foundation.stop().await;
            programs.and(foundation)?;
            step.done("everything stopped");
            Ok(())
        })
    }
}
