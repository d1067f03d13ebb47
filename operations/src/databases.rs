//! All databases, for the runner and the auditor. No service may open another's.

use std::{collections::BTreeMap, time::Duration};

use personal_data::Vault;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};

use crate::{Database, Environment};

/// Small pools for each database, which connect on first use.
#[derive(Debug, Clone)]
pub struct Databases {
    pools: BTreeMap<Database, Pools>,
    vault: Vault,
}

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
        let pools = environment.manifest.databases().map(pools).collect::<anyhow::Result<_>>()?;
        Ok(Databases { pools, vault: environment.personal.open_if_set(&environment.transport)? })
    }

    /// All databases, in the manifest's order.
    pub fn all(&self) -> impl Iterator<Item = Database> + use<> {
        self.pools.keys().copied().collect::<Vec<_>>().into_iter()
    }

    /// The keys that personal texts are sealed under, if they are named.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// For reading.
    pub fn of_service(&self, database: Database) -> &PgPool {
        &self.pools[&database].reads
    }

    /// For what operators change.
    pub fn of_operator(&self, database: Database) -> &PgPool {
        &self.pools[&database].repairs
    }
}

fn pool(options: PgConnectOptions) -> PgPool {
    // An audit's statements are slow by nature; do not log them.
    let options = options.application_name("scenarios").disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(15));
    pool.connect_lazy_with(options)
}
