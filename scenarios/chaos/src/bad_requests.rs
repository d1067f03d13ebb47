//! Bad records for `order.requests`, where anyone may publish: unreadable bytes, and requests that make no sense. Drawn from a
//! seed.

use events::{envelope::MAX_VALUE_BYTES, publisher};
use rand::{Rng, RngExt};
use saga::record::Record;
use serde_json::{Value, json};
use uuid::Uuid;

use testbed::cast::{MALLORY, MAP};

/// A record that is not, or barely, a request. Its key may be anything too.
pub fn draw(random: &mut impl Rng) -> Record {
    let mut record = Record { topic: publisher::CLIENT.topic().to_owned(), ..Record::default() };
    record.key = key(random);
    record.value = match random.random_range(0..20) {
        0 => None,
        1 => Some(Vec::new()),
        2 | 3 => Some(bytes(random, 300)),
        4..=7 => Some(broken(random)),
        8 => Some(nested(random)),
        9 => Some(large(random)),
        10 => Some(doubled_keys(random)),
        11 | 12 => Some(odd_number(random)),
        13 => Some(wrong_type(random).to_string().into_bytes()),
        14 => {
            record.headers = headers(random);
            Some(sensible().to_string().into_bytes())
        }
        15 => {
            record.headers = vec![("content-type".into(), b"application/cloudevents+json".to_vec())];
            Some(structured(random))
        }
        _ => Some(senseless(random).to_string().into_bytes()),
    };
    record
}

/// A valid request, to be damaged by the caller.
pub(super) fn sensible() -> Value {
    json!({
        "user_id": MALLORY.id, "payment_method_id": MALLORY.id, "items": [{ "product_id": MAP.id, "quantity": 1 }],
        "order_id": Uuid::now_v7(), "idempotency_key": "garbage", "ship_to": "nowhere",
    })
}

fn key(random: &mut impl Rng) -> Option<Vec<u8>> {
    match random.random_range(0..4) {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some(bytes(random, 40)),
        _ => Some(Uuid::now_v7().to_string().into_bytes()),
    }
}

fn bytes(random: &mut impl Rng, most: usize) -> Vec<u8> {
    (0..random.random_range(1..=most)).map(|_| random.random()).collect()
}

/// A request with some bytes changed, cut off or inserted, including NULs and invalid UTF-8.
fn broken(random: &mut impl Rng) -> Vec<u8> {
    const NASTY: [u8; 10] = [0, 0xff, 0xc0, 0xed, b'"', b'{', b'[', b'\\', b'-', b','];
    let mut text = sensible().to_string().into_bytes();
    for _ in 0..random.random_range(1..5) {
        let place = random.random_range(0..text.len());
        let nasty = NASTY[random.random_range(0..NASTY.len())];
        match random.random_range(0..4) {
            0 => text[place] = nasty,
            1 => text.insert(place, nasty),
            2 => text.truncate(place.max(1)),
            _ => drop(text.remove(place)),
        }
        if text.is_empty() {
            return text;
        }
    }
    text
}

fn nested(random: &mut impl Rng) -> Vec<u8> {
    let depth = random.random_range(130..20_000);
    let (open, close) = if random.random() { ("[", "]") } else { ("{\"items\":", "}") };
    format!("{{\"user_id\":1,\"deep\":{}0{}}}", open.repeat(depth), close.repeat(depth)).into_bytes()
}

/// Over the limit by one byte or by far: more than a megabyte.
fn large(random: &mut impl Rng) -> Vec<u8> {
    let size = if random.random() { MAX_VALUE_BYTES + 1 } else { random.random_range(1_000_000..1_500_000) };
    let mut text = sensible().to_string().into_bytes();
    text.resize(size, b' ');
    text
}

fn doubled_keys(random: &mut impl Rng) -> Vec<u8> {
    let other = random.random_range(-5..5);
    sensible().to_string().replacen('{', &format!("{{\"user_id\":{other},\"items\":[],"), 1).into_bytes()
}

fn odd_number(random: &mut impl Rng) -> Vec<u8> {
    const ODD: [&str; 12] = [
        "1e400",
        "-1e400",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "0.5",
        "1e2",
        "-0",
        "01",
        "0x10",
        "NaN",
        "1000000000000000000000000000000000000000000000000000000000000000000000",
    ];
    let number = ODD[random.random_range(0..ODD.len())];
    let field = ["\"quantity\":1", "\"product_id\":13", "\"user_id\":13"][random.random_range(0..3)];
    let name = field.split(':').next().unwrap_or_default();
    sensible().to_string().replace(field, &format!("{name}:{number}")).into_bytes()
}

fn wrong_type(random: &mut impl Rng) -> Value {
    const FIELDS: [&str; 6] = ["user_id", "payment_method_id", "items", "order_id", "idempotency_key", "ship_to"];
    let values =
        [json!([]), json!({}), json!("text"), json!(true), json!(1.5), json!([[]]), json!([{ "product_id": null }])];
    let mut request = sensible();
    request[FIELDS[random.random_range(0..FIELDS.len())]] = values[random.random_range(0..values.len())].clone();
    request
}

fn headers(random: &mut impl Rng) -> Vec<(String, Vec<u8>)> {
    const NAMES: [&str; 9] = [
        "ce_specversion",
        "ce_id",
        "ce_type",
        "ce_source",
        "ce_subject",
        "ce_time",
        "ce_causationid",
        "content-type",
        "traceparent",
    ];
    let values: [&[u8]; 9] =
        [b"", b"2.0", b"\0", b"\xff\xfe", b"text/plain", b"yesterday", b"OrderRequested", b"NobodyKnowsThis", b"1.0"];
    (0..random.random_range(1..4))
        .map(|_| {
            let name = NAMES[random.random_range(0..NAMES.len())];
            (name.to_owned(), values[random.random_range(0..values.len())].to_vec())
        })
        .collect()
}

fn structured(random: &mut impl Rng) -> Vec<u8> {
    let mut event = json!({
        "specversion": "1.0", "id": Uuid::now_v7(), "type": "OrderRequested", "source": "/garbage", "data": sensible(),
    });
    match random.random_range(0..6) {
        0 => event["specversion"] = json!("0.3"),
        1 => event["data"] = json!("text"),
        2 => event["id"] = json!(17),
        3 => event["time"] = json!("yesterday"),
        4 => event["type"] = json!(["OrderRequested"]),
        _ => drop(event.as_object_mut().and_then(|event| event.remove("data"))),
    }
    event.to_string().into_bytes()
}

/// Readable, but meaningless.
fn senseless(random: &mut impl Rng) -> Value {
    let mut request = sensible();
    match random.random_range(0..9) {
        0 => request["items"] = json!([]),
        1 => request["items"][0]["quantity"] = json!(random.random_range(-3..1)),
        2 => request["items"][0]["quantity"] = json!(i64::MAX - random.random_range(0..3)),
        3 => request["items"] = Value::Array(vec![request["items"][0].clone(); 101]),
        4 => request["ship_to"] = json!("Tok\u{0}yo"),
        5 => request["idempotency_key"] = json!("\u{1b}[2J\u{85}"),
        6 => request["ship_to"] = json!("é".repeat(501)),
        7 => request["items"][0]["product_id"] = json!(i64::MIN),
        _ => request["user_id"] = json!(random.random_range(i64::MIN..0)),
    }
    request
}
