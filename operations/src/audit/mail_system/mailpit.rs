//! Mails held by Mailpit, through its HTTP API (<https://mailpit.axllent.org/docs/api-v1/>).

use crate::environment::transport_of_the_process;
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::OrderId;
use serde::Deserialize;

use super::{Stamps, order_of};
use crate::audit::Delivered;

/// Messages per request.
const PAGE: usize = 500;

/// Timeout for an answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Deserialize)]
struct Page {
    messages: Vec<Message>,
}

/// A message's entry in the list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Message {
    /// The server's own id.
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "MessageID")]
    message_id: String,
    created: DateTime<Utc>,
    size: u64,
}

impl Message {
    /// `<order id>-<kind>`, for a mail that our service wrote.
    fn name(&self) -> String {
        self.message_id.split('@').next().unwrap_or_default().to_owned()
    }

    /// Time of arrival.
    pub(super) fn created(&self) -> DateTime<Utc> {
        self.created
    }
}

/// A stamp of each message that changes whenever the message does.
pub(super) fn stamps(messages: &[Message]) -> Stamps {
    let stamp = |message: &Message| {
        let mut hasher = DefaultHasher::new();
        (&message.id, &message.message_id, message.size).hash(&mut hasher);
        (order_of(&message.name()), hasher.finish())
    };
    messages.iter().map(stamp).collect()
}

/// All messages on the server.
///
/// # Errors
/// If it does not answer, or not as Mailpit does.
pub(super) async fn list(api: &str) -> anyhow::Result<Vec<Message>> {
    let http = client()?;
    let mut messages: BTreeMap<String, Message> = BTreeMap::new();
    loop {
        // Newest first: messages that arrive meanwhile shift the others, so that some are listed twice.
        let before = messages.len();
        let url = format!("{api}/api/v1/messages?start={before}&limit={PAGE}");
        let page: Page = get(&http, &url).await?.json().await.with_context(|| format!("reading {url}"))?;
        messages.extend(page.messages.into_iter().map(|message| (message.id.clone(), message)));
        if messages.len() == before {
            return Ok(messages.into_values().collect());
        }
    }
}

/// Reads the mails that belong to the wanted orders.
///
/// # Errors
/// If the server does not answer, or `put` fails.
pub(super) async fn read(
    api: &str,
    messages: Vec<Message>,
    is_wanted: impl Fn(OrderId) -> bool,
    mut put: impl FnMut(OrderId, Delivered) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let http = client()?;
    for message in messages {
        let name = message.name();
        let order = order_of(&name);
        if is_wanted(order) {
            let url = format!("{api}/api/v1/message/{}/raw", message.id);
            let text = get(&http, &url).await?.text().await.with_context(|| format!("reading {url}"))?;
            put(order, Delivered { name, text })?;
        }
    }
    Ok(())
}

fn client() -> anyhow::Result<reqwest::Client> {
    transport_of_the_process()?.http()?.timeout(ANSWERS_WITHIN).build().context("creating an HTTP client")
}

async fn get(http: &reqwest::Client, url: &str) -> anyhow::Result<reqwest::Response> {
    let answer = http.get(url).send().await.and_then(reqwest::Response::error_for_status);
    answer.with_context(|| format!("GET {url}: does MAIL_API_URL name a Mailpit?"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use axum::{
        Json, Router,
        extract::{Path, Query},
        routing::get,
    };
    use serde_json::{Value, json};

    use super::*;

    const ORDER: &str = "0190b6f2-0000-7000-8000-000000000001";

    /// Two pages of messages, of which one message is ours.
    async fn page(Query(query): Query<HashMap<String, usize>>) -> Json<Value> {
        let all = (0..PAGE + 1).map(|number| {
            let message_id = if number == PAGE { format!("{ORDER}-receipt@example.test") } else { number.to_string() };
            json!({ "ID": number.to_string(), "MessageID": message_id, "Created": "2026-11-22T07:00:00.5Z", "Size": 7 })
        });
        let page: Vec<Value> = all.skip(query["start"]).take(query["limit"]).collect();
        Json(json!({ "total": PAGE + 1, "messages": page }))
    }

    async fn raw(Path(id): Path<String>) -> String {
        format!("Subject: {id}\r\n\r\nThank you.\r\n")
    }

    #[tokio::test]
    async fn every_page_is_read_and_of_what_is_wanted_the_text() -> anyhow::Result<()> {
        let mailpit = Router::new().route("/api/v1/messages", get(page)).route("/api/v1/message/{id}/raw", get(raw));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let api = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, mailpit).await });
        let messages = list(&api).await?;
        assert_eq!(messages.len(), PAGE + 1);
        let order: OrderId = ORDER.parse()?;
        let stamps = stamps(&messages);
        assert_eq!(stamps.iter().filter(|(of, _)| *of == order).count(), 1);
        let mut mails = Vec::new();
        let put = |of, mail| {
            mails.push((of, mail));
            Ok(())
        };
        read(&api, messages, |of| of == order, put).await?;
        let mail =
            Delivered { name: format!("{ORDER}-receipt"), text: format!("Subject: {PAGE}\r\n\r\nThank you.\r\n") };
        assert_eq!(mails, [(order, mail)]);
        Ok(())
    }

    #[tokio::test]
    async fn another_server_is_told_from_a_mailpit() {
        let said = list("http://127.0.0.1:1").await.expect_err("nobody listens there");
        assert!(format!("{said:#}").contains("does MAIL_API_URL name a Mailpit?"), "{said:#}");
    }
}
