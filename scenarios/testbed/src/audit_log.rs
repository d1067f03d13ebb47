//! The audit log of a system that we start: a database of its own on the private Postgres, a role that writes, a role that reads,
//! and the key that signs heads.

use anyhow::Context;
use audit_log::{
    AUDIT_DATABASE_URL, AUDIT_PUBLIC_KEYS_FILE, AUDIT_READER_URL, AUDIT_SIGNING_KEY_FILE, Roles, SigningKey,
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgPoolOptions};

use super::{Program, Setting, postgres::Postgres, state::StateDir};

/// Database of the audit log, and the role that owns it.
const DATABASE: &str = "audit";

/// The order service's role, which can append and nothing else: entries name it.
pub(super) const OF_ORDER: &str = "audit_order";

/// A log that has been created.
pub(super) struct Created {
    /// Its variables for operators.
    pub(super) operators: Vec<(&'static str, SecretString)>,
    /// What the services that record denials are started with.
    pub(super) settings: Vec<Setting>,
}

/// Creates the log.
pub(super) async fn create(postgres: &Postgres, state: &StateDir) -> anyhow::Result<Created> {
    let roles = Roles::default();
    let [owner, writer, reader, order] = [DATABASE, roles.writer, roles.reader, OF_ORDER]
        .map(|role| (role, uuid::Uuid::new_v4().simple().to_string().into()));
    let all = [&owner, &writer, &reader, &order].into_iter();
    let mut statements: Vec<String> = all
        .map(|(role, password): &(&str, SecretString)| {
            format!("create role {role} login password '{}'", password.expose_secret())
        })
        .collect();
    statements.extend([
        format!("create database {DATABASE} owner {DATABASE}"),
        format!("revoke all on database {DATABASE} from public"),
        format!("grant connect on database {DATABASE} to {}, {}", roles.writer, roles.reader),
        format!("grant {} to {OF_ORDER}", roles.writer),
    ]);
    let superuser = postgres.admin()?;
    let mut connection = PgConnection::connect_with(&superuser).await.context("logging in as superuser")?;
    for statement in statements {
        connection.execute(AssertSqlSafe(statement)).await.context("creating the audit log's database and roles")?;
    }
    connection.close().await?;

    // One session, which acts as the owner to its end.
    let pool = PgPoolOptions::new().max_connections(1).connect_with(superuser.database(DATABASE)).await;
    let pool = pool.context("logging in to the audit log's database")?;
    sqlx::query(AssertSqlSafe(format!("set role {DATABASE}"))).execute(&pool).await?;
    audit_log::prepare(&pool, roles).await?;
    pool.close().await;

    let (private, public) = (state.audit_signing_key(), state.audit_public_keys());
    let key = SigningKey::generate();
    key.save(&private)?;
    std::fs::write(&public, format!("{}\n", key.public())).context("writing the audit log's public key")?;
    let of_order = |name: &str, value: String| Setting { program: Program::ORDER, name: name.to_owned(), value };
    let url = postgres.url(order.0, &order.1, DATABASE).expose_secret().to_owned();
    let settings = vec![of_order(AUDIT_DATABASE_URL, url), of_order("AUDIT_DENIALS_SECONDS", "1".to_owned())];
    let operators = vec![
        (AUDIT_DATABASE_URL, postgres.url(writer.0, &writer.1, DATABASE)),
        (AUDIT_READER_URL, postgres.url(reader.0, &reader.1, DATABASE)),
        (AUDIT_SIGNING_KEY_FILE, private.display().to_string().into()),
        (AUDIT_PUBLIC_KEYS_FILE, public.display().to_string().into()),
    ];
    Ok(Created { operators, settings })
}
