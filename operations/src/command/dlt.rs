//! `scenarios dlt`: dead letters.

#![expect(clippy::print_stdout, reason = "the letters are the command's output")]

use std::process::ExitCode;

use audit_log::Ended;
use clap::{Args, Subcommand};
use saga::outbox::kafka::Cluster;

use crate::{
    audited::Audited,
    cluster_of_the_process,
    credentials::Credentials,
    dead_letters::{self, Letter, Originals},
    exhibit,
    operator::Operator,
    requests::{Client, Place},
};

/// Shows and replays dead letters: records that could not be read or were refused.
#[derive(Debug, Args)]
pub struct Dlt {
    #[command(subcommand)]
    what: What,
    /// Kafka brokers as host:port, separated by commas.
    #[arg(long, env = "KAFKA_BROKERS", hide_env_values = true, global = true, default_value = "")]
    brokers: String,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists all dead letters: position, time, origin and reason.
    List,
    /// Shows one dead letter in full.
    Show {
        /// Position of the letter, topic/partition/offset, as `list` prints it.
        name: String,
    },
    /// Publishes the original record again, as it still lies on its topic, if the letter agrees with it byte for byte. May be
    /// repeated: the id stays the same.
    Replay {
        /// Positions of the letters, topic/partition/offset, as `list` prints them.
        #[arg(required_unless_present = "all")]
        names: Vec<String>,
        /// Replay all letters, except those that are themselves replays.
        #[arg(long, conflicts_with = "names")]
        all: bool,
        /// Vouch for clients' requests: where requests need a token, each is sent with one in the name of the user that it says
        /// it is for. Nothing proves that he ever sent it, so look at it first: `scenarios dlt show`.
        #[arg(long)]
        vouch: bool,
    },
}

impl Dlt {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(!self.brokers.is_empty(), "no broker is given: set KAFKA_BROKERS or use --brokers");
        let cluster = cluster_of_the_process(&self.brokers)?;
        let brokers = cluster.clone();
        let letters = tokio::task::spawn_blocking(move || dead_letters::all(&brokers)).await??;
        match self.what {
            What::List => {
                letters.iter().for_each(|letter| println!("{}", line(letter)));
                println!("{} dead letters", letters.len());
                Ok(ExitCode::SUCCESS)
            }
            What::Show { name } => {
                let letter = find(&letters, &name)?;
                println!("{}", line(letter));
                exhibit::lines(&letter.record).iter().for_each(|line| println!("  {line}"));
                Ok(ExitCode::SUCCESS)
            }
            What::Replay { names, all, vouch } => {
                let chosen: Vec<Letter> = if all {
                    letters.into_iter().filter(|letter| letter.replay_of().is_none()).collect()
                } else {
                    names.iter().map(|name| find(&letters, name).cloned()).collect::<anyhow::Result<_>>()?
                };
                replay(cluster, chosen, vouch).await
            }
        }
    }
}

fn find<'a>(letters: &'a [Letter], name: &str) -> anyhow::Result<&'a Letter> {
    let letter = letters.iter().find(|letter| letter.name() == name);
    letter.ok_or_else(|| anyhow::anyhow!("there is no dead letter {name}; `scenarios dlt list` lists them"))
}

async fn replay(cluster: Cluster, letters: Vec<Letter>, vouch: bool) -> anyhow::Result<ExitCode> {
    let credentials = Credentials::from_process()?;
    let signs = !credentials.is_none();
    let client = Client::new(&cluster)?.with(credentials);
    let audited = Audited::of_the_process(&cluster, Operator::of_process(None)?)?;
    let reading = tokio::task::spawn_blocking(move || {
        let originals = Originals::of(&cluster, &letters)?;
        anyhow::Ok((originals, letters))
    });
    let (originals, letters) = reading.await??;
    let mut failed = false;
    for letter in &letters {
        let in_anothers_name = signs && letter.is_request();
        if in_anothers_name && !vouch {
            println!(
                "{} is not published: it is a client's request, and would be sent with a token in his name, which nothing proves \
                 that he asked for; look at it with `scenarios dlt show`, and vouch for it with --vouch",
                letter.name()
            );
            failed = true;
            continue;
        }
        let act = audited.act("dlt.replay", "dead letter", letter.name());
        let act = if in_anothers_name { act.because("vouched for, and sent in its user's name") } else { act };
        let ended =
            |place: &Place| Ended::done(format!("published at partition {}, offset {}", place.partition, place.offset));
        let replayed = audited.carry_out(&act, dead_letters::replay(&client, letter, &originals), ended).await;
        match (replayed, &letter.original) {
            (Ok(place), Some(original)) => {
                println!(
                    "{} is published again at {}/{}/{}",
                    letter.name(),
                    original.topic,
                    place.partition,
                    place.offset
                );
            }
            (Ok(_), None) => {}
            (Err(error), _) => {
                println!("{} is not published: {error:#}", letter.name());
                failed = true;
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn line(letter: &Letter) -> String {
    let when = i64::try_from(letter.record.timestamp_ms).ok().and_then(chrono::DateTime::from_timestamp_millis);
    let when = when.map_or("at an unknown time".to_owned(), |when| when.format("%F %T").to_string());
    let from = letter.original.as_ref().map_or("an unknown place".to_owned(), |original| original.at().to_string());
    let replay = letter.replay_of().map_or(String::new(), |of| format!(" (a replay of {of})"));
    format!("{}  {when}  from {from}{replay}  {}: {}", letter.name(), letter.class, letter.why)
}
