//! Erases a user's personal data, and searches for what may be left of it.
//!
//! Everything that a search is to look for is collected first: afterwards nobody knows it any more. Then the order service closes
//! the user and says so. What came up before he was closed is collected as well, then the user's key is deleted, every service
//! scrubs, and what no service owns is removed here: requests on their topic and mails in files. The event is said a second time
//! when everything has arrived that was on its way at the first: a letter that was written in between is scrubbed by it.

mod ask;
mod collect;
mod mails;
mod personal;
mod progress;
mod records;
mod search;

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use events::UserId;

use crate::{Environment, databases::Databases};

pub use ask::Answer;
pub use collect::Wanted;
pub use search::{Found, Needles, Searched, search};

/// What is to be erased, and how far the search goes.
#[derive(Debug, Clone)]
pub struct Plan {
    pub user: UserId,
    /// Texts to look for beside those that are collected.
    pub find: Vec<String>,
    /// Directories with logs.
    pub logs: Vec<PathBuf>,
    /// Bound of each wait.
    pub patience: Duration,
}

/// How an erasure ended.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing was done, for this reason.
    Refused(String),
    /// It is done, and this is what a search has seen.
    Done { removed: Removed, searched: Searched },
}

/// What was removed beside what the services removed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    pub requests: i64,
    pub mails: usize,
}

/// Erases a user, and searches. May be repeated: an erasure that was interrupted is completed.
///
/// # Errors
/// If a step could not be done: the error says which. What was done before it stays done.
pub async fn erase(environment: &Environment, plan: &Plan) -> anyhow::Result<Outcome> {
    let databases = Databases::of(environment)?;
    let mut wanted = Wanted::collect(environment, &databases, plan).await.context("collecting what to look for")?;
    wanted.needles()?;
    if let Answer::Refused(why) = ask::erase(environment, plan.user).await? {
        return Ok(Outcome::Refused(why));
    }
    // An order may have been placed, and have ended, while the first was collected: now none is placed any more.
    let since =
        Wanted::collect(environment, &databases, plan).await.context("collecting what to look for once more")?;
    wanted.add_all(since);
    let needles = wanted.needles()?;
    personal::delete_key(databases.vault(), plan.user).await.context("deleting the user's key")?;
    progress::scrubbed(environment, &databases, plan).await?;
    if let Answer::Refused(why) = ask::erase(environment, plan.user).await? {
        anyhow::bail!("the erasure cannot be completed: {why}");
    }
    progress::scrubbed(environment, &databases, plan).await?;
    let requests = records::remove_handled_requests(environment, &databases).await?;
    let mails = mails::remove(environment, &wanted.orders).await.context("removing mails")?;
    let searched = search(environment, &databases, &needles, &plan.logs).await;
    Ok(Outcome::Done { removed: Removed { requests, mails }, searched })
}
