//! `payment keys`: the operator's commands.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use saga::{sessions::Sessions, transport::Transport};
use sealing::{KeyEncryption, KeyId, KeyringFile, State};

use crate::{
    MIGRATIONS,
    keys::{
        recorded::Recorded,
        rotation::Rotation,
        settings::{FIRST, KeySettings},
        store::{self, Known, Registered, Retired},
    },
};

/// Lists, adds, rotates and retires the keys of payment methods' details.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prints each key: its use in the keyring, and the number of rows that need it.
    List(Access),
    /// Adds a new random key to the keyring, which is created if it is not there, and registers it in the database. A key that
    /// is in the keyring already is only registered.
    Add {
        /// Id of the key: lower-case letters, digits, `.`, `_` and `-`.
        id: KeyId,
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        recorded: Recorded,
    },
    /// Brings all rows under the active key, in batches, while the service runs. Repeat it after an interruption.
    Rotate {
        /// Makes this key the active one first.
        #[arg(long, value_name = "ID")]
        to: Option<KeyId>,
        /// Maximum number of rows in one transaction.
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        batch: i64,
        /// Pause between transactions, in milliseconds.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=60_000))]
        pause_ms: u64,
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        recorded: Recorded,
    },
    /// Retires a key that no row needs any more. It stays in the keyring for old backups, and is not used.
    Retire {
        /// Id of the key; `v1` is PAYMENT_DETAILS_KEY.
        id: KeyId,
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        recorded: Recorded,
    },
}

/// The database and the keys.
#[derive(Debug, Args)]
pub struct Access {
    #[command(flatten)]
    database: saga::config::Database,
    #[command(flatten)]
    security: saga::config::Security,
    #[command(flatten)]
    keys: KeySettings,
}

impl Access {
    fn transport(&self) -> anyhow::Result<Transport> {
        Ok(self.security.open()?)
    }

    fn sessions(&self) -> anyhow::Result<Sessions> {
        self.database.sessions("payment keys", &self.transport()?)
    }

    fn keyring(&self) -> anyhow::Result<KeyringFile> {
        self.keys.keyring()?.context("PAYMENT_KEYRING is not set: it names the file with the keys")
    }
}

/// Carries out a command, and returns what to print.
///
/// # Errors
/// What is refused, with the reason; what has been done until then stays so.
pub async fn run(command: Command) -> anyhow::Result<String> {
    match command {
        Command::List(access) => list(&access).await,
        Command::Add { id, access, recorded } => {
            recorded.act(&access.transport()?, "keys.add", &id, add(&id, &access)).await
        }
        Command::Rotate { to, batch, pause_ms, access, recorded } => {
            let key = to.as_ref().map_or("active", KeyId::as_str).to_owned();
            let rotate = rotate(to, batch, Duration::from_millis(pause_ms), &access);
            recorded.act(&access.transport()?, "keys.rotate", key, rotate).await
        }
        Command::Retire { id, access, recorded } => {
            recorded.act(&access.transport()?, "keys.retire", &id, retire(&id, &access)).await
        }
    }
}

async fn list(access: &Access) -> anyhow::Result<String> {
    let sessions = access.sessions()?;
    let keyring = access.keys.keyring()?;
    let known = known(&sessions).await?;
    let state = |id: &str| {
        let in_keyring = keyring.as_ref().and_then(|file| {
            file.keyring().ids().find(|(other, _)| other.as_str() == id).map(|(_, state)| state.to_string())
        });
        match id {
            FIRST if access.keys.has_example_key() => "the example's: replace it".to_owned(),
            FIRST if access.keys.payment_details_key.is_some() => "set".to_owned(),
            _ => in_keyring.unwrap_or_else(|| "missing".to_owned()),
        }
    };
    let mut text = format!("{:<24} {:>12}  {:<12} {}\n", "KEY", "ROWS", "DATABASE", "KEYRING");
    for Known { id, rows, retired } in &known {
        let database = if *retired { "retired" } else { "in use" };
        match id {
            Some(id) => writeln!(text, "{id:<24} {rows:>12}  {database:<12} {}", state(id))?,
            None => writeln!(text, "{:<24} {rows:>12}  {:<12} -", "(neither v1 nor v2)", "-")?,
        }
    }
    for (id, state) in keyring
        .iter()
        .flat_map(|file| file.keyring().ids().map(|(id, state)| (id.to_string(), state)).collect::<Vec<_>>())
    {
        if !known.iter().any(|known| known.id.as_deref() == Some(id.as_str())) {
            writeln!(text, "{id:<24} {:>12}  {:<12} {state}", 0, "unknown")?;
        }
    }
    Ok(text)
}

async fn add(id: &KeyId, access: &Access) -> anyhow::Result<String> {
    anyhow::ensure!(id.as_str() != FIRST, "the id `{FIRST}` stands for PAYMENT_DETAILS_KEY: choose another one");
    let path =
        access.keys.payment_keyring.as_ref().context("PAYMENT_KEYRING is not set: it names the file with the keys")?;
    let sessions = access.sessions()?;
    create_tables(&sessions).await?;
    let add = async {
        let mut db = sessions.begin().await?;
        let registered = store::registered(&mut db, id.as_str()).await?;
        anyhow::ensure!(registered != Registered::Retired, "the key `{id}` has been retired: choose another id");
        let keyring = match registered {
            // The keyring first: a key in the database alone could not be used.
            Registered::Never => KeyringFile::open_or_create(path),
            // Rows may be under it, which a fresh key would not open.
            _ => KeyringFile::open(path),
        };
        let keyring = keyring.map_err(anyhow::Error::msg)?;
        anyhow::ensure!(
            registered == Registered::Never || keyring.keyring().key(id).is_some(),
            "the database knows the key `{id}`, and {} does not have it: it is another system's keyring, or an old copy; \
             nothing has changed",
            path.display()
        );
        let added = keyring.add(id).map_err(anyhow::Error::msg)?;
        store::add(&mut db, id.as_str()).await?;
        db.commit().await?;
        Ok((keyring, added))
    };
    let (keyring, added) = sessions.bounded::<_, anyhow::Error>(add).await?;
    let what = if added { "added" } else { "already there" };
    let active = keyring.active().map_err(anyhow::Error::msg)?;
    let next = if active == *id {
        "It is active.".to_owned()
    } else {
        format!(
            "The active key is still `{active}`. Once every replica has this keyring: payment keys rotate --to {id}"
        )
    };
    Ok(format!("Key `{id}`: {what} in {}, registered in the database. {next}\n", path.display()))
}

async fn rotate(to: Option<KeyId>, batch: i64, pause: Duration, access: &Access) -> anyhow::Result<String> {
    let keyring = access.keyring()?;
    let sessions = access.sessions()?;
    if let Some(id) = &to {
        let known = known(&sessions).await?;
        let usable = known.iter().any(|known| known.id.as_deref() == Some(id.as_str()) && !known.retired);
        anyhow::ensure!(usable, "the key `{id}` is not registered in the database: payment keys add {id}");
        keyring.set(id, State::Active).map_err(anyhow::Error::msg)?;
    }
    let active = keyring.active()?;
    let keys = access.keys.keys()?;
    let rotated = Rotation::new(&sessions, &keys, batch).run(pause).await?;
    for (method, why) in &rotated.unreadable {
        tracing::error!(payment_method_id = method.0, error = %why, "the details cannot be opened; left as they are");
    }
    let text = format!("{} rows brought under the key `{active}`.\n", rotated.renewed);
    if !rotated.unreadable.is_empty() || rotated.left > 0 {
        bail!(
            "{text}{} rows cannot be opened, and {} are locked by others or new: run it again, and look at those that stay",
            rotated.unreadable.len(),
            rotated.left
        );
    }
    Ok(text)
}

async fn retire(id: &KeyId, access: &Access) -> anyhow::Result<String> {
    let keyring = access.keys.keyring()?;
    if let Some(keyring) = &keyring {
        anyhow::ensure!(
            keyring.active().ok().as_ref() != Some(id),
            "the key `{id}` is active: payment keys rotate --to another one first"
        );
    }
    let sessions = access.sessions()?;
    let decide = async {
        let mut db = sessions.begin().await?;
        let retired = store::retire(&mut db, id.as_str()).await?;
        if retired == Retired::Now {
            db.commit().await?;
        }
        Ok::<Retired, sqlx::Error>(retired)
    };
    match sessions.bounded(decide).await.context("retiring the key in the database")? {
        Retired::Now | Retired::Before => {}
        Retired::Unknown => bail!("the database knows no key `{id}`"),
        Retired::InUse => {
            let known = known(&sessions).await?;
            let rows =
                known.iter().find(|known| known.id.as_deref() == Some(id.as_str())).map_or(0, |known| known.rows);
            bail!(
                "the key `{id}` is in use: {rows} rows need it. Run `payment keys rotate` first; nothing has changed"
            );
        }
    }
    if id.as_str() == FIRST {
        return Ok("Key `v1`: retired. Unset PAYMENT_DETAILS_KEY for every replica.\n".to_owned());
    }
    // After the database: what the keyring says alone would not keep a replica from using the key.
    if let Some(keyring) = keyring.filter(|keyring| keyring.keyring().key(id).is_some()) {
        keyring.set(id, State::Retired).map_err(anyhow::Error::msg)?;
    }
    Ok(format!("Key `{id}`: retired. Remove its line from the keyring when no backup needs it any more.\n"))
}

async fn known(sessions: &Sessions) -> anyhow::Result<Vec<Known>> {
    let known = async { store::known(&mut *sessions.acquire().await?).await };
    sessions.bounded::<_, sqlx::Error>(known).await.context("counting the rows of each key")
}

/// Creates the tables, if the service has not run here yet.
async fn create_tables(sessions: &Sessions) -> anyhow::Result<()> {
    let there = sqlx::query_scalar("select to_regclass('payment_keys') is not null").fetch_one(sessions.pool());
    match sessions.bounded(there).await.context("connecting to the database")? {
        true => Ok(()),
        false => saga::migrate(sessions.pool(), &MIGRATIONS).await,
    }
}
