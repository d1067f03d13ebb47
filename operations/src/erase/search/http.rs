//! What is reached over HTTP: the gateway's books, and a mail server with Mailpit's API.

use std::collections::HashSet;

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::{Found, Needles, Searched, files::unquoted};
use crate::{Environment, reconcile};

/// Messages per request.
const PAGE: usize = 200;
/// Most messages that are read: a server that always has further ones is given up.
const MOST: usize = 1_000_000;
/// Most pages one after the other that show no new message, as they do while mails arrive.
const STALE: u32 = 10;

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
    let http = match reconcile::client(&environment.transport) {
        Ok(http) => http,
        Err(why) => return searched.unseen("what is reached over HTTP", &why),
    };
    look_with(&http, environment, needles, searched).await;
}

async fn look_with(http: &reqwest::Client, environment: &Environment, needles: &Needles, searched: &mut Searched) {
    if environment.gateway.is_some() {
        match ledger(http, environment).await {
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
        && let Err(why) = mails(http, api, needles, searched).await
    {
        searched.unseen("the mail server", &why);
    }
}

async fn ledger(http: &reqwest::Client, environment: &Environment) -> anyhow::Result<String> {
    get(http, &format!("{}/v1/ledger", environment.gateway()?)).await
}

/// Reads every mail once. A mail that arrives meanwhile moves the others to the next page, so some come again.
async fn mails(http: &reqwest::Client, api: &str, needles: &Needles, searched: &mut Searched) -> anyhow::Result<()> {
    let mut read = HashSet::new();
    let (mut start, mut stale) = (0, 0);
    loop {
        let page = get(http, &format!("{api}/api/v1/messages?start={start}&limit={PAGE}")).await?;
        let Page { messages } = serde_json::from_str(&page).context("reading the list of mails")?;
        let new: Vec<&String> =
            messages.iter().map(|message| &message.id).filter(|id| read.insert((*id).clone())).collect();
        for id in &new {
            let text = get(http, &format!("{api}/api/v1/message/{id}/raw")).await?;
            searched.files += 1;
            let mut whats = needles.find(text.as_bytes());
            whats.extend(needles.find(&unquoted(text.as_bytes())));
            whats.sort_unstable();
            whats.dedup();
            for what in whats {
                let remedy = "delete it at the mail server".to_owned();
                searched.note(Found { what: what.to_owned(), place: format!("the mail {id} at {api}"), remedy });
            }
        }
        if messages.is_empty() {
            return Ok(());
        }
        stale = if new.is_empty() { stale + 1 } else { 0 };
        ensure!(stale < STALE, "it shows the same mails on every page");
        ensure!(read.len() <= MOST, "it has more than {MOST} mails: only the first were read");
        start += messages.len();
    }
}

async fn get(http: &reqwest::Client, url: &str) -> anyhow::Result<String> {
    let answer = http.get(url).send().await.and_then(reqwest::Response::error_for_status);
    answer.with_context(|| format!("GET {url}"))?.text().await.with_context(|| format!("reading {url}"))
}

#[cfg(test)]
mod tests {
    use axum::{Router, extract::Query, routing::get};
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Asked {
        start: usize,
        limit: usize,
    }

    /// A mail server with this many mails, the third of which names somebody; with `usize::MAX` every page is the first one.
    async fn server(mails: usize) -> String {
        let list = move |Query(asked): Query<Asked>| async move {
            let first = if mails == usize::MAX { 0 } else { asked.start };
            let ids = (first..mails).take(asked.limit.min(3)).map(|id| json!({ "ID": id.to_string() }));
            axum::Json(json!({ "messages": ids.collect::<Vec<_>>() }))
        };
        let raw =
            async |id: axum::extract::Path<String>| if id.as_str() == "2" { "to Canary Road" } else { "to nobody" };
        let routes = Router::new().route("/api/v1/messages", get(list)).route("/api/v1/message/{id}/raw", get(raw));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn every_mail_is_read_once_and_pages_without_end_are_given_up() {
        let http = reconcile::client(&transport::Transport::default()).unwrap();
        let needles = Needles::new([("Canary Road".to_owned(), "an address")]).unwrap();
        let mut searched = Searched::default();
        mails(&http, &server(7).await, &needles, &mut searched).await.unwrap();
        assert_eq!((searched.files, searched.found.len()), (7, 1));
        let error = mails(&http, &server(usize::MAX).await, &needles, &mut searched).await.unwrap_err();
        assert!(error.to_string().contains("on every page"), "{error:#}");
    }
}
