//! A server of its own with the shop's databases, migrated by their owners, each with its roles.

use std::time::Duration;

use saga::{roles::Ownership, upkeep::Retention};
use scenarios::stack::{Database, Manifest, OWNER, Postgres, Roles, StateDir};
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, migrate::Migrator};

/// Retention that the owners set.
pub(crate) const LEAST: Retention = Retention { inbox_hours: 24 * 17, outbox_hours: 24 * 7 };

/// The services' databases, with what each service does to its own.
pub(crate) fn services() -> [(Database, &'static Migrator, &'static str); 7] {
    [
        (Database::ORDERS, &order::MIGRATIONS, order::GRANTS),
        (Database::ACCOUNTS, &account::MIGRATIONS, account::GRANTS),
        (Database::PAYMENTS, &payment::MIGRATIONS, payment::GRANTS),
        (Database::INVENTORY, &inventory::MIGRATIONS, inventory::GRANTS),
        (Database::SHIPPING, &shipping::MIGRATIONS, shipping::GRANTS),
        (Database::ENTITLEMENTS, &entitlement::MIGRATIONS, entitlement::GRANTS),
        (Database::NOTIFICATIONS, &notification::MIGRATIONS, notification::GRANTS),
    ]
}

pub(crate) struct Ground {
    pub(crate) postgres: Postgres,
    pub(crate) roles: Roles,
    _directory: tempfile::TempDir,
}

impl Ground {
    /// Starts the server; nothing is migrated.
    pub(crate) async fn bare() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::create_in(directory.path()).unwrap();
        let postgres = Postgres::start(&Manifest::of_the_shop(), None, &state).await.unwrap();
        let roles = postgres.divide().await.unwrap();
        Ground { postgres, roles, _directory: directory }
    }

    /// Starts the server, and migrates these databases.
    pub(crate) async fn of(databases: &[Database]) -> Self {
        let ground = Self::bare().await;
        for database in databases {
            ground.migrate(*database).await;
        }
        ground
    }

    /// Migrates and grants, as `--migrate-only` does.
    pub(crate) async fn migrate(&self, database: Database) {
        let (_, migrations, grants) = services().into_iter().find(|(known, ..)| *known == database).unwrap();
        let pool = PgPool::connect(self.roles.url(database, OWNER).expose_secret()).await.unwrap();
        let ownership = Ownership { migrations, grants, roles: None, least: LEAST };
        let done =
            tokio::time::timeout(Duration::from_secs(60), ownership.take_for(&pool, database.publisher().name()));
        done.await.expect("in time").unwrap();
        pool.close().await;
    }

    /// A connection as the role of this kind.
    pub(crate) async fn connect(&self, database: Database, kind: &str) -> PgConnection {
        PgConnection::connect(self.roles.url(database, kind).expose_secret()).await.unwrap()
    }

    /// A connection as the superuser.
    pub(crate) async fn admin(&self, database: Database) -> PgConnection {
        let url = self.postgres.admin_url().expose_secret();
        let (server, _) = url.rsplit_once('/').unwrap();
        PgConnection::connect(&format!("{server}/{database}")).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.postgres.stop().await.unwrap();
    }
}

/// Runs some SQL, and returns the code of the error if there is one.
pub(crate) async fn tried(db: &mut PgConnection, sql: &str) -> Result<(), String> {
    match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *db).await {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) => Err(error.code().map(|code| code.into_owned()).unwrap_or_default()),
        Err(error) => panic!("{sql}: {error}"),
    }
}

/// Runs some SQL that takes effect on nothing: all of it is rolled back.
pub(crate) async fn tried_in_vain(db: &mut PgConnection, sql: &str) -> Result<(), String> {
    let done = tried(db, &format!("begin; {sql}")).await;
    sqlx::raw_sql("rollback").execute(db).await.unwrap();
    done
}

/// The code of a refusal for want of a right.
pub(crate) const REFUSED: &str = "42501";

/// Tells whether some SQL is refused for want of a right. Any other error means that the right was there.
pub(crate) async fn is_refused(db: &mut PgConnection, sql: &str) -> bool {
    tried_in_vain(db, sql).await.is_err_and(|code| code == REFUSED)
}
