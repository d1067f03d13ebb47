//! Settings of a program's database and its HTTP server, from the environment or the command line.

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

use crate::sessions::{self, Sessions};

/// The program's own database.
#[derive(Debug, Clone, Args)]
pub struct Database {
    /// postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// Maximum number of connections, in addition to two of the consumer's own.
    #[arg(long, env = "DATABASE_POOL", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=200))]
    pub database_pool: u32,
    /// Milliseconds after which a database that does not answer counts as silent, and its connections are replaced. The server
    /// gets shorter limits: it ends sessions that idle in a transaction after 6/10 of it, lock waits after 8/10, statements
    /// after 9/10.
    #[arg(long, env = "DATABASE_TIMEOUT_MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(500..=600_000))]
    pub database_timeout_ms: u64,
    /// Sets these timeouts when a session starts. A pooler such as PgBouncer may refuse that: then set them for the role
    /// (`alter role … set statement_timeout = …`) and this to `false`.
    #[arg(long, env = "DATABASE_SESSION_TIMEOUTS", default_value_t = true, action = clap::ArgAction::Set)]
    pub database_session_timeouts: bool,
}

impl Database {
    /// Sessions that connect on first use; each caller waits for a database that is not available yet.
    pub fn sessions(&self, program: &str) -> anyhow::Result<Sessions> {
        let (options, bound) = self.options(program)?;
        Ok(Sessions::new(options, self.database_pool, bound))
    }

    /// As [`sessions`](Self::sessions), but at most `most`, and never closed for age or idleness. They belong to the
    /// runtime in which this is called.
    pub fn lasting_sessions(&self, most: u32, program: &str) -> anyhow::Result<Sessions> {
        let (options, bound) = self.options(program)?;
        Ok(Sessions::lasting(options, most, bound))
    }

    fn options(&self, program: &str) -> anyhow::Result<(PgConnectOptions, Duration)> {
        let bound = Duration::from_millis(self.database_timeout_ms);
        let options = postgres_url(self.database_url.expose_secret()).map_err(anyhow::Error::msg)?;
        let options = options.application_name(program);
        let options = if self.database_session_timeouts { sessions::with_settings(options, bound) } else { options };
        Ok((options, bound))
    }
}

/// Parses a database URL. The error does not repeat the URL, because it contains a password.
///
/// # Errors
/// A description of the problem that may be logged.
pub fn postgres_url(url: &str) -> Result<PgConnectOptions, String> {
    let form = "the database's URL is not of the form postgres://user:password@host:port/database";
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(form.to_owned());
    }
    url.parse().map_err(|_| form.to_owned())
}

/// The program's HTTP server.
#[derive(Debug, Clone, Args)]
pub struct Http {
    /// Address that the program serves /livez, /readyz, /metrics and its own routes on.
    #[arg(long, env = "HTTP_ADDR", default_value = "0.0.0.0:8080")]
    pub http_addr: SocketAddr,
}
