//! What each program is started with: its binary, and its variables.

use std::path::PathBuf;

use anyhow::Context;
use operations::{Entry, KAFKA_PREFIX, Manifest, Program, Role};
use secrecy::ExposeSecret;

use super::super::{Environment, state::StateDir};

/// The binary: at the manifest's path, or beside the running one (a test's is one directory deeper).
///
/// # Errors
/// If it has not been built.
pub fn binary(entry: &Entry) -> anyhow::Result<PathBuf> {
    let program = entry.program;
    if let Some(binary) = &entry.binary {
        anyhow::ensure!(binary.is_file(), "the program `{program}` is not at {}; build it first", binary.display());
        return Ok(binary.clone());
    }
    let runner = std::env::current_exe().context("finding the running program")?;
    let binaries = runner.ancestors().skip(1).take(2).map(|directory| directory.join(program.name()));
    let found = binaries.into_iter().find(|binary| binary.is_file());
    found.with_context(|| {
        format!("the program `{program}` is not beside {}; run cargo build --workspace", runner.display())
    })
}

/// The binary of one of the shop's programs.
///
/// # Errors
/// If it has not been built.
pub fn binary_of(program: Program) -> anyhow::Result<PathBuf> {
    let shop = Manifest::of_the_shop();
    let entry = shop.entries().iter().find(|entry| entry.program == program);
    binary(entry.with_context(|| format!("the shop has no program `{program}`"))?)
}

/// The variables that connect a program to the system.
///
/// # Errors
/// If the system lacks something that the manifest says the program needs.
pub(super) fn wiring(
    entry: &Entry,
    environment: &Environment,
    state: &StateDir,
    partitions: i32,
) -> anyhow::Result<Vec<(String, String)>> {
    let program = entry.program;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut variables = vec![pair("KAFKA_PARTITIONS", &partitions.to_string())];
    if program.speaks_kafka() {
        variables.push(pair("KAFKA_BROKERS", &environment.brokers.brokers()));
        variables.push(pair(KAFKA_PREFIX, environment.brokers.prefix().as_str()));
    }
    match program.role() {
        Role::Service(database) => {
            // With static membership, a restarted program has its partitions back at once.
            variables.push(pair("KAFKA_INSTANCE_ID", program.name()));
            variables.push(pair("DATABASE_URL", environment.database(database)?.expose_secret()));
        }
        Role::Relay => {
            variables.push(pair("RELAY_PUBLISHERS", &environment.manifest.publishers()));
            for database in environment.manifest.databases() {
                variables.push(pair(&database.variable(), environment.database(database)?.expose_secret()));
            }
        }
        Role::Outside => {}
    }
    // An external system's books outlive its program.
    let mut offered = environment.variables();
    offered.push(pair("LEDGER_FILE", &state.ledger().display().to_string()));
    for name in &entry.needs {
        let known = offered.iter().find(|(offered, _)| offered == name);
        match (known, OPTIONAL.contains(&name.as_str())) {
            (Some((_, value)), _) => variables.push(pair(name, value)),
            (None, true) => {}
            (None, false) => anyhow::bail!("the program `{program}` needs {name}, which the system does not have"),
        }
    }
    variables.extend(entry.environment.iter().map(|(name, value)| pair(name, value)));
    Ok(variables)
}

/// Optional needs: without them the program uses its default.
const OPTIONAL: [&str; 2] = ["MAIL_DIR", "MAIL_API_URL"];
