use uuid::Uuid;

use super::*;
use crate::{Event, publisher};

const DESK: Publisher = publisher!("desk");
const COUNTER: Publisher = publisher!("counter");
const CLIENTS: Publisher = Publisher::of_requests("client", "desk.requests", "CountRequested");

#[derive(serde::Serialize, serde::Deserialize)]
struct Wanted {
    task: SagaId,
}

impl Event for Wanted {
    const TYPE: &'static str = "Wanted";
    const PUBLISHER: Publisher = DESK;

    fn saga_id(&self) -> SagaId {
        self.task
    }
}

/// The second version of an event: its count was half as large in the first.
#[derive(serde::Serialize, serde::Deserialize)]
struct Counted {
    task: SagaId,
    count: i64,
    #[serde(default)]
    note: String,
}

impl Event for Counted {
    const TYPE: &'static str = "Counted";
    const PUBLISHER: Publisher = DESK;
    const VERSION: u32 = 2;

    fn upcast(version: u32, mut data: serde_json::Value) -> Result<serde_json::Value, String> {
        assert_eq!(version, 1, "the latest is read as it is");
        let count = data["count"].as_i64().ok_or("no count")?;
        assert!(count != 13, "an unlucky count");
        data["count"] = (2 * count).into();
        Ok(data)
    }

    fn saga_id(&self) -> SagaId {
        self.task
    }
}

/// A request, identified by its record.
#[derive(serde::Deserialize)]
struct Request {
    #[serde(rename = "count")]
    _count: i64,
}

const NOW_MS: u64 = 1_790_000_000_000;

fn table() -> Table<SagaId> {
    Table::of(COUNTER).on("count", &[], |event: Wanted| event.task).on_data(
        "CountRequested",
        CLIENTS,
        "place",
        &[],
        |_: Request, _, record| SagaId(EventId::from_record(record.original()).0),
    )
}

fn record(topic: &str, key: &str, value: &str, headers: &[(&str, &str)]) -> Record {
    let headers = [("ce_specversion", "1.0")].iter().chain(headers);
    Record {
        topic: topic.into(),
        timestamp_ms: NOW_MS,
        key: Some(key.into()),
        value: Some(value.into()),
        headers: headers.map(|(name, value)| ((*name).to_owned(), (*value).into())).collect(),
        ..Record::default()
    }
}

/// An event of the saga service with this value; its key is a saga's id.
fn event(value: &str, id: &str, source: &str, key: &str) -> Record {
    let headers = [("ce_type", "Wanted"), ("ce_id", id), ("ce_source", source)];
    record("desk.events", key, value, &headers)
}

fn good() -> String {
    r#"{"task":"01a1f9e8-951d-7093-b79b-b73091269b08"}"#.to_owned()
}

#[test]
fn what_a_service_cannot_read_on_anothers_topic_parks_that_saga() {
    let (saga, id) = (SagaId(Uuid::now_v7()), EventId::new());
    let text = (saga.to_string(), id.to_string());
    for value in ["{\"task\":{\"a newer shape\":1}}", "\u{1}not JSON"] {
        let Reading::Parks(unread) = read(&table(), &event(value, &text.1, "/services/desk", &text.0)) else {
            panic!("{value}")
        };
        assert_eq!((unread.id, unread.saga_id, unread.event_type.as_str()), (id, saga, "Wanted"));
    }
    // An envelope of a newer version, or one with missing attributes.
    let mut newer = event(&good(), &text.1, "/services/desk", &text.0);
    newer.headers[0].1 = b"2.0".into();
    assert!(matches!(read(&table(), &newer), Reading::Parks(unread) if unread.id == id));
    newer.headers.retain(|(name, _)| !["ce_source", "ce_id"].contains(&name.as_str()));
    let Reading::Parks(first) = read(&table(), &newer) else { panic!("it names its saga") };
    let Reading::Parks(again) = read(&table(), &newer) else { panic!("it names its saga") };
    assert_eq!(first, again, "the same on every delivery");
    // The subject takes precedence over the key.
    let mut subject = event("?", &text.1, "/services/desk", "some key");
    subject.headers.push(("ce_subject".into(), text.0.clone().into()));
    assert!(matches!(read(&table(), &subject), Reading::Parks(unread) if unread.saga_id == saga));
}

#[test]
fn an_event_is_read_by_its_version_and_a_later_one_waits_for_a_newer_program() {
    let table = Table::of(COUNTER).on("count", &[], |event: Counted| (event.count, event.note));
    let saga = SagaId(Uuid::now_v7());
    let read = |version: Option<&str>, data: &serde_json::Value| {
        let id = EventId::new().to_string();
        let mut headers = vec![("ce_type", "Counted"), ("ce_id", &*id), ("ce_source", "/services/desk")];
        headers.extend(version.map(|version| ("ce_dataversion", version)));
        read(&table, &record("desk.events", &saga.to_string(), &data.to_string(), &headers))
    };
    let counted = |count| serde_json::json!({ "task": saga, "count": count });
    let noted = serde_json::json!({ "task": saga, "count": 5, "note": "new" });
    for (version, data, expected) in [
        (Some("2"), &noted, (5, "new")),
        (Some("2"), &counted(5), (5, "")),
        (Some("1"), &counted(5), (10, "")),
        (None, &counted(5), (10, "")),
    ] {
        let Reading::Command(incoming) = read(version, data) else { panic!("{version:?}, {data}") };
        assert_eq!((incoming.command.0, incoming.command.1.as_str()), expected, "{version:?}");
    }
    // Not even what would parse is read: it may mean something else.
    for (version, needed) in [("3", 3), ("2147483647", i32::MAX.unsigned_abs())] {
        let Reading::Parks(unread) = read(Some(version), &counted(5)) else { panic!("{version} is newer") };
        assert_eq!((unread.saga_id, unread.newer), (saga, Some(needed)));
        assert_eq!(unread.why, format!("the Counted has version {version}; this program reads versions up to 2"));
    }
    // A person is needed for what no version promises to read.
    for (version, data) in [(Some("two"), &counted(5)), (Some("0"), &counted(5)), (Some("1"), &serde_json::json!([]))] {
        assert!(matches!(read(version, data), Reading::Parks(Unread { newer: None, .. })), "{version:?}");
    }
    // Nor does a conversion that refuses the data, or panics, harm anything else.
    for (data, why) in [(serde_json::json!({ "task": saga }), "no count"), (counted(13), "an unlucky count")] {
        let Reading::Parks(unread) = read(Some("1"), &data) else { panic!("{why}") };
        assert!(unread.newer.is_none() && unread.why.contains(why), "{}", unread.why);
    }
}

#[test]
fn requests_and_what_names_no_saga_are_dead_letters() {
    let (saga, id) = (SagaId(Uuid::now_v7()).to_string(), EventId::new().to_string());
    let letters = [
        record("desk.requests", &saga, "?", &[("ce_type", "CountRequested")]),
        record("desk.requests", &saga, "?", &[]),
        event("?", &id, "/services/desk", "no saga's id"),
        record("desk.events", &saga, "?", &[("ce_id", &id), ("ce_source", "/services/desk")]),
        event("?", &id, "/services/reporter", &saga),
    ];
    for letter in letters {
        assert!(matches!(read(&table(), &letter), Reading::DeadLetter(_)), "{letter:?}");
    }
    let other = record("desk.events", &saga, "?", &[("ce_id", &id), ("ce_source", "/x"), ("ce_type", "Finished")]);
    assert!(matches!(read(&table(), &other), Reading::Skipped));
}

#[test]
fn on_a_services_topic_only_that_service_and_operators_are_believed() {
    let id = EventId::new();
    let read = |source: &str| read(&table(), &event(&good(), &id.to_string(), source, "k"));
    assert!(matches!(read("/services/desk"), Reading::Command(incoming) if incoming.origin == Origin::Event(id)));
    for source in ["/services/reporter", "/clients", "", "/services/desk/", "/operators"] {
        let Reading::DeadLetter(why) = read(source) else { panic!("{source} is believed") };
        assert!(why.contains("only /services/desk publishes on desk.events"), "{why}");
    }
    let Reading::Command(operator) = read("/operators/reconcile") else { panic!("an operator is believed") };
    assert_eq!(operator.cause(), Some(id));
    assert_ne!(operator.origin, Origin::Event(id));
}

#[test]
fn only_an_operators_event_counts_on_how_the_saga_stands() {
    let id = EventId::new().to_string();
    let expects = |source: &str, words: &str| {
        let mut record = event(&good(), &id, source, "k");
        record.headers.push((EXPECTS.to_owned(), words.as_bytes().to_vec()));
        let Reading::Command(incoming) = read(&table(), &record) else { panic!("an event") };
        incoming.expects
    };
    let own = table().service().name();
    let words = format!("nobody=X,{own}=RESERVED,other=-");
    assert_eq!(expects("/operators/reconcile", &words).as_deref(), Some("RESERVED"));
    assert_eq!(expects("/operators/reconcile", "other=-"), None);
    assert_eq!(expects("/services/desk", &words), None, "a service's events are facts");
}

/// A client that uses the id of a service's event must not make the inbox take that event for a duplicate.
#[test]
fn a_clients_id_uses_up_no_other_id() {
    let id = EventId::new();
    let request = r#"{"count":1}"#;
    let of = |source: &str| {
        let headers = [("ce_type", "CountRequested"), ("ce_id", &id.to_string()), ("ce_source", source)];
        match read(&table(), &record("desk.requests", "k", request, &headers)) {
            Reading::Command(incoming) => {
                assert_eq!(incoming.cause(), Some(id), "what follows names the request by its own id");
                incoming.origin
            }
            other => panic!("{other:?}"),
        }
    };
    let sources = ["/clients", "/agency", "/services/desk", "/services/counter"];
    for (place, source) in sources.iter().enumerate() {
        assert_ne!(of(source), Origin::Event(id));
        assert_eq!(of(source), of(source));
        assert!(sources[..place].iter().all(|other| of(other) != of(source)));
    }
}

/// One client, with an own valid token, sends an event with the source and the id that another's will have.
#[test]
fn a_client_uses_up_no_id_of_another_client() {
    let id = EventId::new().to_string();
    let owner = |record: &Record| record.text("x-owner").map(str::to_owned);
    let owned = || table().owned(CLIENTS, owner);
    let remembered = |table: Table<SagaId>, ids: &str, of: &str| {
        let headers = [("ce_type", "CountRequested"), ("ce_id", ids), ("ce_source", "/web"), ("x-owner", of)];
        match read(&table, &record("desk.requests", "k", r#"{"count":1}"#, &headers)) {
            Reading::Command(incoming) => incoming.origin,
            other => panic!("{other:?}"),
        }
    };
    for ids in [&*id, "cart-17"] {
        let of = |owner| remembered(owned(), ids, owner);
        assert_ne!(of("user 1"), of("user 2"));
        assert_eq!(of("user 1"), of("user 1"), "a repeated request is still one");
        // The lock taken out.
        assert_eq!(remembered(table(), ids, "user 1"), remembered(table(), ids, "user 2"));
    }
}
