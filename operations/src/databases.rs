//! All databases, for the runner and the auditor. No service may open another's.

use std::{collections::BTreeMap, time::Duration};

use secrecy::ExposeSecret;
use sqlx::{
    ConnectOptions as _,
    postgres::{PgPool, PgPoolOptions},
};

use crate::{Database, Environment};

/// A small pool for each database, which connects on first use.
#[derive(Debug, Clone)]
pub struct Databases(BTreeMap<Database, PgPool>);

impl Databases {
    /// # Errors
    /// If a URL is invalid.
    pub fn of(environment: &Environment) -> anyhow::Result<Self> {
        let pool = |database: Database| {
            let url = environment.database(database)?.expose_secret();
            let options = environment.transport.postgres(&database.variable(), url)?;
            // An audit's statements are slow by nature; do not log them.
            let options = options.application_name("scenarios").disable_statement_logging();
            let pool = PgPoolOptions::new()
                .max_connections(4)
                .acquire_timeout(Duration::from_secs(15))
                .connect_lazy_with(options);
            Ok((database, pool))
        };
        environment.manifest.databases().map(pool).collect::<anyhow::Result<_>>().map(Databases)
    }

    /// All databases, in the manifest's order.
    pub fn all(&self) -> impl Iterator<Item = Database> + use<> {
        self.0.keys().copied().collect::<Vec<_>>().into_iter()
    }

    pub fn of_service(&self, database: Database) -> &PgPool {
        &self.0[&database]
    }
}
