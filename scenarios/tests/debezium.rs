//! Debezium, configured as `docker/debezium` does it, sets the headers that our relay sets.

use std::{collections::BTreeSet, fs, path::PathBuf};

use chrono::Utc;
use events::{
    EventId,
    envelope::Envelope,
    publisher::{self, source_of},
};
use scenarios::stack::Manifest;
use serde_json::Value;

fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docker/debezium").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_connector_sets_every_header_of_an_event() {
    let connector: Value = serde_json::from_str(&read("outbox.json")).expect("outbox.json is JSON");
    let value = |name: &str| connector[name].as_str().unwrap_or_else(|| panic!("outbox.json has no {name}"));
    let placed = value("transforms.outbox.table.fields.additional.placement").split(',');
    let mut headers: BTreeSet<&str> =
        placed.filter_map(|place| place.split_once(":header:")).map(|(_, to)| to).collect();
    headers.extend(
        ["versionheader.headers", "source.header", "contenttype.header"]
            .map(|name| value(&format!("transforms.{name}"))),
    );

    let envelope = Envelope {
        id: EventId::new(),
        event_type: "OrderCreated".to_owned(),
        version: 2,
        source: source_of("order"),
        subject: Some("an order".to_owned()),
        time: Some(Utc::now()),
        causation_id: Some(EventId::new()),
        traceparent: Some("a trace".to_owned()),
    };
    let ours = envelope.to_headers();
    assert_eq!(headers, ours.iter().map(|(name, _)| *name).collect());
    let constant = |name: &str| ours.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str());
    assert_eq!(constant("ce_specversion"), Some(value("transforms.version.static.value")));
    assert_eq!(constant("content-type"), Some(value("transforms.contenttype.value.literal")));
    assert_eq!(source_of("@SERVICE@"), value("transforms.source.value.literal"));
}

#[test]
fn there_is_a_connector_for_each_service() {
    let script = read("connect.sh").replace("\\\n", "");
    let list =
        script.split_once("for pair in ").and_then(|(_, rest)| rest.split_once(';')).expect("the script has a list").0;
    let pairs: BTreeSet<String> = list.split_whitespace().map(str::to_owned).collect();
    let shop = Manifest::of_the_shop();
    let services = shop.programs().filter_map(|program| Some((program, program.database()?)));
    assert_eq!(pairs, services.map(|(program, database)| format!("{program}:{database}")).collect());
    assert_eq!(pairs.len(), publisher::SERVICES.len());
}
