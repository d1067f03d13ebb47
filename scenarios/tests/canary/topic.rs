//! Records that anybody may write: good requests, and such as cannot be read, with a canary in each.

use events::{OrderId, publisher};
use saga::outbox::kafka::headers;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    search::canary,
    shop::{DIGITAL, GOOD, PHYSICAL, Shop},
};

/// Names of the canaries that are written here.
pub(crate) const NAMES: &[&str] = &[
    "address",
    "nowhere",
    "key",
    "bearer",
    "malformed",
    "number",
    "field",
    "longkey",
    "control",
    "other",
    "structured",
    "specversion",
    "time",
    "contenttype",
    "source",
    "id",
    "subject",
    "trace",
    "headername",
    "headervalue",
    "null",
    "large",
    "recordkey",
    "bytes",
    "eventtype",
    "forged",
    "parked",
    "quoted",
    "first",
];

/// Publishes everything; gives the good order, and the one that no carrier takes.
pub(crate) async fn everything(shop: &Shop<'_>) -> anyhow::Result<(OrderId, OrderId)> {
    let paid = shop.asks(GOOD, PHYSICAL, Some(&format!("7 {} Road, Ålesund", canary("address")))).await?;
    let unshippable = shop.asks(GOOD, PHYSICAL, Some(&format!("1 {}, Atlantis", canary("nowhere")))).await?;
    values(shop, paid).await?;
    attributes(shop).await?;
    others(shop).await?;
    Ok((paid, unshippable))
}

/// A good request with these fields in place of its own.
fn with(fields: Value) -> String {
    let mut request = GOOD.request(DIGITAL);
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    request.to_string()
}

async fn values(shop: &Shop<'_>, placed: OrderId) -> anyhow::Result<()> {
    let (number, field) = (canary("number"), canary("field"));
    let bytes = [canary("bytes").as_bytes(), b"\xff\xfe\x00"].concat();
    let texts = [
        with(json!({ "idempotency_key": canary("key") })),
        format!(r#"{{"user_id":7001,"ship_to":"{}","#, canary("malformed")),
        format!(r#"{{"user_id":7001,"payment_method_id":{number}}}"#),
        format!(r#""{number}""#),
        with(json!({ "user_id": number })),
        with(json!({ "items": number })),
        with(json!({ "items": [{ "product_id": 1, "quantity": number }] })),
        with(json!({ "items": [{ &field: 1 }] })),
        with(json!({ "order_id": number })),
        with(json!({ "order_id": [number] })),
        with(json!({ "ship_to": { &field: number } })),
        with(json!({ &field: number })),
        with(json!({ "user_id": 4_010_203_040_506_070_809_u64, "ship_to": 4.5, "idempotency_key": true })),
        with(json!({ "idempotency_key": canary("longkey").repeat(40) })),
        with(json!({ "idempotency_key": format!("{}\u{7}", canary("control")) })),
        with(
            json!({ "ship_to": format!("{}\u{7}", canary("control")), "items": [{ "product_id": PHYSICAL, "quantity": 1 }] }),
        ),
        with(json!({ "order_id": placed, "ship_to": canary("other") })),
        with(json!({ "ship_to": canary("large").repeat(20_000) })),
    ];
    for text in texts.iter().map(String::as_bytes).chain([&bytes[..]]) {
        shop.client.bare(None, Some(text)).await?;
    }
    shop.client.bare(Some(&canary("null")), None).await?;
    shop.client.bare(Some(&canary("recordkey")), Some(b"no JSON")).await?;
    Ok(())
}

async fn attributes(shop: &Shop<'_>) -> anyhow::Result<()> {
    let good = GOOD.request(DIGITAL).to_string();
    let bearer = format!("Bearer {}", canary("bearer"));
    let valid = format!("Bearer {}", shop.token(GOOD));
    for (name, value) in [
        ("ce_specversion", canary("specversion")),
        ("ce_time", canary("time")),
        ("ce_dataversion", canary("time")),
        ("content-type", canary("contenttype")),
        ("ce_type", canary("eventtype")),
        ("ce_source", format!("/{}", canary("source"))),
        ("ce_id", canary("id")),
        ("ce_subject", canary("subject")),
        ("ce_causationid", canary("subject")),
        ("traceparent", format!("00-{}", canary("trace"))),
        ("first-at", format!("order.requests/{}", canary("first"))),
        ("first-timestamp", canary("first")),
        (&*canary("headername"), canary("headervalue")),
        ("authorization", bearer.clone()),
        ("Authorization", valid),
    ] {
        let headers = headers(&[(name, value.as_bytes())]);
        shop.client.send(publisher::CLIENT.topic(), None, Some(good.as_bytes()), headers).await?;
        // Of a request that cannot be read, all headers go into the dead letter, but no credentials.
        let headers = saga::outbox::kafka::headers(&[(name, value.as_bytes()), ("authorization", bearer.as_bytes())]);
        shop.client.send(publisher::CLIENT.topic(), None, Some(b"no JSON"), headers).await?;
    }
    let text = canary("structured");
    let whole = |fields: Value| {
        let mut event = json!({ "specversion": "1.0", "id": "1", "type": "OrderRequested", "source": "/c" });
        event["data"] = GOOD.request(DIGITAL);
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        event.to_string()
    };
    for value in [
        whole(json!({ "specversion": text })),
        whole(json!({ "id": [text] })),
        whole(json!({ "time": text })),
        whole(json!({ "dataversion": text, "type": { &text: 1 } })),
        whole(json!({ "data": text })),
        whole(json!({ "causationid": text })),
        format!("{{\"{text}\""),
        format!("{{\"specversion\":{text}"),
    ] {
        let headers = headers(&[("content-type", "application/cloudevents+json")]);
        shop.client.send(publisher::CLIENT.topic(), None, Some(value.as_bytes()), headers).await?;
    }
    Ok(())
}

/// Events on a service's topic: of another source, of its own source and unreadable, and of a version to come.
async fn others(shop: &Shop<'_>) -> anyhow::Result<()> {
    let text = canary("forged");
    let order = Uuid::now_v7().to_string();
    let (id, own) = (Uuid::now_v7().to_string(), "/services/order");
    for (source, version, subject, value) in [
        (format!("/{text}"), "1", &order, json!({})),
        (own.to_owned(), "1", &order, json!({ "order": { "order_id": text } })),
        (own.to_owned(), "99", &Uuid::now_v7().to_string(), json!({ "ship_to": text })),
        (own.to_owned(), &text, &Uuid::now_v7().to_string(), json!({ "ship_to": text })),
        (own.to_owned(), "1", &text, json!({ "order": text })),
    ] {
        let headers = headers(&[
            ("ce_specversion", "1.0"),
            ("ce_id", &Uuid::now_v7().to_string()),
            ("ce_type", "OrderCreated"),
            ("ce_source", &source),
            ("ce_subject", subject),
            ("ce_dataversion", version),
            ("ce_causationid", &id),
            ("x-forged", &text),
        ]);
        shop.client.send(publisher::ORDER.topic(), None, Some(value.to_string().as_bytes()), headers).await?;
    }
    Ok(())
}
