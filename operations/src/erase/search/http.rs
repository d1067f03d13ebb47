//! What is reached over HTTP: the gateway's books, and a mail server with Mailpit's API.

use anyhow::Context;
use serde::Deserialize;

use super::{Found, Needles, Searched, files::unquoted};
use crate::{Environment, reconcile};

/// Messages per request.
const PAGE: usize = 200;

#[derive(Deserialize)]
struct Page {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "ID")]
    id: String,
}

pub(super) async fn look(environment: &Environment, needles: &Needles, searched: &mut Searched) {
    if environment.gateway.is_some() {
        match ledger(environment).await {
            Ok(ledger) => {
                for what in needles.find(ledger.as_bytes()) {
                    let (place, remedy) =
                        ("the payment gateway's books".to_owned(), "ask the payment provider".to_owned());
                    searched.note(Found { what: what.to_owned(), place, remedy });
                }
            }
            Err(why) => searched.unseen("the payment gateway's books", &why),
        }
    }
    if let Some(api) = environment.mail_api()
        && let Err(why) = mails(environment, api, needles, searched).await
    {
        searched.unseen("the mail server", &why);
    }
}

async fn ledger(environment: &Environment) -> anyhow::Result<String> {
    get(environment, &format!("{}/v1/ledger", environment.gateway()?)).await
}

async fn mails(environment: &Environment, api: &str, needles: &Needles, searched: &mut Searched) -> anyhow::Result<()> {
    let mut start = 0;
    loop {
        let page = get(environment, &format!("{api}/api/v1/messages?start={start}&limit={PAGE}")).await?;
        let Page { messages } = serde_json::from_str(&page).context("reading the list of mails")?;
        for Message { id } in &messages {
            let text = get(environment, &format!("{api}/api/v1/message/{id}/raw")).await?;
            searched.files += 1;
            let mut whats = needles.find(text.as_bytes());
            whats.extend(needles.find(&unquoted(text.as_bytes())));
            for what in whats {
                let remedy = "delete it at the mail server".to_owned();
                searched.note(Found { what: what.to_owned(), place: format!("the mail {id} at {api}"), remedy });
            }
        }
        if messages.is_empty() {
            return Ok(());
        }
        start += messages.len();
    }
}

async fn get(environment: &Environment, url: &str) -> anyhow::Result<String> {
    let http = reconcile::client(&environment.transport)?;
    let answer = http.get(url).send().await.and_then(reqwest::Response::error_for_status);
    answer.with_context(|| format!("GET {url}"))?.text().await.with_context(|| format!("reading {url}"))
}
