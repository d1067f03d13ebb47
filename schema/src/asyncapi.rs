//! An AsyncAPI 3.0.0 document of a system: its topics, their messages, and which service sends and receives them.

use std::collections::BTreeSet;

use saga::{
    choreography::{On, Part, Reaction},
    schema::{EventSchema, JsonSchema},
};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

mod headers;
mod operations;

use headers::{DeadLetterHeaders, EventHeaders, RequestHeaders};

/// Version of the Kafka bindings that the document uses.
const BINDINGS: &str = "0.5.0";

/// A system, as far as its services' tables do not say it.
#[derive(Debug, Clone)]
pub struct System {
    /// Name of the system.
    pub title: String,
    /// Version of the document.
    pub version: String,
    /// Purpose of the system, in Markdown.
    pub description: String,
    /// Name of those who answer for it.
    pub contact: String,
    /// Name of the licence.
    pub license: String,
    /// Addresses of Kafka brokers, `host:port`.
    pub brokers: Vec<String>,
}

/// One topic with its messages: the publisher's name and the event's type.
struct Topic<'a> {
    name: &'a str,
    publisher: &'a str,
    events: Vec<&'a str>,
}

/// Describes the system of these services. Events among `schemas` have their payload described; of others, such as those of a
/// service of which only the table is known, the document says that it is not.
///
/// The same tables and schemas make the same document.
pub fn document(system: &System, tables: &[Part], schemas: &[EventSchema]) -> Value {
    let mut generator = SchemaSettings::draft07()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let topics = topics(tables);
    let mut messages = Map::new();
    let mut channels = Map::new();
    for topic in &topics {
        let mut refer = Map::new();
        for event in &topic.events {
            let key = format!("{}.{event}", topic.name);
            refer.insert((*event).to_owned(), reference(&["components", "messages", &key]));
            messages.insert(key, message(&mut generator, topic, event, tables, schemas));
        }
        channels.insert(topic.name.to_owned(), channel(topic, refer, tables));
    }
    for topic in consumed(tables) {
        messages.insert("DeadLetter".to_owned(), dead_letter(&mut generator));
        channels.insert(dead_letter_topic(topic), dead_letters(topic));
    }
    let servers = system.brokers.iter().enumerate().map(|(place, broker)| {
        let name = if place == 0 { "kafka".to_owned() } else { format!("kafka-{}", place + 1) };
        (name, json!({ "host": broker, "protocol": "kafka", "description": "A broker of the Kafka cluster." }))
    });
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": system.title,
            "version": system.version,
            "description": system.description,
            "contact": { "name": system.contact },
            "license": { "name": system.license },
            "tags": tags(tables),
        },
        "defaultContentType": "application/json",
        "servers": servers.collect::<Map<String, Value>>(),
        "channels": channels,
        "operations": operations::all(tables, &topics),
        "components": {
            "messages": messages,
            "schemas": generator.take_definitions(true),
            "correlationIds": { "saga": {
                "description": "The id of the saga to which the event belongs.",
                "location": "$message.header#/ce_subject",
            } },
        },
    })
}

/// Every topic: those of clients' requests, then those of services, in the order of the tables.
fn topics(tables: &[Part]) -> Vec<Topic<'_>> {
    let mut all: Vec<Topic<'_>> = Vec::new();
    let mut add = |name, publisher, event| {
        let topic = match all.iter().position(|topic: &Topic<'_>| topic.name == name) {
            Some(place) => &mut all[place],
            None => {
                all.push(Topic { name, publisher, events: Vec::new() });
                all.last_mut().expect("it was pushed")
            }
        };
        if !topic.events.contains(&event) {
            topic.events.push(event);
        }
    };
    for reaction in reactions(tables) {
        if let On::Event { event, publisher, topic, .. } = &reaction.on
            && !tables.iter().any(|table| table.topic == *topic)
        {
            add(topic, publisher, event);
        }
    }
    for table in tables {
        let said = table.reactions.iter().flat_map(|reaction| &reaction.says);
        said.for_each(|event| add(&table.topic, &table.service, event));
        for reaction in reactions(tables) {
            if let On::Event { event, topic, .. } = &reaction.on
                && *topic == table.topic
            {
                add(topic, &table.service, event);
            }
        }
    }
    all
}

fn reactions(tables: &[Part]) -> impl Iterator<Item = &Reaction> {
    tables.iter().flat_map(|table| &table.reactions)
}

/// Topics that services consume, in alphabetical order.
fn consumed(tables: &[Part]) -> BTreeSet<&str> {
    reactions(tables).filter_map(Reaction::topic).collect()
}

fn tags(tables: &[Part]) -> Vec<Value> {
    tables
        .iter()
        .map(|table| json!({ "name": table.service, "description": format!("The service `{}`.", table.service) }))
        .collect()
}

fn channel(topic: &Topic<'_>, messages: Map<String, Value>, tables: &[Part]) -> Value {
    let description = match is_of_a_service(topic, tables) {
        true => format!("Events of the service `{}`. Only it publishes here.", topic.publisher),
        false => {
            format!("Requests of `{}`: anyone may publish here, even a bare value without headers.", topic.publisher)
        }
    };
    json!({ "address": topic.name, "title": topic.name, "description": description, "messages": messages })
}

fn is_of_a_service(topic: &Topic<'_>, tables: &[Part]) -> bool {
    tables.iter().any(|table| table.topic == topic.name)
}

fn message(
    generator: &mut SchemaGenerator,
    topic: &Topic<'_>,
    event: &str,
    tables: &[Part],
    schemas: &[EventSchema],
) -> Value {
    let schema = schemas.iter().find(|schema| schema.event_type == event && schema.publisher.topic() == topic.name);
    let is_event = is_of_a_service(topic, tables);
    let headers = match is_event {
        true => generator.subschema_for::<EventHeaders>(),
        false => generator.subschema_for::<RequestHeaders>(),
    };
    let key = match is_event {
        true => json!({ "type": "string", "format": "uuid", "description": "The id of the saga, as in `ce_subject`." }),
        false => {
            json!({ "type": "string", "description": "The id of the saga, if the client has chosen one; it may be left out." })
        }
    };
    let mut message = json!({
        "name": event,
        "title": event,
        "contentType": "application/json",
        // The type tells the messages of a topic apart.
        "headers": { "type": "object", "allOf": [headers, { "properties": { "ce_type": { "const": event } } }] },
        "correlationId": reference(&["components", "correlationIds", "saga"]),
        "bindings": { "kafka": { "key": key, "bindingVersion": BINDINGS } },
        "tags": [{ "name": topic.publisher }],
    });
    match schema {
        Some(schema) => {
            message["summary"] = schema.document()["description"].clone();
            message["payload"] = schema.within(generator);
            message["x-version"] = schema.version.into();
        }
        None => {
            message["summary"] = Value::from(format!(
                "An event of `{}`, of which only the table is known: its payload is not described.",
                topic.publisher
            ));
        }
    }
    if message["summary"].is_null() {
        message["summary"] = Value::from(format!("An event of `{}`.", topic.publisher));
    }
    message
}

fn dead_letters(topic: &str) -> Value {
    json!({
        "address": dead_letter_topic(topic),
        "title": dead_letter_topic(topic),
        "description": format!("Records of `{topic}` that a service could not read, and why."),
        "messages": { "DeadLetter": reference(&["components", "messages", "DeadLetter"]) },
    })
}

fn dead_letter(generator: &mut SchemaGenerator) -> Value {
    json!({
        "name": "DeadLetter",
        "title": "Dead letter",
        "summary": "A record that a service could not read: its value, its key and its headers, with headers that say where it was and why.",
        "headers": generator.subschema_for::<DeadLetterHeaders>(),
    })
}

fn dead_letter_topic(topic: &str) -> String {
    saga::publisher::dead_letter_topic(topic)
}

/// A reference to a place in the document.
fn reference(path: &[&str]) -> Value {
    let escaped: Vec<String> = path.iter().map(|name| name.replace('~', "~0").replace('/', "~1")).collect();
    json!({ "$ref": format!("#/{}", escaped.join("/")) })
}
