//! Operations: what each service sends and receives.

use saga::choreography::{On, Part, Reaction};
use serde_json::{Map, Value, json};

use super::{BINDINGS, Topic, consumed, dead_letter_topic, is_of_a_service, reference};

/// The operations of clients and of every service.
pub(super) fn all(tables: &[Part], topics: &[Topic<'_>]) -> Map<String, Value> {
    let mut all = Map::new();
    for topic in topics {
        let summary = match is_of_a_service(topic, tables) {
            true => format!("`{}` publishes its events.", topic.publisher),
            false => format!("`{}` asks for something.", topic.publisher),
        };
        let name = format!("{}.sends.{}", topic.publisher, topic.name);
        all.insert(name, operation("send", topic.name, &topic.events, topic.publisher, &summary));
    }
    for table in tables {
        for reaction in &table.reactions {
            if let On::Event { event, topic, .. } = &reaction.on {
                all.insert(
                    format!("{}.receives.{topic}.{event}", table.service),
                    receive(table, reaction, event, topic),
                );
            }
        }
        for topic in consumed(std::slice::from_ref(table)) {
            let summary = format!("`{}` puts aside what it cannot read.", table.service);
            let letters = dead_letter_topic(topic);
            let name = format!("{}.sends.{letters}", table.service);
            all.insert(name, operation("send", &letters, &["DeadLetter"], &table.service, &summary));
        }
    }
    all
}

fn receive(table: &Part, reaction: &Reaction, event: &str, topic: &str) -> Value {
    let phase = reaction.phase.map(|phase| format!(" ({phase})")).unwrap_or_default();
    let summary = format!("`{}` decides: {}{phase}.", table.service, reaction.decision);
    let mut operation = operation("receive", topic, &[event], &table.service, &summary);
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
