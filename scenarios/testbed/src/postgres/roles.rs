//! Several roles for each database, each with its own part: see [`outbox::roles`](saga::outbox::roles).

use std::collections::BTreeMap;

use anyhow::Context;
use operations::{Environment, Program, Role};
use saga::outbox::roles::KINDS;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{super::Database, Postgres, password};

/// Kind of a role that owns its database.
pub const OWNER: &str = "owner";

/// The URL of each database for each of its roles.
#[derive(Debug, Clone)]
pub struct Roles(BTreeMap<(Database, &'static str), SecretString>);

impl Roles {
    /// Divides the one role of each database: it becomes `D_owner`, and beside it there are those that it grants rights to.
    pub(super) async fn create(postgres: &Postgres) -> anyhow::Result<Self> {
        let options = postgres.admin()?;
        let mut connection = PgConnection::connect_with(&options).await.context("logging in as superuser")?;
        let mut urls = BTreeMap::new();
        for &database in postgres.databases().keys() {
            connection
                .execute(AssertSqlSafe(format!("alter role \"{database}\" rename to \"{database}_{OWNER}\"")))
                .await
                .with_context(|| format!("renaming the owner of {database}"))?;
            for kind in KINDS.into_iter().chain([OWNER]) {
                let (role, password) = (format!("{database}_{kind}"), password());
                // A password is ours, and has no quotes.
                let statements = match kind {
                    OWNER => format!("alter role \"{role}\" password '{}'", password.expose_secret()),
                    _ => format!(
                        "create role \"{role}\" login password '{}'; grant connect on database \"{database}\" to \"{role}\"",
                        password.expose_secret()
                    ),
                };
                let done = sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await;
                done.with_context(|| format!("creating the role {role}"))?;
                urls.insert((database, kind), postgres.url(&role, &password, database.name()));
            }
        }
        connection.close().await?;
        Ok(Roles(urls))
    }

    /// The URL of a database for its role of this kind: one of [`KINDS`], or [`OWNER`].
    ///
    /// # Panics
    /// If there is no such database or kind.
    pub fn url(&self, database: Database, kind: &str) -> &SecretString {
        let found = self.0.iter().find(|((known, its), _)| *known == database && *its == kind);
        found.map(|(_, url)| url).unwrap_or_else(|| panic!("{database} has no role of the kind {kind}"))
    }

    /// The URLs of all databases for their roles of one kind.
    pub(crate) fn of(&self, kind: &str) -> BTreeMap<Database, SecretString> {
        let own = self.0.iter().filter(|((_, its), _)| *its == kind);
        own.map(|((database, _), url)| (*database, url.clone())).collect()
    }

    /// The environment as a program is to see it: with its own roles, and no operator's.
    pub(crate) fn environment_of(&self, program: Program, environment: &Environment) -> Environment {
        let kind = if matches!(program.role(), Role::Relay) { "relay" } else { "app" };
        Environment { databases: self.of(kind), operators: BTreeMap::new(), ..environment.clone() }
    }
}
