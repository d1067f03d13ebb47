//! Asks the order service to erase a user.

use anyhow::{Context, bail};
use events::UserId;
use reqwest::StatusCode;
use serde::Deserialize;

use crate::{Environment, reconcile};

/// The order service's answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Accepted,
    /// The user has orders that have not ended.
    Refused(String),
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

pub(super) async fn erase(environment: &Environment, user: UserId) -> anyhow::Result<Answer> {
    let url = format!("{}/users/{user}/erase", environment.order_operations()?);
    let http = reconcile::client(&environment.transport)?;
    let answer = http.post(&url).send().await.with_context(|| format!("POST {url}"))?;
    match answer.status() {
        StatusCode::ACCEPTED => Ok(Answer::Accepted),
        StatusCode::CONFLICT => {
            let problem: Problem = answer.json().await.with_context(|| format!("reading {url}"))?;
            Ok(Answer::Refused(problem.detail))
        }
        status => bail!("POST {url}: {status}: {}", answer.text().await.unwrap_or_default()),
    }
}
