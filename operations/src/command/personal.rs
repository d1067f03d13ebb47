//! `scenarios personal`: the keys that addresses and letters are sealed under.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand};
use personal_data::{Rewrapped, Roles, Settings};
use saga::outbox::kafka::Cluster;
use sealing::{KeyId, KeyringFile, State};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgPoolOptions;

use crate::{
    audited::Audited,
    environment::{cluster_of_the_process, transport_of_the_process},
    operator::Operator,
};

/// Keep the keys of persons, under which addresses and letters are sealed.
#[derive(Debug, Args)]
pub struct Personal {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Create or update the database of keys, and grant its roles their rights; may be repeated. The roles personal_keeper,
    /// personal_reader and personal_eraser exist already.
    Prepare {
        /// The database, as its owner: postgres://owner@host/personal.
        #[arg(long, env = "PERSONAL_OWNER_URL", hide_env_values = true)]
        owner_url: SecretString,
    },
    /// Add a key to a keyring, which wraps the persons' keys; a keyring that does not exist is created.
    Key {
        /// The keyring.
        #[arg(env = "PERSONAL_KEYRING", hide_env_values = true)]
        file: PathBuf,
        /// Name of the key, e.g. 2026-11.
        id: KeyId,
        /// Wrap with this key from now on.
        #[arg(long)]
        activate: bool,
    },
    /// Wrap all persons' keys by the active key of the keyring. May be interrupted and repeated; afterwards the former key is not
    /// needed any more, but for backups.
    Rewrap {
        #[command(flatten)]
        keys: Settings,
        /// Kafka brokers as host:port, separated by commas, for the heads of the audit log.
        #[arg(long, env = "KAFKA_BROKERS", hide_env_values = true, default_value = "")]
        brokers: String,
    },
}

impl Personal {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Prepare { owner_url } => {
                let options = transport_of_the_process()?.postgres("PERSONAL_OWNER_URL", owner_url.expose_secret())?;
                let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await;
                let pool = pool.context("logging in as the owner of the database of personal keys")?;
                personal_data::prepare(&pool, Roles::default()).await?;
                println!("the database of personal keys is ready");
            }
            What::Key { file, id, activate } => {
                let keyring = KeyringFile::open_or_create(&file).map_err(anyhow::Error::msg)?;
                let added = keyring.add(&id).map_err(anyhow::Error::msg)?;
                println!("{id} {}", if added { "is added" } else { "is there already" });
                if activate {
                    keyring.set(&id, State::Active).map_err(anyhow::Error::msg)?;
                    println!("{id} is active");
                }
            }
            What::Rewrap { keys, brokers } => return rewrap(&keys, cluster_of_the_process(&brokers)?).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn rewrap(keys: &Settings, cluster: Cluster) -> anyhow::Result<ExitCode> {
    let vault = keys.open_if_set(&transport_of_the_process()?)?;
    let keeper = vault.keeper().context("PERSONAL_KEYS_URL and PERSONAL_KEYRING are not set: whose keys?")?;
    let audited = Audited::of_the_process(&cluster, Operator::of_process(None)?)?;
    let act = audited.act("personal_keys.rewrap", "keys", "persons");
    let rewrapping = async { anyhow::Ok(keeper.rewrap().await?) };
    let ended = |done: &Rewrapped| {
        audit_log::Ended::done(format!("{} keys, {} cannot be used", done.count, done.unusable.len()))
    };
    let Rewrapped { count, unusable } = audited.carry_out(&act, rewrapping, ended).await?;
    println!("{count} keys are wrapped anew");
    for unusable in &unusable {
        println!("✗ {unusable}");
    }
    if unusable.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "Restore these keys, or the keyring's key that wraps them, from a backup; until then their texts cannot be read."
    );
    Ok(ExitCode::FAILURE)
}
