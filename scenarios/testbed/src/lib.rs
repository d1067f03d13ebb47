//! The whole system on this machine: a private Postgres, a broker, and every program as a process of its own.
//!
//! [`with`] starts the system, runs some work with it and stops it, however the work ends. The work knows only the
//! [`Environment`], so it makes no difference whether the system was started here or already running.
//!
//! The kernel ends a child when the *thread* that spawned it is gone ([`process::command`]). So nothing is started on a
//! short-lived thread such as `spawn_blocking`'s.

#![allow(clippy::print_stdout, reason = "what the runner has to say to people goes to standard output")]

mod audit_log;
mod broker;
pub mod cast;
pub mod certs;
mod closed;
mod embedded;
pub mod env_file;
mod foundation;
mod kafka;
mod maven;
pub mod methods;
mod network;
mod options;
mod personal;
mod ports;
mod postgres;
mod process;
mod programs;
mod proxy;
mod reporter;
pub mod seed;
mod state;
mod tokens;
mod variables;
mod with;

use std::{path::Path, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use certs::{Certs, OPERATOR};
use futures::future::LocalBoxFuture;
use saga::outbox::kafka::Cluster;
use tokio::sync::watch;

pub use broker::{Broker, Started};
use closed::Closed;
pub use embedded::Embedded;
pub use foundation::Foundation;
pub use kafka::{BROKER, Doors, Guard, Kafka, Listener};
pub use network::Network;
pub use operations::{Database, Environment, Manifest, PAYMENT_DETAILS_KEY, Role, SYSTEM_MANIFEST, until};
pub use options::Options;
use personal::Personal;
pub use postgres::{OWNER, POSTGRES_BIN, Postgres, Roles};
pub use process::command;
use programs::Plan;
pub use programs::{Launch, Life, Pids, Ports, Program, Programs, Rolling, Setting, Supervisor, binary, binary_of};
pub use proxy::{Mode, Proxy, Side};
pub use reporter::{Reporter, Task};
pub use state::StateDir;
use tokens::Tokens;
pub use with::with;

/// Default number of partitions of each topic.
pub const PARTITIONS: i32 = 6;

/// Validity of the certificates of a system that is started here.
const LASTS: Duration = Duration::from_secs(24 * 3600);

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
    certs: Option<Certs>,
    roles: Option<Roles>,
    tokens: Tokens,
    state: StateDir,
    closed: Option<Closed>,
}

/// Ways into the broker of a system like this.
fn doors(options: &Options, network: &Network, certs: Option<Certs>, closed: Option<&Closed>) -> Doors {
    Doors {
        listeners: network.listeners(),
        certs,
        guard: closed.map(Closed::guard),
        prefix: options.prefix.clone(),
        optimized: options.optimized,
        shared: options.shared.clone(),
    }
}

/// Variable with PostgreSQL's URL for the superuser.
pub const POSTGRES_URL: &str = "POSTGRES_URL";

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
        options.check()?;
        let manifest = &options.manifest;
        let certs = options.secured.then(|| Certs::make(manifest, &state.certs(), LASTS)).transpose()?;
        let tokens = if options.secured { Tokens::issue(&state)? } else { Tokens::default() };
        let mut network = match options.breakable {
            true => Network::open(options.broker, manifest).await?,
            false => Network::default(),
        };
        let closed = options
            .guarded
            .then(|| Closed::new(options.broker, manifest, certs.clone(), &options.prefix, &state))
            .transpose()?;
        let doors = doors(&options, &network, certs.clone(), closed.as_ref());
        let foundation =
            Foundation::behind(manifest, options.broker, options.partitions, &doors, &state, reporter).await?;
        let roles = if options.roles { Some(foundation.postgres.divide().await?) } else { None };
        let ports = Ports::choose(manifest, options.secured)?;
        let transport = certs.as_ref().map(|certs| certs.transport(OPERATOR)).transpose()?.unwrap_or_default();
        let personal =
            if options.sealed { personal::create(&foundation.postgres, &state).await? } else { Personal::default() };
        let further = manifest.programs().filter(|program| program.database().is_some_and(|own| !own.is_of_the_shop()));
        let log = audit_log::create(&foundation.postgres, &state).await?;
        let environment = Environment {
            manifest: manifest.clone(),
            brokers: match &closed {
                Some(closed) => closed.as_operator(foundation.broker.brokers())?,
                None => Cluster::at(foundation.broker.brokers(), &transport).prefixed(options.prefix.clone()),
            },
            transport,
            databases: roles.as_ref().map_or_else(|| foundation.postgres.databases().clone(), |r| r.of("auditor")),
            operators: roles.as_ref().map(|roles| roles.of("operator")).unwrap_or_default(),
            order_api: Some(ports.url(Program::ORDER)),
            gateway: Some(ports.url(Program::PAYMENT_GATEWAY)),
            gateway_operations: options.secured.then(|| ports.operations_url(Program::PAYMENT_GATEWAY)),
            payment: Some(ports.operations_url(Program::PAYMENT)),
            order_operations: Some(ports.operations_url(Program::ORDER)),
            payment_details_key: Some(BASE64_STANDARD.encode(rand::random::<[u8; 32]>()).into()),
            mail_dir: std::env::var_os("SMTP_URL").is_none().then(|| state.mail()),
            mail_api: std::env::var("MAIL_API_URL").ok(),
            further_programs: further.map(|program| ports.operations_url(program)).collect(),
            audit_log: log.operators,
            personal: personal.operators,
            credentials: tokens.credentials()?,
        };
        if options.breakable {
            network.reach_databases(&environment).await?;
        }
        let mut settings = options.settings;
        settings.extend(tokens.settings());
        settings.extend(personal.settings);
        settings.extend(log.settings);
        if let Some(closed) = &closed {
            closed.open_for_ours(foundation.broker.brokers(), options.partitions, reporter).await?;
            settings.extend(closed.settings(manifest));
        }
        let step = reporter.step("starting the services, the payment gateway and the relay");
        let plan =
            Plan { partitions: options.partitions, settings: &settings, certs: certs.as_ref(), roles: roles.as_ref() };
        let programs = Programs::start(&environment, &network, ports, plan, &state, reporter).await?;
        step.done("the services, the payment gateway and the relay, each a process of its own");
        Ok(Self {
            environment,
            broker: options.broker,
            own: Some(Own { programs, network: Arc::new(network), foundation, certs, roles, tokens, state, closed }),
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

    /// The databases' roles, if we gave each program its own.
    pub fn roles(&self) -> Option<&Roles> {
        self.own.as_ref()?.roles.as_ref()
    }

    /// The proxies between programs and servers, if we started them.
    pub fn network(&self) -> Option<Arc<Network>> {
        self.own.as_ref().map(|own| own.network.clone())
    }

    /// The certificates of a secured system that we started.
    pub fn certs(&self) -> Option<&Certs> {
        self.own.as_ref()?.certs.as_ref()
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
