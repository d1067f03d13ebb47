//! Publishes requests, as any client would.

use saga::outbox::{Prefix, kafka::Cluster};
use std::time::Duration;

use anyhow::Context;
use chrono::{SecondsFormat, Utc};
use events::{EventId, OrderId, publisher, request::ORDER_REQUESTED};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use saga::{outbox::kafka, record::EXPECTS};
use serde::Deserialize;

use crate::{Environment, credentials::Credentials};

const TIMEOUT: Duration = Duration::from_secs(15);
/// `ce_source` of requests.
pub const SOURCE: &str = "/clients/scenarios";

/// Publishes records, and waits for the broker's acknowledgement.
#[derive(Clone)]
pub struct Client {
    producer: FutureProducer,
    prefix: Prefix,
    credentials: Credentials,
}

/// Position of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub partition: i32,
    pub offset: i64,
}

impl Client {
    /// A client of a system, with its credentials.
    ///
    /// # Errors
    /// If the Kafka client cannot be made.
    pub fn of(environment: &Environment) -> anyhow::Result<Self> {
        Ok(Client::new(&environment.brokers)?.with(environment.credentials.clone()))
    }

    /// The same client with these credentials.
    #[must_use]
    pub fn with(self, credentials: Credentials) -> Self {
        Client { credentials, ..self }
    }

    /// A client without credentials.
    ///
    /// # Errors
    /// If the Kafka client cannot be made.
    pub fn new(brokers: &Cluster) -> anyhow::Result<Self> {
        let producer = brokers
            .client("scenarios")
            .set("client.id", "scenarios")
            .set("acks", "all")
            // Not idempotent: a request that is published twice becomes one order anyway, and the producer need not first obtain
            // an id from the broker.
            .set("linger.ms", "0")
            // Dead letters' originals are as large as their topics allow.
            .set("message.max.bytes", "2000000")
            .set("partitioner", "murmur2_random")
            // Reconnect quickly once the broker is back.
            .set("reconnect.backoff.max.ms", "250")
            .set("allow.auto.create.topics", "false")
            .create()
            .context("creating the Kafka producer")?;
        Ok(Client { producer, prefix: brokers.prefix().clone(), credentials: Credentials::default() })
    }

    /// Publishes a bare value on `order.requests`: no headers, any bytes, or a null value. A key only selects the partition.
    pub async fn bare(&self, key: Option<&str>, value: Option<&[u8]>) -> anyhow::Result<Place> {
        self.send(publisher::CLIENT.topic(), key.map(str::as_bytes), value, OwnedHeaders::new()).await
    }

    /// Publishes a request with an envelope, keyed by its order.
    pub async fn request(&self, order: OrderId, data: &serde_json::Value) -> anyhow::Result<Place> {
        self.event(publisher::CLIENT.topic(), SOURCE, ORDER_REQUESTED, order, data).await
    }

    /// Publishes any event on any topic, as its publisher would.
    pub async fn event(
        &self,
        topic: &str,
        source: &str,
        event_type: &str,
        order: OrderId,
        data: &serde_json::Value,
    ) -> anyhow::Result<Place> {
        self.say(topic, source, event_type, order, data, &[]).await
    }

    /// Publishes an event, of this type and version, as an operator: a service acts upon it only while the order's state there
    /// is as `expects` says.
    pub async fn said_again(
        &self,
        topic: &str,
        source: &str,
        (event_type, version): (&str, u32),
        order: OrderId,
        data: &serde_json::Value,
        expects: &str,
    ) -> anyhow::Result<Place> {
        let further = [("ce_dataversion", &*version.to_string()), (EXPECTS, expects)];
        self.say(topic, source, event_type, order, data, &further).await
    }

    async fn say(
        &self,
        topic: &str,
        source: &str,
        event_type: &str,
        order: OrderId,
        data: &serde_json::Value,
        further: &[(&str, &str)],
    ) -> anyhow::Result<Place> {
        let (id, order) = (EventId::new().to_string(), order.to_string());
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", &id),
            ("ce_type", event_type),
            ("ce_source", source),
            ("ce_subject", &order),
            ("ce_time", &time),
            ("content-type", "application/json"),
        ];
        let all: Vec<(&str, &str)> = headers.into_iter().chain(further.iter().copied()).collect();
        let headers = kafka::headers(&all);
        self.send(topic, Some(order.as_bytes()), Some(data.to_string().as_bytes()), headers).await
    }

    /// Adds the buyer's token to a request, if there are credentials.
    fn with_token(&self, topic: &str, value: Option<&[u8]>, headers: OwnedHeaders) -> anyhow::Result<OwnedHeaders> {
        if topic != publisher::CLIENT.topic() {
            return Ok(headers);
        }
        // What is no request is refused with a token as well.
        let token = self.credentials.of_user(value.and_then(user_of).unwrap_or(0))?;
        Ok(match token {
            Some(token) => {
                let value = format!("Bearer {token}");
                headers.insert(Header { key: "authorization", value: Some(value.as_bytes()) })
            }
            None => headers,
        })
    }

    /// Publishes any record.
    pub async fn send(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: OwnedHeaders,
    ) -> anyhow::Result<Place> {
        let headers = self.with_token(topic, value, headers)?;
        let topic = self.prefix.of(topic);
        let mut record = FutureRecord::<[u8], [u8]>::to(topic.real()).headers(headers);
        (record.key, record.payload) = (key, value);
        let delivery = self.producer.send(record, TIMEOUT).await;
        let delivery = delivery.map_err(|(error, _)| error).with_context(|| format!("publishing on {topic}"))?;
        Ok(Place { partition: delivery.partition, offset: delivery.offset })
    }
}

/// The user that a request is for, whether it is bare or in a structured CloudEvent.
fn user_of(value: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Request {
        user_id: Option<i64>,
        data: Option<Box<Request>>,
    }
    let request: Request = serde_json::from_slice(value).ok()?;
    request.user_id.or_else(|| request.data?.user_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_for_its_user_in_every_form() {
        for (value, user) in [
            (r#"{"user_id":7}"#, Some(7)),
            (r#"{"specversion":"1.0","data":{"user_id":7}}"#, Some(7)),
            (r#"{"user_id":7,"data":{"user_id":8}}"#, Some(7)),
            (r#"{"data":"text"}"#, None),
            ("one Bitcoin", None),
        ] {
            assert_eq!(user_of(value.as_bytes()), user, "{value}");
        }
    }
}
