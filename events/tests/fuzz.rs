//! Anything on a topic is either read or [`Unreadable`]; reading never panics.

use events::{
    account::BalanceReserved,
    envelope::{MAX_VALUE_BYTES, RawRecord, Unreadable, read, read_data},
    order::{OrderCancelled, OrderCreated},
    order_id::Derivation,
    payment::PaymentDeclined,
    request::OrderRequested,
};
use proptest::prelude::*;
use saga::ids::Coordinates;

/// Header names, known and unknown.
const NAMES: [&str; 11] = [
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_subject",
    "ce_time",
    "ce_causationid",
    "content-type",
    "traceparent",
    "",
    "CE_ID",
];

/// Values that are valid for some headers and invalid for others.
const VALUES: [&str; 15] = [
    "1.0",
    "0.3",
    "2.0",
    "",
    "\0",
    "OrderRequested",
    "OrderCreated",
    "NobodyKnowsThis",
    "application/json; charset=utf-8",
    "application/cloudevents+json",
    "text/plain",
    "0190a0e4-5d5c-7c7c-8f8f-0123456789ab",
    "2026-07-31T12:00:00Z",
    "9999999-13-32T25:61:61+99:99",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
];

const REQUEST: &str = r#"{"user_id":1,"payment_method_id":1,"items":[{"product_id":1,"quantity":1}],"order_id":"0190a0e4-5d5c-7c7c-8f8f-0123456789ab","idempotency_key":"key","ship_to":"1-1 Chiyoda, Tokyo"}"#;
const EVENT: &str = r#"{"order":{"order_id":"0190a0e4-5d5c-7c7c-8f8f-0123456789ab","user_id":1,"payment_method_id":1,"currency":"JPY","total":100,"items":[{"product_id":1,"quantity":1,"unit_price":100,"kind":"digital"}]},"reason":"out_of_stock","refunded":100}"#;
const STRUCTURED: &str = r#"{"specversion":"1.0","id":"17","type":"OrderRequested","source":"/shop","time":"2026-07-31T12:00:00Z","data":{"user_id":1,"payment_method_id":1,"items":[]}}"#;

fn headers() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let name = prop::sample::select(NAMES.to_vec());
    let value = prop_oneof![
        3 => prop::sample::select(VALUES.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec((name, value), 0..8)
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        // Numbers that overflow every type.
        (1..400_usize).prop_map(|digits| "9".repeat(digits)),
        (-5000..5000_i32).prop_map(|exponent| format!("1e{exponent}")),
        ".{0,20}".prop_map(|text| serde_json::Value::from(text).to_string()),
        Just(r#""\u0000\ud800\udfff""#.to_owned()),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        // Names may be duplicated.
        let name = prop::sample::select(vec![
            "user_id",
            "payment_method_id",
            "items",
            "product_id",
            "quantity",
            "order_id",
            "order",
            "data",
            "id",
            "type",
            "x",
        ]);
        let member = (name, inner.clone()).prop_map(|(name, value)| format!("{name:?}:{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..8).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec(member, 0..8).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// A readable record with some bytes changed, inserted or removed.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    (prop::sample::select(vec![REQUEST, EVENT, STRUCTURED]), prop::collection::vec(change, 0..6)).prop_map(
        |(text, changes)| {
            let mut bytes = text.as_bytes().to_vec();
            for (place, byte, how) in changes {
                let place = place.index(bytes.len().max(1));
                match how {
                    0 if !bytes.is_empty() => bytes[place] = byte,
                    1 => bytes.insert(place, byte),
                    2 => bytes.truncate(place),
                    _ => bytes.extend_from_within(place.min(bytes.len())..),
                }
            }
            bytes
        },
    )
}

fn nested() -> impl Strategy<Value = Vec<u8>> {
    (1..40_000_usize, prop::sample::select(vec![("[", "]"), (r#"{"data":"#, "}"), (r#"{"items":["#, "]}")]))
        .prop_map(|(depth, (open, close))| format!("{}0{}", open.repeat(depth), close.repeat(depth)).into_bytes())
}

fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        1 => Just(None),
        4 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Some),
        8 => mutated().prop_map(Some),
        8 => json().prop_map(|text| Some(text.into_bytes())),
        1 => nested().prop_map(Some),
        1 => (MAX_VALUE_BYTES - 2..MAX_VALUE_BYTES * 5).prop_map(|size| Some(vec![b' '; size])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(4096)))]

    #[test]
    fn reading_anything_ends_with_an_envelope_or_a_reason(
        request in any::<bool>(),
        partition in any::<i32>(),
        offset in any::<i64>(),
        timestamp_ms in any::<u64>(),
        headers in headers(),
        value in value(),
    ) {
        let topic = if request { "order.requests" } else { "order.events" };
        let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        let at = Coordinates { topic, partition, offset };
        let record = RawRecord { at, timestamp_ms, headers: &headers, value: value.as_deref() };
        match read(&record) {
            Ok((envelope, data)) => {
                prop_assert!(data.len() <= MAX_VALUE_BYTES);
                // Read again, it is the same event.
                prop_assert_eq!(&read(&record).expect("readable").0, &envelope);
                let kind = &envelope.event_type;
                if let Ok(request) = read_data::<OrderRequested>(kind, &data) {
                    let order = || request.order_id_of(record.original(), &Derivation::default());
                    prop_assert_eq!(order(), order());
                    // Whatever we would write of it can be read again.
                    let written = serde_json::to_vec(&request).expect("JSON");
                    prop_assert_eq!(read_data::<OrderRequested>(kind, &written), Ok(request));
                }
                let _ = read_data::<OrderCreated>(kind, &data);
                let _ = read_data::<OrderCancelled>(kind, &data);
                let _ = read_data::<BalanceReserved>(kind, &data);
                let _ = read_data::<PaymentDeclined>(kind, &data);
                for (name, text) in envelope.to_headers() {
                    prop_assert!(!name.is_empty() && text.len() <= MAX_VALUE_BYTES);
                }
            }
            Err(why) => {
                prop_assert!(!why.to_string().is_empty());
                prop_assert_eq!(value.is_none(), why == Unreadable::Null);
            }
        }
    }
}
