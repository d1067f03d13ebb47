//! `scenarios play`: a run from a file, on the services' real databases and in the model.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use simulation::Case;

use super::side_by_side::SideBySide;

/// Plays a run from a file on the services' real databases, step by step, and in the model beside them. For developers.
///
/// No broker decides the order: exactly these steps are taken. After each of them, rows, events and calls are compared. The
/// exit code is 0 if both agree to the end and the run ends as the file says, else 1. Needs PostgreSQL, which it starts.
#[derive(Debug, Args)]
pub struct Play {
    /// Files, as the model checker's tests and `scenarios simulate --keep` write them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    side_by_side: SideBySide,
}

impl Play {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let cases: Vec<(PathBuf, Case)> =
            self.files.into_iter().map(|file| Ok((file.clone(), read(&file)?))).collect::<anyhow::Result<_>>()?;
        self.side_by_side
            .run(async |databases| {
                let mut all_well = true;
                for (file, case) in &cases {
                    databases.reset(&case.shop).await.context("writing the first rows")?;
                    println!("{}", file.display());
                    let well = play(case, &databases.pools()).await?;
                    all_well &= well;
                }
                Ok(all_well)
            })
            .await
    }
}

fn read(file: &Path) -> anyhow::Result<Case> {
    let text = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| {
        format!("{} is not a run; tests of the model and `scenarios simulate --keep` write them", file.display())
    })
}

/// Returns whether both worlds agree, and end as the case says.
async fn play(case: &Case, databases: &std::collections::BTreeMap<&str, sqlx::PgPool>) -> anyhow::Result<bool> {
    let check = case.checked().map_err(anyhow::Error::msg)?.parks();
    match check.play(&case.schedule, databases).await {
        Ok(played) => {
            for (number, line) in played.story.iter().enumerate() {
                println!("{:>4}  {line}", number + 1);
            }
            println!("the databases and the model agree after each of {} steps", played.steps);
            let breaks = played.broken.as_ref().map(|broken| broken.law);
            if let Some(broken) = &played.broken {
                println!("broken: {} ({})", broken.law, broken.how);
            }
            let expected = case.breaks.as_deref();
            if breaks != expected {
                println!(
                    "the file says that {}",
                    expected.map_or("no law is broken".to_owned(), |law| format!("this is: {law}"))
                );
            }
            Ok(breaks == expected)
        }
        Err(saga_check::PlayError::Parted(parted)) => {
            print!("{parted}");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}
