//! A private PostgreSQL server: its own directory, port and passwords, removed when stopped.

mod binaries;
mod installation;
mod owner;
mod roles;
mod settings;
mod tenants;
mod tls;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use nix::sys::signal::Signal;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tempfile::TempDir;
use transport::Transport;

pub use self::installation::POSTGRES_BIN;
pub use self::roles::{OWNER, Roles};
use self::{installation::Installation, owner::Owner, tls::Tls};
use super::{
    Database, Manifest,
    certs::Certs,
    ports,
    process::{self, Process},
    reporter::Task,
    state::StateDir,
    until,
};

const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// A running server with one database and role for each service, and a superuser.
#[derive(Debug)]
pub struct Postgres {
    // Dropped before its directory.
    server: Process,
    seat: Seat,
    version: String,
    admin: SecretString,
    port: u16,
    databases: BTreeMap<Database, SecretString>,
}

/// Address and directory of the server; unchanged by a restart.
#[derive(Debug)]
struct Seat {
    directory: TempDir,
    installation: Installation,
    owner: Owner,
    log: PathBuf,
    tls: Option<Tls>,
}

impl Postgres {
    /// Creates a server of the installed version with the manifest's databases, and waits until it answers.
    ///
    /// # Errors
    /// If PostgreSQL is not installed or does not start; the error ends with the last lines of its log.
    pub async fn start(manifest: &Manifest, certs: Option<&Certs>, state: &StateDir) -> anyhow::Result<Self> {
        Self::start_installed(Installation::find()?, manifest, certs, state).await
    }

    /// As [`start`](Self::start), with this major version, which is fetched if this machine does not have it.
    ///
    /// # Errors
    /// If there is no such version, it cannot be fetched, or it does not start.
    pub async fn start_version(
        major: u32,
        manifest: &Manifest,
        certs: Option<&Certs>,
        state: &StateDir,
        step: &Task,
    ) -> anyhow::Result<Self> {
        let programs = binaries::find_or_fetch(major, state, step).await?;
        Self::start_installed(Installation::at(programs)?, manifest, certs, state).await
    }

    async fn start_installed(
        installation: Installation,
        manifest: &Manifest,
        certs: Option<&Certs>,
        state: &StateDir,
    ) -> anyhow::Result<Self> {
        let version = installation.version()?;
        let owner = Owner::choose()?;
        let log = state.log_of("postgres");
        let directory = owner.private_directory()?;
        let password = password();
        initialize(&installation, &owner, directory.path(), &password, &log).await?;
        let tls = certs.map(|certs| Tls::install(certs, manifest, directory.path(), &owner)).transpose()?;
        let seat = Seat { directory, installation, owner, log, tls };

        // The port was free a moment ago; if another program was faster, try the next one.
        let mut attempts_left = 3;
        let (server, admin, port) = loop {
            let port = ports::free()?;
            let admin = match &seat.tls {
                Some(_) => tls::url("postgres", port, "postgres"),
                None => url("postgres", &password, port, "postgres"),
            };
            seat.configure(port)?;
            match seat.launch(&admin).await {
                Ok(server) => break (server, admin, port),
                Err(error) if attempts_left > 1 && format!("{error:#}").contains("in use") => attempts_left -= 1,
                Err(error) => return Err(error),
            }
        };
        let mut databases = tenants::create(seat.admin(&admin)?, manifest.databases()).await?;
        if seat.tls.is_some() {
            // A role is known by its certificate; nobody needs its password.
            databases.iter_mut().for_each(|(database, url)| *url = tls::url(database.name(), port, database.name()));
        }
        Ok(Self { server, seat, version, admin, port, databases })
    }

    /// The server's version, such as `15.13`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The directory of the server's programs.
    pub fn programs(&self) -> &Path {
        self.seat.installation.directory()
    }

    /// Its address, host:port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The superuser's URL.
    pub fn admin_url(&self) -> &SecretString {
        &self.admin
    }

    /// The URL of each database, for its owner.
    pub fn databases(&self) -> &BTreeMap<Database, SecretString> {
        &self.databases
    }

    /// Options of a session of the superuser.
    pub(super) fn admin(&self) -> anyhow::Result<PgConnectOptions> {
        self.seat.admin(&self.admin)
    }

    /// The URL of a database for a role, which is known by its certificate where there are certificates.
    pub(super) fn url(&self, role: &str, password: &SecretString, database: &str) -> SecretString {
        match self.seat.tls {
            Some(_) => tls::url(role, self.port, database),
            None => url(role, password, self.port, database),
        }
    }

    /// Gives each database several roles in place of its one, each with its own part. The URLs of [`databases`](Self::databases)
    /// are void from then on.
    ///
    /// # Errors
    /// If the server does not answer, or has been asked before.
    pub async fn divide(&self) -> anyhow::Result<Roles> {
        Roles::create(self).await
    }

    /// The server's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Returns the reason if the server ends unexpectedly.
    pub async fn failed(&mut self) -> anyhow::Error {
        failure(&mut self.server).await
    }

    /// Kills the server, as a crash of its machine would, and starts it again at the same address; it recovers what was
    /// committed.
    ///
    /// # Errors
    /// If it does not start again.
    pub async fn crash_and_recover(&mut self) -> anyhow::Result<()> {
        self.server.end(&[(Signal::SIGQUIT, Duration::from_secs(10))]).await?;
        self.server = self.seat.launch(&self.admin).await?;
        Ok(())
    }

    /// Stops the server and removes its data.
    pub async fn stop(self) -> anyhow::Result<()> {
        let fast = (Signal::SIGINT, Duration::from_secs(20));
        let immediate = (Signal::SIGQUIT, Duration::from_secs(10));
        self.server.stop(&[fast, immediate]).await?;
        Ok(())
    }
}

async fn initialize(
    installation: &Installation,
    owner: &Owner,
    directory: &Path,
    password: &SecretString,
    log: &Path,
) -> anyhow::Result<()> {
    let password_file = directory.join("password");
    std::fs::write(&password_file, password.expose_secret()).context("writing the superuser's password for initdb")?;
    owner.give(&password_file)?;
    let mut command = process::command(installation.program("initdb"), Signal::SIGTERM);
    command.arg("--pgdata").arg(directory.join("data")).arg("--pwfile").arg(&password_file);
    command.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
    // Not our current directory, which the owner may not be allowed to enter.
    command.current_dir(directory);
    owner.runs(&mut command);
    // SIGTERM ends its child process too; SIGKILL would leave the child writing into the directory.
    let mut initdb = Process::spawn("initdb", command, log, Signal::SIGTERM)?;
    let status = initdb.ended().await?;
    anyhow::ensure!(status.success(), "initdb failed with {status}; {}", initdb.last_words());
    std::fs::remove_file(&password_file).context("removing initdb's password file")
}

impl Seat {
    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn configure(&self, port: u16) -> anyhow::Result<()> {
        // Read after postgresql.conf; it already belongs to the owner.
        let tls = self.tls.as_ref().map(Tls::settings).unwrap_or_default();
        let settings = settings::settings(port) + &tls;
        let written = std::fs::write(self.data().join("postgresql.auto.conf"), settings);
        written.context("writing PostgreSQL's settings")
    }

    /// Options of a session of the superuser.
    fn admin(&self, url: &SecretString) -> anyhow::Result<PgConnectOptions> {
        let transport = self.tls.as_ref().map_or_else(Transport::plain, |tls| tls.admin.clone());
        Ok(transport.postgres("the superuser's URL", url.expose_secret())?)
    }

    async fn launch(&self, admin: &SecretString) -> anyhow::Result<Process> {
        self.tls.iter().try_for_each(|tls| tls.copy(&self.owner))?;
        // SIGINT requests the fast shutdown; SIGTERM would wait for all clients to disconnect.
        let mut command = process::command(self.installation.program("postgres"), Signal::SIGINT);
        command.arg("-D").arg(self.data()).current_dir(self.directory.path());
        self.owner.runs(&mut command);
        // SIGQUIT ends the server and its workers at once; SIGKILL would leave shared memory behind.
        let mut server = Process::spawn("PostgreSQL", command, &self.log, Signal::SIGQUIT)?;
        let options = self.admin(admin)?;
        let answers = until("PostgreSQL answers", ANSWERS_WITHIN, async || {
            let mut connection = PgConnection::connect_with(&options).await.ok()?;
            sqlx::query("select 1").execute(&mut connection).await.ok()
        });
        tokio::select! {
            answered = answers => { answered.map_err(|error| process::explained(&error, &self.log))?; }
            failure = failure(&mut server) => return Err(failure),
        }
        Ok(server)
    }
}

async fn failure(server: &mut Process) -> anyhow::Error {
    match server.ended().await {
        Ok(status) => anyhow::anyhow!("PostgreSQL ended with {status}; {}", server.last_words()),
        Err(error) => error,
    }
}

/// 122 random bits that need no quoting anywhere.
fn password() -> SecretString {
    uuid::Uuid::new_v4().simple().to_string().into()
}

fn url(role: &str, password: &SecretString, port: u16, database: &str) -> SecretString {
    format!("postgres://{role}:{}@127.0.0.1:{port}/{database}", password.expose_secret()).into()
}
