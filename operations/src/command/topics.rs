//! `scenarios topics`: the topics of the system, made by an administrator.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use saga::config::Kafka;

use super::programs::Programs;
use crate::transport_of_the_process;

/// Creates the topics that the services' tables name, for services that may not (KAFKA_TOPICS=expect).
#[derive(Debug, Args)]
pub struct TopicsCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Prints the topics' names, dead-letter topics included.
    List {
        #[command(flatten)]
        programs: Programs,
    },
    /// Creates the topics that are missing, with their settings. Others stay as they are.
    Create {
        #[command(flatten)]
        programs: Programs,
        #[command(flatten)]
        kafka: Kafka,
    },
}

impl TopicsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::List { programs } => programs.rights().await?.topics.iter().for_each(|topic| println!("{topic}")),
            What::Create { programs, kafka } => {
                let rights = programs.rights().await?;
                rights.create_topics(&kafka.over(&transport_of_the_process()?), "scenarios").await?;
                println!("{} topics are there", rights.topics.len());
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
