//! All databases, for the runner and the auditor. No service may open another's.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use secrecy::ExposeSecret;
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
            let reads = pool(environment.database(database)?.expose_secret())
                .with_context(|| format!("{} is {FORM}", database.variable()))?;
            let repairs = match environment.operators.get(&database) {
                Some(url) => {
                    pool(url.expose_secret()).with_context(|| format!("{} is {FORM}", database.operators_variable()))?
                }
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

const FORM: &str = "not of the form postgres://user:password@host:port/database";

fn pool(url: &str) -> sqlx::Result<PgPool> {
    let options: PgConnectOptions = url.parse()?;
    // An audit's statements are slow by nature; do not log them.
    let options = options.application_name("scenarios").disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(15));
    Ok(pool.connect_lazy_with(options))
}
