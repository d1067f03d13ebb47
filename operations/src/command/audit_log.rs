//! `scenarios audit`: the audit log. (`scenarios verify` audits something else: the shop's invariants.)

#![expect(clippy::print_stdout, reason = "the entries are the command's output")]

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use audit_log::{
    Head, PublicKey, Reader, Recorder, Roles, SigningKey, Topic, Wanted, escaped,
    verify::{Intent, Trusted, Verdict},
};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use saga::outbox::kafka::Cluster;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgPoolOptions;

use crate::{cluster_of_the_process, report::mark, transport_of_the_process};

/// Shows and verifies the audit log: who did what, on what, and why.
#[derive(Debug, Args)]
pub struct AuditLog {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists entries, oldest first.
    List(List),
    /// Verifies the log: names every row that was changed, taken, moved, written anew or cut off, and exits with 1 if there is
    /// one. Lists acts whose end is not recorded.
    Verify(Verify),
    /// Announces the head of the latest entry, even if a writer has noted that it is on the topic.
    Announce(Broker),
    /// Creates a key that signs heads; prints its public key.
    Key {
        /// New file for the key, which only its owner can read.
        file: PathBuf,
    },
    /// Creates or updates the log in an empty database, and gives the roles audit_writer and audit_reader their rights.
    Prepare {
        /// The database, for its owner.
        #[arg(long, env = "AUDIT_OWNER_URL", hide_env_values = true)]
        owner_url: SecretString,
    },
}

#[derive(Debug, Args)]
struct Log {
    /// The audit log's database, for a reader.
    #[arg(long, env = "AUDIT_READER_URL", hide_env_values = true)]
    reader_url: SecretString,
}

#[derive(Debug, Args)]
struct Broker {
    /// Kafka brokers as host:port, separated by commas.
    #[arg(long, env = "KAFKA_BROKERS", hide_env_values = true, default_value = "")]
    brokers: String,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    log: Log,
    /// Entries at or after this time, e.g. 2026-01-31T12:00:00Z.
    #[arg(long)]
    since: Option<DateTime<Utc>>,
    /// Entries of the actor with this name.
    #[arg(long)]
    actor: Option<String>,
    /// Entries about the object with this id, or objects of this kind.
    #[arg(long)]
    object: Option<String>,
    /// Maximum number of entries; the latest are shown.
    #[arg(long, default_value_t = 1000)]
    latest: u32,
}

#[derive(Debug, Args)]
struct Verify {
    #[command(flatten)]
    log: Log,
    #[command(flatten)]
    broker: Broker,
    /// File with the public keys whose signatures count, one on each line.
    #[arg(long, env = "AUDIT_PUBLIC_KEYS_FILE", hide_env_values = true, required_unless_present = "without_heads")]
    public_keys: Option<PathBuf>,
    /// Look at the rows alone. A superuser of the database can then have written them anew, or cut them off.
    #[arg(long)]
    without_heads: bool,
    /// Compare with the head in this file, and if nothing is wrong, remember the log's end there. Keep the file where nobody who
    /// owns the database or the topic can write.
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
    /// There is no such file yet: create it.
    #[arg(long, requires = "remember")]
    first: bool,
    /// The log is new and may have no entry.
    #[arg(long)]
    empty: bool,
}

impl AuditLog {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::List(list) => list.run().await,
            What::Verify(verify) => verify.run().await,
            What::Announce(broker) => {
                let Recorder::To(log) = Recorder::of_the_process(&broker.cluster()?)? else {
                    return Ok(ExitCode::FAILURE);
                };
                match log.announce_end().await? {
                    Some(seq) => println!("the head of row {seq} is announced"),
                    None => println!("the log has no entry"),
                }
                Ok(ExitCode::SUCCESS)
            }
            What::Key { file } => {
                let key = SigningKey::generate();
                key.save(&file)?;
                println!("{}", key.public());
                Ok(ExitCode::SUCCESS)
            }
            What::Prepare { owner_url } => {
                let options = transport_of_the_process()?.postgres("AUDIT_OWNER_URL", owner_url.expose_secret())?;
                let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await;
                audit_log::prepare(&pool.context("logging in as the owner of the audit log")?, Roles::default())
                    .await?;
                println!("the audit log is ready");
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Broker {
    fn cluster(&self) -> anyhow::Result<Cluster> {
        cluster_of_the_process(&self.brokers)
    }
}

impl List {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let wanted = Wanted { since: self.since, actor: self.actor, object: self.object, latest: self.latest };
        let entries = Reader::new(&transport_of_the_process()?, &self.log.reader_url)?.list(&wanted).await?;
        entries.iter().for_each(|entry| println!("{entry}"));
        println!("{} entries", entries.len());
        Ok(ExitCode::SUCCESS)
    }
}

impl Verify {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let keys = self.public_keys.as_deref().filter(|_| !self.without_heads).map(PublicKey::load_all).transpose()?;
        let remembered = self.remember.as_deref().map(|file| remembered(file, self.first)).transpose()?.flatten();
        let trusted = Trusted { keys: keys.unwrap_or_default(), remembered, may_be_empty: self.empty };
        // The heads first: each of them is then of an entry that the log has to have.
        let announced = if self.without_heads {
            None
        } else {
            anyhow::ensure!(
                !self.broker.brokers.is_empty(),
                "no broker is given: set KAFKA_BROKERS, or use --without-heads"
            );
            Some(Topic::of(&self.broker.cluster()?).read().await?)
        };
        let verdict = Reader::new(&transport_of_the_process()?, &self.log.reader_url)?
            .verify(announced.as_ref(), &trusted)
            .await?;
        report(&verdict, self.without_heads);
        if !verdict.holds() {
            return Ok(ExitCode::FAILURE);
        }
        if let (Some(file), Some(end)) = (&self.remember, &verdict.end) {
            remember(file, end)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn report(verdict: &Verdict, without_heads: bool) {
    let Verdict { entries, findings, covered, uncovered, open, .. } = verdict;
    println!("{} the audit log, {entries} entries", mark(verdict.holds()));
    findings.iter().for_each(|finding| println!("    {finding}"));
    match covered {
        _ if without_heads => println!("  heads were not looked at: the rows may have been written anew, or cut off"),
        None => println!("  no signed head covers any row"),
        Some(seq) if *uncovered == 0 => println!("  signed heads cover all rows, up to row {seq}"),
        Some(seq) => {
            println!("  signed heads cover row {seq} and those before it; {uncovered} rows after it are not covered")
        }
    }
    if !open.is_empty() {
        println!("  {} acts have begun and their end is not recorded:", open.len());
    }
    for Intent { seq, actor, action, object: (kind, id), micros, .. } in open {
        let at = DateTime::from_timestamp_micros(*micros).map_or(String::new(), |at| at.format("%F %T").to_string());
        let [actor, action, kind, id] = [actor, action, kind, id].map(|text| escaped(text));
        println!("    row {seq}  {at}  {actor}  {action}  {kind} {id}");
    }
}

/// The head in the file; None if this is the first time, when there must be no file yet.
fn remembered(file: &Path, first: bool) -> anyhow::Result<Option<Head>> {
    let shown = file.display();
    let text = match std::fs::read_to_string(file) {
        Ok(_) if first => anyhow::bail!("{shown} is there already: leave out --first"),
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && first => return Ok(None),
        // Taken for a first time, it would forget what it was to remember.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            anyhow::bail!("{shown} is not there, so nothing is remembered: if this is the first time, say --first")
        }
        Err(error) => return Err(error).with_context(|| format!("reading {shown}")),
    };
    Head::parse(text.trim()).map(Some).with_context(|| format!("{} is not what verifying remembers", file.display()))
}

fn remember(file: &Path, end: &Head) -> anyhow::Result<()> {
    let directory = file.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let write = || -> anyhow::Result<()> {
        let mut new = tempfile::NamedTempFile::new_in(directory)?;
        std::io::Write::write_all(&mut new, format!("{end}\n").as_bytes())?;
        new.persist(file)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_not_taken_for_a_first_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("end");
        let error = remembered(&file, false).expect_err("mistyped").to_string();
        assert!(error.contains("say --first"), "{error}");
        assert_eq!(remembered(&file, true).expect("the first time"), None);
        let head = "not a head";
        std::fs::write(&file, head).expect("written");
        assert!(remembered(&file, true).expect_err("not the first time").to_string().contains("leave out --first"));
        assert!(remembered(&file, false).is_err(), "no head");
    }
}
