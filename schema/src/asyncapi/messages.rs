//! Messages: events, requests in both forms, and dead letters.

use saga::{choreography::Part, schema::EventSchema};
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::{
    BINDINGS, Topic,
    headers::{DeadLetterHeaders, EventHeaders, RequestHeaders},
    reference,
};

/// Content type of a value that holds the attributes, too.
const STRUCTURED: &str = "application/cloudevents+json";

/// An event, or a request without the envelope in its value.
pub(super) fn message(
    generator: &mut SchemaGenerator,
    topic: &Topic<'_>,
    event: &str,
    tables: &[Part],
    schemas: &[EventSchema],
) -> Value {
    let schema = schemas.iter().find(|schema| schema.event_type == event && schema.publisher.topic() == topic.name);
    let is_event = topic.has_events;
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
            let says = tables.iter().filter(|table| table.topic == topic.name).flat_map(|table| &table.reactions);
            let says = says.filter(|reaction| reaction.says.iter().any(|said| said == event));
            if let Some(version) = says.map(|reaction| reaction.version_of(event)).max() {
                message["x-version"] = version.into();
            }
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

/// A request in the structured mode of CloudEvents: the value holds the attributes and the data.
pub(super) fn in_structured_mode(plain: &Value, event: &str) -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let optional = |description: &str| json!({ "type": ["string", "null"], "description": description });
    let mut message = plain.clone();
    message["title"] = format!("{event}, structured").into();
    message["contentType"] = STRUCTURED.into();
    message["headers"] = json!({
        "type": "object",
        "properties": { "content-type": { "const": STRUCTURED } },
        "required": ["content-type"],
    });
    // The id of the saga is in the value.
    message.as_object_mut().and_then(|message| message.remove("correlationId"));
    message["payload"] = json!({
        "type": "object",
        "required": ["specversion", "id", "type", "source", "data"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": text("Id of the request: one that is sent twice with the same id and source counts once."),
            "type": { "const": event },
            "source": text("Source of the request."),
            "subject": optional("Id of the saga."),
            "time": optional("Time of the request, RFC 3339."),
            "causationid": optional("Id of the event that caused this request."),
            "traceparent": optional("W3C trace context."),
            "data": plain.get("payload").cloned().unwrap_or(Value::Bool(true)),
        },
    });
    message
}

/// A dead letter.
pub(super) fn dead_letter(generator: &mut SchemaGenerator) -> Value {
    json!({
        "name": "DeadLetter",
        "title": "Dead letter",
        "summary": "A record that a service could not read: its value, its key and its headers, with headers that say where it was and why.",
        "headers": generator.subschema_for::<DeadLetterHeaders>(),
    })
}
