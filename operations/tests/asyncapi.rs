//! The AsyncAPI document of the shop, and of services of which only the tables are known.

use std::{collections::BTreeSet, fs, path::Path};

use operations::choreography::Choreography;
use saga::{
    choreography::{On, Part},
    envelope::Envelope,
    ids::EventId,
};
use saga_schema::asyncapi::{self, System};
use serde_json::{Value, json};

fn shop() -> Value {
    Choreography::of_the_shop().asyncapi("Purchase saga".to_owned(), vec!["localhost:9092".to_owned()])
}

/// The official schema of AsyncAPI 3.0.0.
fn official() -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/asyncapi/asyncapi-3.0.0.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).expect("the schema")).expect("JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
}

fn errors(document: &Value) -> Vec<String> {
    official().iter_errors(document).map(|error| format!("{} at {}", error, error.instance_path())).collect()
}

/// Every reference in some JSON.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|inner| references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

fn assert_sound(document: &Value) {
    assert_eq!(errors(document), Vec::<String>::new());
    let mut all = Vec::new();
    references(document, &mut all);
    assert!(!all.is_empty());
    for reference in all {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads outside"));
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn the_document_has_the_official_form() {
    assert_sound(&shop());
}

#[test]
fn the_official_form_is_not_anything() {
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut document = shop();
        change(&mut document);
        !errors(&document).is_empty()
    };
    assert!(broken(&|document| document["asyncapi"] = json!("2.6.0")));
    assert!(broken(&|document| document["info"] = json!({ "title": "no version" })));
    assert!(broken(&|document| document["operations"]["client.sends.order.requests"]["action"] = json!("shout")));
    assert!(broken(&|document| document["channels"]["order.events"]["adress"] = json!("misspelt")));
    assert!(broken(&|document| document["servers"]["kafka"] = json!({ "host": "no protocol" })));
    assert!(broken(&|document| document["components"]["schemas"]["Order"]["type"] = json!("purchase")));
}

/// What services send and receive is what their tables say.
#[test]
fn operations_follow_the_tables() {
    let (document, choreography) = (shop(), Choreography::of_the_shop());
    let mut told = BTreeSet::new();
    for table in choreography.tables() {
        for reaction in &table.reactions {
            told.extend(reaction.says.iter().map(|event| format!("{} send {}/{event}", table.service, table.topic)));
            if let On::Event { event, topic, publisher, .. } = &reaction.on {
                told.insert(format!("{} receive {topic}/{event}", table.service));
                told.insert(format!("{publisher} send {topic}/{event}"));
                told.insert(format!("{} send {topic}-dlt/DeadLetter", table.service));
            }
        }
    }
    let mut described = BTreeSet::new();
    for operation in document["operations"].as_object().expect("operations").values() {
        let (service, action) = (&operation["tags"][0]["name"], &operation["action"]);
        for message in operation["messages"].as_array().expect("messages") {
            let reference = message["$ref"].as_str().expect("a reference");
            let place = reference.strip_prefix("#/channels/").expect("of a channel").replace("/messages", "");
            described.insert(format!(
                "{} {} {place}",
                service.as_str().expect("a name"),
                action.as_str().expect("an action")
            ));
        }
    }
    assert_eq!(described, told);
    let receives = &document["operations"]["payment.receives.inventory.events.StockRejected"];
    assert_eq!(receives["bindings"]["kafka"]["groupId"]["enum"], json!(["payment"]));
}

#[test]
fn every_message_of_the_shop_has_a_payload() {
    let document = shop();
    let messages = document["components"]["messages"].as_object().expect("messages");
    let with_payload: BTreeSet<&str> = messages
        .values()
        .filter(|message| message["payload"]["$ref"].is_string())
        .filter_map(|message| message["name"].as_str())
        .collect();
    let events: BTreeSet<&str> = events::schemas::all().into_iter().map(|schema| schema.event_type).collect();
    assert_eq!(with_payload, events);
    assert_eq!(messages.len(), events.len() + 1, "the others are dead letters");
    let typed = messages
        .values()
        .filter(|message| message["headers"]["allOf"][1]["properties"]["ce_type"]["const"] == message["name"]);
    assert_eq!(typed.count(), events.len(), "each is told from the others of its topic");
    assert_eq!(document["channels"]["order.requests"]["messages"].as_object().map(|all| all.len()), Some(1));
    // Common facts are described once.
    let created = &document["components"]["schemas"]["OrderCreated"]["properties"]["order"];
    assert_eq!(created["$ref"], "#/components/schemas/Order");
}

#[test]
fn of_a_service_of_which_only_the_table_is_known_no_payload_is_claimed() {
    let table: Part = serde_json::from_value(json!({ "service": "loyalty", "topic": "loyalty.events", "reactions": [
        { "on": { "event": "OrderCompleted", "publisher": "order", "topic": "order.events" }, "decision": "award",
          "says": ["PointsAwarded"] },
        { "on": { "event": "PointsWanted", "publisher": "member", "topic": "points.requests" }, "decision": "give",
          "says": ["PointsAwarded"] },
    ] }))
    .expect("a table");
    let tables: Vec<Part> = Choreography::of_the_shop().tables().iter().cloned().chain([table]).collect();
    let system = System {
        title: "Shop".to_owned(),
        version: "1".to_owned(),
        description: "A test.".to_owned(),
        contact: "Nobody".to_owned(),
        license: "MIT".to_owned(),
        brokers: vec!["one:9092".to_owned(), "two:9092".to_owned()],
    };
    let document = asyncapi::document(&system, &tables, &events::schemas::all());
    assert_sound(&document);
    let awarded = &document["components"]["messages"]["loyalty.events.PointsAwarded"];
    assert!(awarded["payload"].is_null(), "{awarded}");
    assert!(
        awarded["summary"].as_str().is_some_and(|summary| summary.contains("only the table is known")),
        "{awarded}"
    );
    assert!(document["operations"]["loyalty.receives.order.events.OrderCompleted"].is_object());
    assert!(document["operations"]["member.sends.points.requests"].is_object());
    assert_eq!(document["servers"]["kafka-2"]["host"], "two:9092");
}

#[test]
fn the_document_is_the_same_each_time_and_in_both_forms() {
    let document = shop();
    assert_eq!(document.to_string(), shop().to_string());
    let yaml = serde_saphyr::to_string(&document).expect("YAML");
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).expect("YAML"), document);
}

/// The headers that are described are those of real records.
#[test]
fn headers_are_described_as_they_are() {
    let document = shop();
    let headers = |envelope: &Envelope| -> Value {
        envelope.to_headers().into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    };
    let schema = &document["components"]["schemas"]["EventHeaders"];
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let id = EventId::from_foreign("/services/order", "1");
    let envelope = Envelope {
        id,
        event_type: "OrderCreated".to_owned(),
        source: "/services/order".to_owned(),
        subject: Some("0192f0c1-1111-7222-8333-444455556666".to_owned()),
        time: Some(chrono::DateTime::UNIX_EPOCH),
        causation_id: Some(id),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    };
    let all = headers(&envelope);
    assert!(validator.is_valid(&all), "{all}");
    let names: BTreeSet<&String> = all.as_object().expect("headers").keys().collect();
    assert_eq!(names, schema["properties"].as_object().expect("fields").keys().collect::<BTreeSet<_>>());
    for required in ["ce_specversion", "ce_id", "ce_type", "ce_source"] {
        let mut without = all.clone();
        without.as_object_mut().expect("headers").remove(required);
        assert!(!validator.is_valid(&without), "{required}");
    }
    let requests = jsonschema::validator_for(&document["components"]["schemas"]["RequestHeaders"]).expect("a schema");
    assert!(requests.is_valid(&json!({})) && requests.is_valid(&all));
    let written = include_str!("../../saga/src/runtime/dead_letter/letter.rs");
    let letters = document["components"]["schemas"]["DeadLetterHeaders"]["properties"].as_object().expect("fields");
    assert!(letters.keys().all(|name| written.contains(&format!("\"{name}\""))), "{letters:?}");
}
