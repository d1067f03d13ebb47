//! An AsyncAPI 3.0.0 document of a system: its topics, their messages, and which service sends and receives them.

use std::collections::BTreeSet;

use saga::{
    choreography::{On, Part, Reaction},
    schema::{EventSchema, with_limits},
};
use schemars::{generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, Value, json};

mod headers;
mod messages;
mod operations;

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
    /// True if it has the events of a service, and false if it has clients' requests.
    has_events: bool,
}

impl Topic<'_> {
    /// Names of its messages. Requests have a second form.
    fn messages(&self) -> Vec<String> {
        let structured = self.events.iter().filter(|_| !self.has_events).map(|event| structured(event));
        self.events.iter().map(|event| (*event).to_owned()).chain(structured).collect()
    }
}

/// Name of the message with a request in CloudEvents' structured mode.
fn structured(event: &str) -> String {
    format!("{event}.structured")
}

/// Describes the system of these services. Events among `schemas` have their payload described; of others, such as those of a
/// service of which only the table is known, the document says that it is not.
///
/// The same tables and schemas make the same document.
pub fn document(system: &System, tables: &[Part], schemas: &[EventSchema]) -> Value {
    let mut generator = SchemaSettings::draft07()
        .with_transform(RecursiveTransform(with_limits))
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let topics = topics(tables, schemas);
    let mut messages = Map::new();
    let mut channels = Map::new();
    for topic in &topics {
        let key = |name: &str| format!("{}.{name}", topic.name);
        for event in &topic.events {
            let plain = messages::message(&mut generator, topic, event, tables, schemas);
            if !topic.has_events {
                messages.insert(key(&structured(event)), messages::in_structured_mode(&plain, event));
            }
            messages.insert(key(event), plain);
        }
        let refer = topic.messages().into_iter().map(|name| {
            let to = reference(&["components", "messages", &key(&name)]);
            (name, to)
        });
        channels.insert(topic.name.to_owned(), channel(topic, refer.collect()));
    }
    for topic in consumed(tables) {
        messages.insert("DeadLetter".to_owned(), messages::dead_letter(&mut generator));
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
fn topics<'a>(tables: &'a [Part], schemas: &[EventSchema]) -> Vec<Topic<'a>> {
    let mut all: Vec<Topic<'_>> = Vec::new();
    let mut add = |name: &'a str, publisher: &'a str, event| {
        let topic = match all.iter().position(|topic: &Topic<'a>| topic.name == name) {
            Some(place) => &mut all[place],
            None => {
                let has_events = has_events(name, publisher, tables, schemas);
                all.push(Topic { name, publisher, events: Vec::new(), has_events });
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

fn channel(topic: &Topic<'_>, messages: Map<String, Value>) -> Value {
    let description = match topic.has_events {
        true => format!("Events of the service `{}`. Only it publishes here.", topic.publisher),
        false => {
            format!("Requests of `{}`: anyone may publish here, even a bare value without headers.", topic.publisher)
        }
    };
    json!({ "address": topic.name, "title": topic.name, "description": description, "messages": messages })
}

/// Returns whether a topic has events, and no requests: as a schema says, or because a service publishes on it, or by its name,
/// which is that of its only publisher. A service of which no table is known publishes events all the same.
fn has_events(topic: &str, publisher: &str, tables: &[Part], schemas: &[EventSchema]) -> bool {
    match schemas.iter().find(|schema| schema.publisher.topic() == topic) {
        Some(schema) => !schema.is_of_requests(),
        None => {
            tables.iter().any(|table| table.topic == topic) || saga::publisher::topic_of_aggregate(publisher) == topic
        }
    }
}

fn dead_letters(topic: &str) -> Value {
    json!({
        "address": dead_letter_topic(topic),
        "title": dead_letter_topic(topic),
        "description": format!("Records of `{topic}` that a service could not read, and why."),
        "messages": { "DeadLetter": reference(&["components", "messages", "DeadLetter"]) },
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
