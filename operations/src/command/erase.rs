//! `scenarios erase`: erases a user's personal data.

#![expect(clippy::print_stdout, reason = "what was erased and found is the command's output")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use audit_log::Ended;
use clap::Args;
use events::UserId;

use crate::{
    audited::Audited,
    command::running,
    erase::{self, Outcome, Plan, Searched},
    operator::Operator,
};

/// Erases a user's personal data, and then searches for what may be left of it. The user can order no more.
///
/// The user must not have orders under way. The order service closes the user and says so on its topic; every service removes
/// what names the user and keeps what is bookkeeping: amounts, ids, statuses. Requests that the order service has handled are
/// removed from their topic, up to where it has read: those of other users too, since Kafka removes records only from the
/// beginning of a partition; they have been handled. Mails of the user's orders are deleted where mail goes into files.
///
/// Then everything is searched for the user's addresses, name and letters, which are collected before: all databases, topics and
/// dead letters, mails, the payment gateway's books, and directories with logs. The exit code is 1 if anything was found, or if
/// something could not be seen. An erasure that was interrupted is completed by running it again; what the first run has removed
/// is then known no more, so that it is searched for only if --find names it.
#[derive(Debug, Args)]
pub struct Erase {
    /// Id of the user.
    #[arg(long)]
    user: i64,
    /// Reason, for later readers of the audit log. Do not name the person.
    #[arg(long)]
    why: String,
    /// A further text to search for. Others who can list processes see it; - reads texts from standard input, one a line.
    #[arg(long, value_name = "TEXT")]
    find: Vec<String>,
    /// A directory with logs to search, and the directories in it.
    #[arg(long, value_name = "DIR")]
    logs: Vec<PathBuf>,
    /// Maximum time to wait until all services have scrubbed, in seconds. Waited for twice.
    #[arg(long, default_value_t = 60)]
    timeout: u64,
    /// Name of the person who acts, if no certificate says it. Recorded as unverified. Defaults to USER.
    #[arg(long)]
    by: Option<String>,
}

impl Erase {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(!self.why.trim().is_empty(), "--why is empty: say why the user is erased");
        let environment = running()?;
        let plan = Plan {
            user: UserId(self.user),
            find: texts(self.find)?,
            logs: self.logs,
            patience: Duration::from_secs(self.timeout),
        };
        let audited = Audited::of_the_process(&environment.brokers, Operator::of_process(self.by.as_deref())?)?;
        let act = audited.act("user.erase", "user", self.user).because(&self.why);
        let ended = |outcome: &Outcome| match outcome {
            Outcome::Refused(why) => Ended::failed(why),
            Outcome::Done { searched, .. } => Ended::done(in_short(searched)),
        };
        let outcome = audited.carry_out(&act, erase::erase(&environment, &plan), ended).await?;
        match outcome {
            Outcome::Refused(why) => {
                println!("nothing was erased: {why}");
                Ok(ExitCode::FAILURE)
            }
            Outcome::Done { removed, searched } => {
                println!(
                    "user {} is erased; {} handled requests and {} mails were removed",
                    self.user, removed.requests, removed.mails
                );
                Ok(report(&searched))
            }
        }
    }
}

/// The texts, with those of the standard input in place of `-`.
fn texts(find: Vec<String>) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::new();
    for text in find {
        match text.as_str() {
            "-" => texts.extend(std::io::stdin().lines().collect::<Result<Vec<_>, _>>()?),
            _ => texts.push(text),
        }
    }
    Ok(texts)
}

fn in_short(searched: &Searched) -> String {
    let Searched { found, unseen, texts, .. } = searched;
    format!("{texts} texts searched, found in {} places, {} places not seen", found.len(), unseen.len())
}

fn report(searched: &Searched) -> ExitCode {
    searched.found.iter().for_each(|found| println!("found: {found}"));
    if searched.further > 0 {
        println!("found: in {} further places", searched.further);
    }
    searched.unseen.iter().for_each(|unseen| println!("not searched: {unseen}"));
    searched.too_short.iter().for_each(|what| println!("not searched for: {what}, which has fewer than 4 characters"));
    let Searched { texts, rows, records, files, .. } = searched;
    let found = if searched.found.is_empty() {
        "nothing found".to_owned()
    } else {
        format!("{} findings", searched.found.len())
    };
    println!("{found}: {texts} texts in {rows} rows, {records} records and {files} files");
    if *texts == 0 {
        println!("no text of the user was known: name some with --find, or this search proves nothing");
    }
    if searched.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
