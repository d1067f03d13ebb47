//! Hostile records, as anyone with access to the topics may publish them. Each is a request, or names an order that was never
//! placed.

use chrono::{Duration, Utc};
use events::{OrderId, Publisher, publisher};
use operations::databases::Databases;
use rand::{Rng, RngExt};
use saga::record::Record;
use serde_json::{Value, json};
use testbed::cast::MALLORY;
use uuid::{Timestamp, Uuid};

use super::bad_requests::sensible;

/// Ids of recently published events, which other services may not have read yet.
///
/// # Errors
/// If a database does not answer.
pub async fn recently_said(databases: &Databases) -> sqlx::Result<Vec<Uuid>> {
    let mut said = Vec::new();
    for database in databases.all() {
        let ids: Vec<Uuid> = sqlx::query_scalar("select id from outbox order by seq desc limit 5")
            .fetch_all(databases.of_service(database))
            .await?;
        said.extend(ids);
    }
    Ok(said)
}

/// A hostile record; `said` are ids of other services' events.
pub fn draw(random: &mut impl Rng, said: &[Uuid]) -> Record {
    match random.random_range(0..9) {
        0 => blanks(random),
        1 => padded(random),
        2 | 3 => from_the_future(random),
        4 => {
            // A service that reads the request first would take the event for a redelivery.
            let id = if said.is_empty() { Uuid::now_v7() } else { said[random.random_range(0..said.len())] };
            request(id, sensible().to_string().into_bytes())
        }
        5 | 6 => in_anothers_name(random),
        7 => event(random, None, json!({ "order": "unreadable" })),
        _ => event(random, None, Value::Null),
    }
}

/// The order in a forged event; None for other records.
pub fn forgery(record: &Record) -> Option<OrderId> {
    let subject = record.headers.iter().find(|(name, _)| name == "ce_subject");
    let order = subject.and_then(|(_, order)| std::str::from_utf8(order).ok()?.parse().ok());
    order.filter(|_| record.topic != publisher::CLIENT.topic()).map(OrderId)
}

/// Larger than a reader accepts, but tiny once compressed. Event topics check the compressed size and accept it; the topic of
/// requests checks the decompressed size.
fn blanks(random: &mut impl Rng) -> Record {
    let value = vec![b' '; random.random_range(1_999_000..4_000_000)];
    large(random, value)
}

/// A valid request, or an equivalent event, followed by two megabytes of blanks: its dead letter is larger still.
fn padded(random: &mut impl Rng) -> Record {
    let mut value = sensible().to_string().into_bytes();
    value.resize(1_999_850 + random.random_range(0..200), b' ');
    large(random, value)
}

fn large(random: &mut impl Rng, value: Vec<u8>) -> Record {
    if random.random_range(0..3) == 0 {
        return request(Uuid::now_v7(), value);
    }
    Record { value: Some(value), ..event(random, None, Value::Null) }
}

/// A request with an id from days or decades ahead, as from a host with a wrong clock.
fn from_the_future(random: &mut impl Rng) -> Record {
    let ahead = [Duration::hours(1), Duration::days(2), Duration::days(3), Duration::days(365 * 60)];
    let at = Utc::now() + ahead[random.random_range(0..ahead.len())];
    let seconds = u64::try_from(at.timestamp()).unwrap_or(u64::MAX);
    let id = Uuid::new_v7(Timestamp::from_unix(uuid::NoContext, seconds, random.random_range(0..1_000_000_000)));
    request(id, sensible().to_string().into_bytes())
}

/// A well-formed event on the topic of the right service, with another service as its source.
fn in_anothers_name(random: &mut impl Rng) -> Record {
    let order = json!({
        "order_id": Uuid::now_v7(), "user_id": MALLORY.id, "payment_method_id": MALLORY.id, "currency": "JPY",
        "total": 1, "items": [{ "product_id": 13, "quantity": 1, "unit_price": 1, "kind": "digital" }],
    });
    event(random, Some(publisher::NOTIFICATION), json!({ "order": order }))
}

fn event(random: &mut impl Rng, source: Option<Publisher>, data: Value) -> Record {
    const EVENTS: [(Publisher, &str); 5] = [
        (publisher::ORDER, "OrderCreated"),
        (publisher::ACCOUNT, "BalanceReserved"),
        (publisher::PAYMENT, "PaymentAuthorized"),
        (publisher::PAYMENT, "PaymentCaptured"),
        (publisher::INVENTORY, "StockCommitted"),
    ];
    let (publisher, event_type) = EVENTS[random.random_range(0..EVENTS.len())];
    let order = data["order"]["order_id"].as_str().map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    let source = format!("/services/{}", source.unwrap_or(publisher).name());
    let value = (!data.is_null()).then(|| data.to_string().into_bytes());
    record(publisher.topic(), Uuid::now_v7(), event_type, &source, &order, value)
}

fn request(id: Uuid, value: Vec<u8>) -> Record {
    record(
        publisher::CLIENT.topic(),
        id,
        "OrderRequested",
        "/clients/mallory",
        &Uuid::now_v7().to_string(),
        Some(value),
    )
}

fn record(topic: &str, id: Uuid, event_type: &str, source: &str, order: &str, value: Option<Vec<u8>>) -> Record {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    Record {
        topic: topic.to_owned(),
        key: Some(order.as_bytes().to_vec()),
        value,
        headers: vec![
            header("ce_specversion", "1.0"),
            header("ce_id", &id.to_string()),
            header("ce_type", event_type),
            header("ce_source", source),
            header("ce_subject", order),
            header("ce_time", &Utc::now().to_rfc3339()),
            header("content-type", "application/json"),
        ],
        ..Record::default()
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn every_kind_comes_up_and_each_has_an_id_of_its_own_order() {
        let mut random = StdRng::seed_from_u64(1);
        let said = [Uuid::now_v7()];
        let records: Vec<Record> = (0..300).map(|_| draw(&mut random, &said)).collect();
        let header = |record: &Record, name: &str| {
            let found = record.headers.iter().find(|(other, _)| other == name);
            String::from_utf8(found.expect(name).1.clone()).expect("text")
        };
        let id = |record: &Record| -> Uuid { header(record, "ce_id").parse().expect("an id") };
        for requests in [true, false] {
            let large = |record: &&Record| record.value.as_ref().is_some_and(|value| value.len() > 2_000_000);
            assert!(records.iter().filter(large).any(|record| (record.topic == "order.requests") == requests));
        }
        assert!(records.iter().any(|record| record.value.is_none()));
        assert!(records.iter().all(|record| forgery(record).is_some() == (record.topic != "order.requests")));
        assert!(records.iter().any(|record| said.contains(&id(record))));
        assert!(records.iter().any(|record| {
            id(record).get_timestamp().is_some_and(|at| at.to_unix().0 as i64 > Utc::now().timestamp() + 86_400)
        }));
        assert!(records.iter().any(|record| {
            record.topic != "order.requests" && header(record, "ce_source") == "/services/notification"
        }));
    }
}
