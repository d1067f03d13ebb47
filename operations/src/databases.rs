//! All databases, for the runner and the auditor. No service may open another's.

use std::{collections::BTreeMap, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};

use crate::{Database, Environment};

/// Small pools for each database, which connect on first use.
#[derive(Debug, Clone)]
pub struct Databases(BTreeMap<Database, Pools>);

/// A database as an auditor and as an operator opens it.
#[derive(Debug, Clone)]
struct Pools {
    reads: PgPool,
    repairs: PgPool,
}

impl Databases {
    /// # Errors
    /// If a URL is invalid.
    pub fn of(environment: &Environment) -> anyhow::Result<Self> {
        let pools = |database: Database| {
            let pool = |setting: &str, url: &SecretString| -> anyhow::Result<PgPool> {
                Ok(self::pool(environment.transport.postgres(setting, url.expose_secret())?))
            };
            let reads = pool(&database.variable(), environment.database(database)?)?;
            let repairs = match environment.operators.get(&database) {
                Some(url) => pool(&database.operators_variable(), url)?,
                None => reads.clone(),
            };
            Ok((database, Pools { reads, repairs }))
        };
        environment.manifest.databases().map(pools).collect::<anyhow::Result<_>>().map(Databases)
    }

    /// All databases, in the manifest's order.
    pub fn all(&self) -> impl Iterator<Item = Database> + use<> {
        self.0.keys().copied().collect::<Vec<_>>().into_iter()
    }

    /// For reading.
    pub fn of_service(&self, database: Database) -> &PgPool {
        &self.0[&database].reads
    }

    /// For what operators change.
    pub fn of_operator(&self, database: Database) -> &PgPool {
        &self.0[&database].repairs
    }
}

fn pool(options: PgConnectOptions) -> PgPool {
    // An audit's statements are slow by nature; do not log them.
    let options = options.application_name("scenarios").disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(15));
    pool.connect_lazy_with(options)
}
