//! Which records are read, and which become dead letters.

use events::{
    EventId,
    envelope::{Envelope, MAX_VALUE_BYTES, RawRecord, Unreadable, read, read_data},
    order_id,
    request::OrderRequested,
};
use saga::ids::Coordinates;

const REQUESTS: Coordinates<'static> = Coordinates { topic: "order.requests", partition: 0, offset: 7 };
const EVENTS: Coordinates<'static> = Coordinates { topic: "order.events", partition: 0, offset: 7 };

fn record<'a>(at: Coordinates<'a>, headers: &'a [(&'a str, &'a [u8])], value: Option<&'a [u8]>) -> RawRecord<'a> {
    RawRecord { at, timestamp_ms: 1_700_000_000_000, headers, value }
}

#[test]
fn a_bare_request_is_enough() {
    let value = br#"{"user_id":1,"payment_method_id":1,"items":[{"product_id":1,"quantity":1}]}"#;
    let bare = record(REQUESTS, &[], Some(value));
    let original = bare.original();
    let (envelope, data) = read(&bare).expect("readable");
    assert_eq!(envelope.event_type, "OrderRequested");
    assert_eq!(envelope.id, EventId::from_record(original));
    let request: OrderRequested = read_data(&envelope.event_type, &data).expect("a request");
    assert_eq!(request.order_id_of(original, &order_id::Derivation::default()), order_id::from_record(original));
}

#[test]
fn binary_mode_reads_back_what_it_wrote() {
    let written = Envelope {
        id: EventId::new(),
        event_type: "OrderCreated".into(),
        version: 7,
        source: "/services/order".into(),
        subject: Some("0192f0c1-0000-7000-8000-000000000001".into()),
        time: Some("2026-01-02T03:04:05.678Z".parse().expect("a time")),
        causation_id: Some(EventId::new()),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
    };
    let headers = written.to_headers();
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let (back, data) = read(&record(EVENTS, &headers, Some(b"{}"))).expect("readable");
    assert_eq!(back, written);
    assert_eq!(&*data, b"{}");
}

/// The version that an event on a service's topic, or a request, is read with.
fn version_of(topic: Coordinates<'static>, stated: Option<&[u8]>) -> Result<u32, Unreadable> {
    let mut headers: Vec<(&str, &[u8])> =
        vec![("ce_specversion", b"1.0"), ("ce_id", b"a-1"), ("ce_source", b"/x"), ("ce_type", b"T")];
    headers.extend(stated.map(|stated| ("ce_dataversion", stated)));
    read(&record(topic, &headers, Some(b"{}"))).map(|(envelope, _)| envelope.version)
}

#[test]
fn an_event_has_the_version_that_it_states_or_else_the_first() {
    for (stated, version) in [(None, 1), (Some(&b"1"[..]), 1), (Some(b"02"), 2), (Some(b"2147483647"), 2_147_483_647)] {
        assert_eq!(version_of(EVENTS, stated), Ok(version));
    }
    let huge = [b'9'; 100_000];
    for odd in [&b""[..], b"0", b"-1", b"+2", b" 2", b"2.0", b"v2", b"2147483648", b"4294967298", &huge] {
        let Err(Unreadable::Malformed("ce_dataversion", why)) = version_of(EVENTS, Some(odd)) else {
            panic!("{}", String::from_utf8_lossy(odd))
        };
        assert!(why.len() < 100, "{why}");
        assert_eq!(version_of(REQUESTS, Some(odd)), Ok(1), "a client may mean anything by it");
    }
    assert_eq!(version_of(EVENTS, Some(b"\xff")), Err(Unreadable::NotText("ce_dataversion")));
    assert_eq!(version_of(REQUESTS, Some(b"\xff")), Ok(1));
}

#[test]
fn in_structured_mode_the_version_is_a_number_or_its_text() {
    let headers: [(&str, &[u8]); 1] = [("content-type", b"application/cloudevents+json")];
    let version = |topic, stated: &str| {
        let value =
            format!(r#"{{"specversion":"1.0","id":"a-1","type":"T","source":"/x",{stated}"data":{{}}}}"#).into_bytes();
        read(&record(topic, &headers, Some(&value))).map(|(envelope, _)| envelope.version)
    };
    for (stated, expected) in
        [("", 1), (r#""dataversion":null,"#, 1), (r#""dataversion":2,"#, 2), (r#""dataversion":"3","#, 3)]
    {
        assert_eq!(version(EVENTS, stated), Ok(expected), "{stated}");
    }
    for odd in ["2.0", "-1", "0", "1e3", "{}", "[2]", "true", r#""""#] {
        let stated = format!(r#""dataversion":{odd},"#);
        assert!(matches!(version(EVENTS, &stated), Err(Unreadable::Malformed("ce_dataversion", _))), "{odd}");
        assert_eq!(version(REQUESTS, &stated), Ok(1), "{odd}");
    }
}

#[test]
fn structured_mode_is_accepted() {
    let value = br#"{"specversion":"1.0","id":"a-1","type":"OrderRequested","source":"/shop","data":{"user_id":1,"payment_method_id":1,"items":[]}}"#;
    let headers: [(&str, &[u8]); 1] = [("content-type", b"application/cloudevents+json; charset=utf-8")];
    let (envelope, data) = read(&record(REQUESTS, &headers, Some(value))).expect("readable");
    assert_eq!(envelope.id, EventId::from_foreign("/shop", "a-1"));
    assert!(read_data::<OrderRequested>("OrderRequested", &data).is_ok());
}

#[test]
fn what_cannot_be_read_says_why() {
    let big = vec![b' '; MAX_VALUE_BYTES + 1];
    let no_headers: &[(&str, &[u8])] = &[];
    let cases: Vec<(RawRecord<'_>, Unreadable)> = vec![
        (record(REQUESTS, no_headers, None), Unreadable::Null),
        (record(REQUESTS, no_headers, Some(&big)), Unreadable::TooLarge(big.len())),
        (record(EVENTS, no_headers, Some(b"{}")), Unreadable::MissingAttribute("ce_specversion")),
        (
            record(EVENTS, &[("ce_specversion", b"1.0"), ("ce_source", b"/x"), ("ce_type", b"T")], Some(b"{}")),
            Unreadable::MissingAttribute("ce_id"),
        ),
        (record(REQUESTS, &[("ce_specversion", b"0.3")], Some(b"{}")), Unreadable::UnknownVersion("0.3".into())),
        (record(REQUESTS, &[("ce_type", b"\xff")], Some(b"{}")), Unreadable::NotText("ce_type")),
        (record(REQUESTS, &[("ce_id", b"")], Some(b"{}")), Unreadable::Malformed("ce_id", "it is empty".into())),
        (record(REQUESTS, &[("content-type", b"text/xml")], Some(b"{}")), Unreadable::ContentType("text/xml".into())),
    ];
    for (record, expected) in cases {
        assert_eq!(read(&record).expect_err("unreadable"), expected);
    }
}

#[test]
fn data_of_the_wrong_shape_is_no_request() {
    let wrong: &[&[u8]] = &[
        b"",
        b"not json",
        b"null",
        b"[]",
        b"{}",
        b"\"text\"",
        br#"{"user_id":"1","payment_method_id":1,"items":[]}"#,
        br#"{"user_id":1,"payment_method_id":1,"items":{}}"#,
        br#"{"user_id":1,"payment_method_id":1,"items":[{"product_id":1,"quantity":1.5}]}"#,
        br#"{"user_id":1,"payment_method_id":1,"items":[{"product_id":1,"quantity":99999999999999999999}]}"#,
        br#"{"user_id":1,"user_id":2,"payment_method_id":1,"items":[]}"#,
        br#"{"user_id":1,"payment_method_id":1,"items":[],"order_id":"no uuid"}"#,
        b"{\"user_id\":1,\"payment_method_id\":1,\"items\":[],\"ship_to\":\"\xff\"}",
    ];
    for data in wrong {
        assert!(read_data::<OrderRequested>("OrderRequested", data).is_err(), "{}", String::from_utf8_lossy(data));
    }
}
