//! `scenarios acl`: the rights on Kafka that the tables ask for, and those that the broker grants.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use saga::outbox::kafka::Cluster;
use transport::Transport;

use super::programs::Programs;
use crate::{
    acl::{Acl, Deviation, Rights, open_doors, unseen},
    cluster::{Connection, Rules},
    cluster_of_the_process,
};

/// Shows, grants and checks the rights on Kafka, which follow from the services' tables.
#[derive(Debug, Args)]
pub struct AclCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Prints the rights that the system needs.
    Print {
        #[command(flatten)]
        programs: Programs,
        /// Form of the output.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Grants the rights that are missing. Tells of those that are not needed.
    Apply {
        #[command(flatten)]
        programs: Programs,
        #[command(flatten)]
        broker: Brokers,
        /// Take away the rights of our principals that are not needed.
        #[arg(long)]
        prune: bool,
    },
    /// Compares the broker's rules with the rights that the system needs, and looks for ways around them. The exit code is 1 if
    /// there is any difference.
    Verify {
        #[command(flatten)]
        programs: Programs,
        #[command(flatten)]
        broker: Brokers,
    },
}

#[derive(Debug, Args)]
struct Brokers {
    /// Kafka brokers as host:port, separated by commas.
    #[arg(long, env = "KAFKA_BROKERS", hide_env_values = true)]
    brokers: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// Commands for Kafka's own tool.
    Commands,
}

impl AclCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Print { programs, format } => {
                let rights = programs.rights().await?;
                match format {
                    Format::Text => print!("{}", rights.text()),
                    Format::Json => println!("{:#}", serde_json::to_value(&rights.acls)?),
                    Format::Commands => print!("{}", rights.commands()),
                }
                Ok(ExitCode::SUCCESS)
            }
            What::Apply { programs, broker, prune } => apply(&programs.rights().await?, &broker.brokers, prune).await,
            What::Verify { programs, broker } => {
                let findings = findings(&programs.rights().await?, &broker.brokers).await?;
                findings.iter().for_each(|finding| println!("{finding}"));
                let count = findings.len();
                println!("{count} findings");
                Ok(if count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
        }
    }
}

async fn apply(rights: &Rights, brokers: &str, prune: bool) -> anyhow::Result<ExitCode> {
    let mut connection = Connection::open(&cluster_of_the_process(brokers)?).await?;
    let Rules::On { acls, .. } = connection.rules().await? else {
        anyhow::bail!("the broker has no authorizer, so rules have no effect: set authorizer.class.name first");
    };
    let Deviation { missing, surplus, strange } = Deviation::between(rights, &acls);
    connection.add_rules(&missing).await?;
    tell("granted", &missing);
    if prune {
        connection.remove_rules(&surplus).await?;
        tell("taken away", &surplus);
    } else {
        tell("not needed; --prune takes it away", &surplus);
    }
    tell("not ours, but about our resources; look at it", &strange);
    println!("{} granted, {} needed in all", missing.len(), rights.acls.len());
    Ok(ExitCode::SUCCESS)
}

fn tell(what: &str, acls: &[Acl]) {
    acls.iter().for_each(|acl| println!("{what}: {acl}"));
}

async fn findings(rights: &Rights, brokers: &str) -> anyhow::Result<Vec<String>> {
    let mut connection = Connection::open(&cluster_of_the_process(brokers)?).await?;
    let settings = connection.broker_settings().await.context("looking for ways around the rules")?;
    // Notes: an honest broker, too, does not show them.
    unseen(rights, &settings).iter().for_each(|note| println!("{note}"));
    let mut findings = open_doors(rights, &settings);
    match connection.rules().await? {
        Rules::Off => {}
        Rules::On { acls, unknown } => {
            findings.extend(Deviation::between(rights, &acls).lines());
            if unknown > 0 {
                findings.push(format!("{unknown} rules are of a kind that this program does not know"));
            }
        }
    }
    if answers(&Cluster::at(brokers, &Transport::plain())).await {
        findings.push(format!("{brokers} answers those who do not authenticate"));
    }
    Ok(findings)
}

/// Returns whether the brokers answer requests.
async fn answers(cluster: &Cluster) -> bool {
    match Connection::open(cluster).await {
        Ok(mut connection) => connection.brokers().await.is_ok(),
        Err(_) => false,
    }
}
