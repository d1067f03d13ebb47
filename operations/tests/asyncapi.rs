//! The AsyncAPI document of the shop, and of services of which only the tables are known.

use std::{collections::BTreeSet, fs, path::Path};

use operations::choreography::Choreography;
use saga::{
    choreography::{On, Part},
    envelope::{Envelope, RawRecord, read},
    ids::{Coordinates, EventId},
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
            // The same request in its other form.
            let place = place.trim_end_matches(".structured");
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
        .filter(|message| message["payload"].is_object())
        .filter_map(|message| message["name"].as_str())
        .collect();
    let events: BTreeSet<&str> = events::schemas::all().into_iter().map(|schema| schema.event_type).collect();
    assert_eq!(with_payload, events);
    assert_eq!(messages.len(), events.len() + 2, "the others are dead letters, and the structured form of the request");
    let typed = messages
        .values()
        .filter(|message| message["headers"]["allOf"][1]["properties"]["ce_type"]["const"] == message["name"]);
    assert_eq!(typed.count(), events.len(), "each is told from the others of its topic");
    assert_eq!(document["channels"]["order.requests"]["messages"].as_object().map(|all| all.len()), Some(2));
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

/// CloudEvents' structured mode, which requests may have: the value that a reader accepts.
#[test]
fn a_request_is_described_in_both_forms() {
    let document = shop();
    let structured = &document["components"]["messages"]["order.requests.OrderRequested.structured"];
    assert_eq!(structured["contentType"], "application/cloudevents+json", "{structured}");
    assert_eq!(structured["payload"]["properties"]["data"]["$ref"], "#/components/schemas/OrderRequested");
    let mut payload = structured["payload"].clone();
    payload["properties"]["data"] = json!(true);
    let validator = jsonschema::validator_for(&payload).expect("a schema");
    let mut value = json!({ "specversion": "1.0", "id": "1", "type": "OrderRequested", "source": "/clients/1", "data": {},
        "subject": null, "time": "2026-01-01T00:00:00Z" });
    let is_read = |value: &Value| {
        let text = value.to_string();
        let record = RawRecord {
            at: Coordinates { topic: "order.requests", partition: 0, offset: 0 },
            timestamp_ms: 0,
            headers: &[("content-type", b"application/cloudevents+json")],
            value: Some(text.as_bytes()),
        };
        read(&record, Some("OrderRequested")).is_ok()
    };
    assert!(validator.is_valid(&value) && is_read(&value));
    for required in ["specversion", "id", "type", "source", "data"] {
        let kept = value.as_object_mut().expect("an object").remove(required).expect("it is there");
        assert!(!validator.is_valid(&value) && !is_read(&value), "{required}");
        value[required] = kept;
    }
    let channel = &document["channels"]["order.requests"]["messages"];
    assert!(channel["OrderRequested.structured"].is_object() && channel["OrderRequested"].is_object(), "{channel}");
}

/// A publisher of which not even the table is known, and one whose requests come on a topic of its own.
#[test]
fn topics_of_events_are_told_from_those_of_requests() {
    let table: Part = serde_json::from_value(json!({ "service": "loyalty", "topic": "loyalty.events", "reactions": [
        { "on": { "event": "MemberJoined", "publisher": "member", "topic": "member.events", "version": 2 },
          "decision": "greet", "says": ["PointsAwarded", "PointsCounted"], "versions": { "PointsAwarded": 3 } },
        { "on": { "event": "PointsWanted", "publisher": "app", "topic": "points.requests" }, "decision": "give", "says": [] },
        { "on": { "event": "MemberJoined", "publisher": "member", "topic": "member.events", "version": 2 },
          "decision": "thank", "says": [] },
    ] }))
    .expect("a table");
    let system = System {
        title: "Points".to_owned(),
        version: "1".to_owned(),
        description: "A test.".to_owned(),
        contact: "Nobody".to_owned(),
        license: "MIT".to_owned(),
        brokers: vec!["one:9092".to_owned()],
    };
    let document = asyncapi::document(&system, &[table], &[]);
    assert_sound(&document);
    let described = |channel: &str| document["channels"][channel]["description"].as_str().expect("text").to_owned();
    assert!(described("member.events").contains("Events of the service `member`"), "{}", described("member.events"));
    assert!(described("points.requests").contains("Requests of `app`"), "{}", described("points.requests"));
    let messages = document["components"]["messages"].as_object().expect("messages");
    let headers = |key: &str| messages[key]["headers"]["allOf"][0]["$ref"].clone();
    assert_eq!(headers("member.events.MemberJoined"), "#/components/schemas/EventHeaders");
    assert_eq!(headers("points.requests.PointsWanted"), "#/components/schemas/RequestHeaders");
    assert!(!messages.contains_key("member.events.MemberJoined.structured"));
    // Versions are those of the tables.
    let version = |key: &str| messages[key]["x-version"].clone();
    assert_eq!(version("loyalty.events.PointsAwarded"), 3);
    assert_eq!(version("loyalty.events.PointsCounted"), 1);
    assert!(version("member.events.MemberJoined").is_null(), "a reader does not know what is published");
    // No decision is lost.
    let operations = document["operations"].as_object().expect("operations");
    let about = |decision: &str| {
        operations.values().any(|all| all["summary"].as_str().is_some_and(|text| text.contains(decision)))
    };
    assert!(about("decides: greet") && about("decides: thank"), "{operations:?}");
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
        version: 1,
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
    let letters = &document["components"]["schemas"]["DeadLetterHeaders"];
    let described: BTreeSet<&str> =
        letters["properties"].as_object().expect("fields").keys().map(String::as_str).collect();
    let quoted = |text: &'static str| text.split('"').skip(1).step_by(2);
    let said = written.split("#[cfg(test)]").next().expect("the program");
    assert_eq!(described, quoted(said).filter(|text| text.starts_with("kafka_dlt-")).collect::<BTreeSet<_>>());
    let always: BTreeSet<&str> =
        letters["required"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    let sometimes: Vec<&str> = described.difference(&always).copied().collect();
    assert_eq!(sometimes, ["kafka_dlt-value-sha256", "kafka_dlt-value-size", "kafka_dlt-without"]);
}
