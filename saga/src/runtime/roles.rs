//! Rights of the database's roles: granted by its owner after the migrations.

use std::time::Duration;

use anyhow::Context;
use chrono::Utc;
use sqlx::{PgConnection, PgPool, migrate::Migrator};

use crate::runtime::{
    config::Config,
    migration::{self, migrate},
    upkeep::{self, Retention},
};

/// Rights on this crate's tables.
pub const GRANTS: &str = include_str!("../../grants.sql");

/// Bound for granting, which waits for nobody but another who grants.
const GRANTED_WITHIN: Duration = Duration::from_secs(60);

/// Pause after a round of upkeep in which a step failed.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(1);

/// What the owner of a service's database does to it.
#[derive(Debug, Clone, Copy)]
pub struct Ownership<'a> {
    /// The service's own tables.
    pub migrations: &'a Migrator,
    /// Rights on them, in the form of [`outbox::roles`].
    pub grants: &'a str,
    /// First part of the roles' names; by default the database's name.
    pub roles: Option<&'a str>,
    /// Retention below which the service's role removes nothing.
    pub least: Retention,
}

impl<'a> Ownership<'a> {
    pub(crate) fn new(config: &'a Config, migrations: &'a Migrator, grants: &'a str) -> Self {
        let roles = config.roles.database_roles.as_deref().filter(|roles| !roles.is_empty());
        Ownership { migrations, grants, roles, least: Retention::from(config) }
    }

    /// Migrates the database and grants the rights of its roles, if there are any. Idempotent.
    ///
    /// # Errors
    /// If a migration fails, or the current role does not own the tables.
    pub async fn take(self, pool: &PgPool) -> anyhow::Result<()> {
        migrate(pool, self.migrations).await?;
        self.grant_in_time(pool).await
    }

    /// As [`take`](Self::take), with everything else that only the owner may do: it declares the publisher, and has the
    /// table refuse events of others.
    ///
    /// # Errors
    /// As for [`take`](Self::take), or if the database belongs to another publisher.
    pub async fn take_for(self, pool: &PgPool, publisher: &str) -> anyhow::Result<()> {
        migrate(pool, self.migrations).await?;
        outbox::declare(pool, publisher).await.context("declaring the outbox's publisher")?;
        // A dump or a long transaction may hold a lock that a step needs.
        while !upkeep::round(pool, self.least, Utc::now()).await.is_empty() {
            tokio::time::sleep(BETWEEN_ROUNDS).await;
        }
        self.grant_in_time(pool).await
    }

    async fn grant_in_time(self, pool: &PgPool) -> anyhow::Result<()> {
        let granted = tokio::time::timeout(GRANTED_WITHIN, self.grant(pool)).await;
        granted.context("granting the rights of the database's roles takes too long")?
    }

    /// All at once: a program that finds a migration granted has its rights.
    async fn grant(self, pool: &PgPool) -> anyhow::Result<()> {
        let mut transaction = pool.begin().await.context("connecting to grant rights")?;
        let grants = [outbox::roles::GRANTS, GRANTS, self.grants];
        if !outbox::roles::grant(&mut transaction, self.roles, &grants).await.context("granting rights")? {
            return Ok(());
        }
        self.note(&mut transaction).await.context("recording what has been granted")?;
        transaction.commit().await.context("granting rights")?;
        tracing::info!("the rights of the database's roles are granted");
        Ok(())
    }

    async fn note(self, db: &mut PgConnection) -> sqlx::Result<()> {
        let hours = |hours: u32| i32::try_from(hours).unwrap_or(i32::MAX).max(1);
        sqlx::query(
            "insert into upkeep_limits (inbox_hours, outbox_hours) values ($1, $2)
             on conflict (only_row) do update set inbox_hours = excluded.inbox_hours, outbox_hours = excluded.outbox_hours",
        )
        .bind(hours(self.least.inbox_hours))
        .bind(hours(self.least.outbox_hours))
        .execute(&mut *db)
        .await?;
        sqlx::query(
            "insert into granted_migrations (version, checksum) select version, checksum from _sqlx_migrations where success
             on conflict (version) do update set checksum = excluded.checksum",
        )
        .execute(db)
        .await
        .map(drop)
    }
}

/// Migrates as the owner, and returns.
///
/// # Errors
/// If the database is unavailable, belongs to another publisher, or a migration fails.
pub(crate) async fn migrate_only(ownership: Ownership<'_>, config: &Config, publisher: &str) -> anyhow::Result<()> {
    let sessions = config.owners_database().sessions(publisher, &process::security::open(&config.security)?)?;
    let done = tokio::time::timeout(migration::BOUND, ownership.take_for(sessions.pool(), publisher)).await;
    done.context("the migration takes too long")??;
    sessions.close().await;
    tracing::info!(service = publisher, "the database is migrated");
    Ok(())
}
