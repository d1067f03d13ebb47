//! Keys of persons in a system that we start: a database of its own on the private Postgres, a role for each use, and the keyring
//! that wraps them.

use anyhow::Context;
use personal_data::{PERSONAL_KEYRING, PERSONAL_KEYS_URL, Roles, Settings};
use sealing::KeyringFile;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgPoolOptions};

use super::{Program, Setting, postgres::Postgres, state::StateDir};

/// Database of the keys, and the role that owns it.
const DATABASE: &str = "personal";

/// Programs that open the database, and their roles.
pub(super) fn users() -> [(Program, &'static str); 3] {
    let roles = Roles::default();
    [(Program::ORDER, roles.keeper), (Program::NOTIFICATION, roles.keeper), (Program::SHIPPING, roles.reader)]
}

/// The database, as it is known to its users.
#[derive(Default)]
pub(super) struct Personal {
    /// Of the programs.
    pub(super) settings: Vec<Setting>,
    /// Of operators.
    pub(super) operators: Settings,
}

/// Creates the database and the keyring.
pub(super) async fn create(postgres: &Postgres, state: &StateDir) -> anyhow::Result<Personal> {
    let roles = Roles::default();
    let all = [DATABASE, roles.keeper, roles.reader, roles.eraser];
    let passwords: Vec<(&str, SecretString)> =
        all.into_iter().map(|role| (role, uuid::Uuid::new_v4().simple().to_string().into())).collect();
    let mut statements: Vec<String> = passwords
        .iter()
        .map(|(role, password)| format!("create role {role} login password '{}'", password.expose_secret()))
        .collect();
    statements.extend([
        format!("create database {DATABASE} owner {DATABASE}"),
        format!("revoke all on database {DATABASE} from public"),
        format!("grant connect on database {DATABASE} to {}, {}, {}", roles.keeper, roles.reader, roles.eraser),
    ]);
    let superuser = postgres.admin()?;
    let mut connection = PgConnection::connect_with(&superuser).await.context("logging in as superuser")?;
    for statement in statements {
        connection.execute(AssertSqlSafe(statement)).await.context("creating the database of personal keys")?;
    }
    connection.close().await?;

    // One session, which acts as the owner to its end.
    let pool = PgPoolOptions::new().max_connections(1).connect_with(superuser.database(DATABASE)).await;
    let pool = pool.context("logging in to the database of personal keys")?;
    sqlx::query(AssertSqlSafe(format!("set role {DATABASE}"))).execute(&pool).await?;
    personal_data::prepare(&pool, roles).await?;
    pool.close().await;

    let keyring = state.personal_keyring();
    let made = KeyringFile::open_or_create(&keyring).and_then(|file| file.add(&"first".parse()?));
    made.map_err(anyhow::Error::msg).context("making the keyring of personal keys")?;

    let url = |role: &str| {
        let password = passwords.iter().find(|(known, _)| *known == role).map(|(_, password)| password.clone());
        postgres.url(role, &password.unwrap_or_default(), DATABASE).expose_secret().to_owned()
    };
    let settings = users().into_iter().flat_map(|(program, role)| {
        [(PERSONAL_KEYS_URL, url(role)), (PERSONAL_KEYRING, keyring.display().to_string())]
            .map(|(name, value)| Setting { program, name: name.to_owned(), value })
    });
    let operators = Settings { personal_keys_url: Some(url(roles.eraser)), personal_keyring: Some(keyring.clone()) };
    Ok(Personal { settings: settings.collect(), operators })
}
