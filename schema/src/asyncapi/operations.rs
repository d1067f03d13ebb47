//! Operations: what each service sends and receives.

use saga::choreography::{On, Part, Reaction};
use serde_json::{Map, Value, json};

use super::{BINDINGS, Topic, consumed, dead_letter_topic, reference};

/// The operations of clients and of every service.
pub(super) fn all(tables: &[Part], topics: &[Topic<'_>]) -> Map<String, Value> {
    let mut all = Map::new();
    for topic in topics {
        let summary = match topic.has_events {
            true => format!("`{}` publishes its events.", topic.publisher),
            false => format!("`{}` asks for something.", topic.publisher),
        };
        let name = format!("{}.sends.{}", topic.publisher, topic.name);
        let messages = topic.messages();
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        add(&mut all, name, operation("send", topic.name, &messages, topic.publisher, &summary));
    }
    for table in tables {
        for reaction in &table.reactions {
            if let On::Event { event, topic: name, .. } = &reaction.on {
                let is_request = topics.iter().any(|topic| topic.name == name && !topic.has_events);
                let name_of = format!("{}.receives.{name}.{event}", table.service);
                add(&mut all, name_of, receive(table, reaction, event, name, is_request));
            }
        }
        for topic in consumed(std::slice::from_ref(table)) {
            let summary = format!("`{}` puts aside what it cannot read.", table.service);
            let letters = dead_letter_topic(topic);
            let name = format!("{}.sends.{letters}", table.service);
            add(&mut all, name, operation("send", &letters, &["DeadLetter"], &table.service, &summary));
        }
    }
    all
}

/// Adds an operation. One of the same name stays: a table may have two decisions for the same event.
fn add(all: &mut Map<String, Value>, name: String, operation: Value) {
    let mut free = name.clone();
    for place in 2.. {
        if !all.contains_key(&free) {
            break;
        }
        free = format!("{name}-{place}");
    }
    all.insert(free, operation);
}

fn receive(table: &Part, reaction: &Reaction, event: &str, topic: &str, is_request: bool) -> Value {
    let phase = reaction.phase.map(|phase| format!(" ({phase})")).unwrap_or_default();
    let summary = format!("`{}` decides: {}{phase}.", table.service, reaction.decision);
    let structured = super::structured(event);
    let messages: Vec<&str> = [event].into_iter().chain(is_request.then_some(structured.as_str())).collect();
    let mut operation = operation("receive", topic, &messages, &table.service, &summary);
    let says: Vec<String> = reaction.says.iter().map(|event| format!("`{event}`")).collect();
    let description = match says.is_empty() {
        true => "It sends nothing.".to_owned(),
        false => format!("It may send {}.", says.join(", ")),
    };
    operation["description"] = description.into();
    operation["bindings"] = json!({ "kafka": {
        "groupId": { "type": "string", "enum": [table.service] }, "bindingVersion": BINDINGS
    } });
    operation
}

fn operation(action: &str, topic: &str, events: &[&str], service: &str, summary: &str) -> Value {
    let messages: Vec<Value> = events.iter().map(|event| reference(&["channels", topic, "messages", event])).collect();
    json!({
        "action": action,
        "title": format!("{service} {action}s {}", events.join(", ")),
        "summary": summary,
        "channel": reference(&["channels", topic]),
        "messages": messages,
        "tags": [{ "name": service }],
    })
}
