//! Settings of a program's database and its HTTP server, from the environment or the command line.

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use transport::Transport;

use crate::sessions::{self, Sessions};

/// The program's own database.
#[derive(Debug, Clone, Args)]
pub struct Database {
    /// postgres://user:password@host:port/database; with `?sslmode=verify-full` where SECURITY=required
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// Maximum number of connections, in addition to two of the consumer's own.
    #[arg(long, env = "DATABASE_POOL", hide_env_values = true, default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=200))]
    pub database_pool: u32,
    /// Milliseconds after which a database that does not answer counts as silent, and its connections are replaced. The server
    /// gets shorter limits: it ends sessions that idle in a transaction after 6/10 of it, lock waits after 8/10, statements
    /// after 9/10.
    #[arg(long, env = "DATABASE_TIMEOUT_MS", hide_env_values = true, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(500..=600_000))]
    pub database_timeout_ms: u64,
    /// Sets these timeouts when a session starts. A pooler such as PgBouncer may refuse that: then set them for the role
    /// (`alter role … set statement_timeout = …`) and this to `false`.
    #[arg(long, env = "DATABASE_SESSION_TIMEOUTS", hide_env_values = true, default_value_t = true, action = clap::ArgAction::Set)]
    pub database_session_timeouts: bool,
}

impl Database {
    /// Sessions that connect on first use; each caller waits for a database that is not available yet.
    ///
    /// # Errors
    /// A malformed URL, or one that the transport does not allow.
    pub fn sessions(&self, program: &str, transport: &Transport) -> anyhow::Result<Sessions> {
        let (options, bound) = self.options(program, transport)?;
        Ok(Sessions::new(options, self.database_pool, bound))
    }

    /// As [`sessions`](Self::sessions), but at most `most`, and never closed for age or idleness. They belong to the
    /// runtime in which this is called.
    ///
    /// # Errors
    /// A malformed URL, or one that the transport does not allow.
    pub fn lasting_sessions(&self, most: u32, program: &str, transport: &Transport) -> anyhow::Result<Sessions> {
        let (options, bound) = self.options(program, transport)?;
        Ok(Sessions::lasting(options, most, bound))
    }

    fn options(&self, program: &str, transport: &Transport) -> anyhow::Result<(PgConnectOptions, Duration)> {
        let bound = Duration::from_millis(self.database_timeout_ms);
        let options = transport.postgres("DATABASE_URL", self.database_url.expose_secret())?;
        let options = options.application_name(program);
        let options = if self.database_session_timeouts { sessions::with_settings(options, bound) } else { options };
        Ok((options, bound))
    }
}

/// The program's HTTP servers.
#[derive(Debug, Clone, Args)]
pub struct Http {
    /// Address of the program's own routes; without OPS_ADDR also of the operational ones. Only this machine reaches the default.
    #[arg(long, env = "HTTP_ADDR", hide_env_values = true, default_value = "127.0.0.1:8080")]
    pub http_addr: SocketAddr,
    /// Address of /livez, /readyz, /metrics, /choreography and settings: a listener of its own, which only operators need to
    /// reach.
    #[arg(long, env = "OPS_ADDR", hide_env_values = true)]
    pub ops_addr: Option<SocketAddr>,
    /// Names of the programs, by their certificates, that may connect to HTTP_ADDR; separated by commas. Without it, every
    /// program with a certificate of a trusted authority may, and where tokens are demanded, clients without one.
    #[arg(long, env = "HTTP_CLIENTS", hide_env_values = true, value_delimiter = ',', value_name = "NAME,…")]
    pub http_clients: Vec<String>,
    /// Names of the programs that may connect to OPS_ADDR, likewise.
    #[arg(long, env = "OPS_CLIENTS", hide_env_values = true, value_delimiter = ',', value_name = "NAME,…")]
    pub ops_clients: Vec<String>,
}
