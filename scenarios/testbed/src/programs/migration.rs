//! Migrations by the databases' owners, before the programs start.

use std::time::Duration;

use anyhow::Context;
use futures::future::try_join_all;
use nix::sys::signal::Signal;
use secrecy::{ExposeSecret, SecretString};

use super::{
    super::{
        Manifest, Roles,
        certs::{ADMIN, Certs},
        postgres::OWNER,
        process::{self, Process},
    },
    Launch,
};

const WITHIN: Duration = Duration::from_secs(120);

/// Has each service migrate its database as the owner, and exit. The launches are in the manifest's order.
pub(super) async fn migrate(
    manifest: &Manifest,
    roles: &Roles,
    certs: Option<&Certs>,
    launches: &[Launch],
) -> anyhow::Result<()> {
    let services = manifest.programs().zip(launches);
    let migrations = services.filter_map(|(program, launch)| {
        program.database().map(|database| migrated(launch, roles.url(database, OWNER), certs))
    });
    try_join_all(migrations).await.map(drop)
}

async fn migrated(launch: &Launch, owner: &SecretString, certs: Option<&Certs>) -> anyhow::Result<()> {
    let mut command = process::command(&launch.binary, Signal::SIGTERM);
    command.args(&launch.arguments).arg("--migrate-only").envs(launch.variables.iter().cloned());
    command.env("DATABASE_OWNER_URL", owner.expose_secret());
    if let Some(certs) = certs {
        // The service's own certificate does not open the owner's role.
        command.env("TLS_DIR", certs.of(ADMIN));
    }
    let mut process = Process::spawn(&launch.name, command, &launch.log, Signal::SIGKILL)?;
    let ended = tokio::time::timeout(WITHIN, process.ended()).await;
    let status = ended.with_context(|| format!("{} does not end its migration", launch.name))??;
    anyhow::ensure!(
        status.success(),
        "{} could not migrate its database, {status}; {}",
        launch.name,
        process.last_words()
    );
    Ok(())
}
