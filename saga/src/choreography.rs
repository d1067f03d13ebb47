//! A service's table as JSON, served at `/choreography` and printed by `--choreography`. Tools that were not compiled
//! with a service use it to draw graphs, show traces and audit the system.

use serde::{Deserialize, Serialize};

use crate::table::{Line, Table, Trigger};

/// Path at which a program serves its table.
pub const PATH: &str = "/choreography";

/// What one service consumes, decides and publishes.
///
/// ```json
/// {"service": "hotel", "topic": "hotel.events", "reactions": [
///   {"on": {"event": "CarHeld", "publisher": "car", "topic": "car.events"}, "decision": "hold", "says": ["RoomHeld"]},
///   {"on": {"occasion": "the night has passed"}, "decision": "let go", "says": ["RoomReleased"]}
/// ]}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Name of the service.
    pub service: String,
    /// Topic of all its events.
    pub topic: String,
    /// Lines of its table, in order.
    pub reactions: Vec<Reaction>,
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// Trigger of the decision.
    pub on: On,
    /// Name of the decision.
    pub decision: String,
    /// Types of the events that it may publish.
    pub says: Vec<String>,
}

/// Trigger of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum On {
    /// An event.
    Event {
        /// Event type.
        event: String,
        /// Name of the event's publisher.
        publisher: String,
        /// Topic that carries the event.
        topic: String,
    },
    /// Anything else: a person, a deadline, an answer from outside.
    Occasion {
        /// Description of the occasion.
        occasion: String,
    },
}

impl<C> From<&Table<C>> for Part {
    fn from(table: &Table<C>) -> Self {
        let service = table.service();
        Part {
            service: service.name().to_owned(),
            topic: service.topic().to_owned(),
            reactions: table.lines().map(Reaction::from).collect(),
        }
    }
}

impl From<&Line> for Reaction {
    fn from(line: &Line) -> Self {
        let on = match line.trigger {
            Trigger::Event { event_type, publisher } => On::Event {
                event: event_type.to_owned(),
                publisher: publisher.name().to_owned(),
                topic: publisher.topic().to_owned(),
            },
            Trigger::Other(occasion) => On::Occasion { occasion: occasion.to_owned() },
        };
        Reaction { on, decision: line.decision.to_owned(), says: line.types().map(str::to_owned).collect() }
    }
}

impl Reaction {
    /// Type of the triggering event; `None` for other occasions.
    pub fn event(&self) -> Option<&str> {
        match &self.on {
            On::Event { event, .. } => Some(event),
            On::Occasion { .. } => None,
        }
    }

    /// Topic of the triggering event.
    pub fn topic(&self) -> Option<&str> {
        match &self.on {
            On::Event { topic, .. } => Some(topic),
            On::Occasion { .. } => None,
        }
    }

    /// Returns whether the decision may publish an event of this type.
    pub fn may_say(&self, event_type: &str) -> bool {
        self.says.iter().any(|said| said == event_type)
    }

    /// The reaction as cells of a Markdown table: on, decision, says.
    pub fn to_markdown(&self) -> String {
        let on = match &self.on {
            On::Event { event, .. } => format!("`{event}`"),
            On::Occasion { occasion } => occasion.clone(),
        };
        let says: Vec<String> = self.says.iter().map(|says| format!("`{says}`")).collect();
        format!("| {on} | {} | {} |", self.decision, says.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_it_is_written() {
        let on = |on| Reaction { on, decision: "hold".into(), says: vec!["RoomHeld".into(), "RoomRefused".into()] };
        let part = Part {
            service: "hotel".into(),
            topic: "hotel.events".into(),
            reactions: vec![
                on(On::Event { event: "CarHeld".into(), publisher: "car".into(), topic: "car.events".into() }),
                on(On::Occasion { occasion: "the night has passed".into() }),
            ],
        };
        let json = serde_json::to_string(&part).unwrap();
        assert_eq!(serde_json::from_str::<Part>(&json).unwrap(), part);
        assert!(json.contains(r#"{"event":"CarHeld","publisher":"car","topic":"car.events"}"#), "{json}");
        assert!(json.contains(r#"{"occasion":"the night has passed"}"#), "{json}");
        assert_eq!(part.reactions[0].to_markdown(), "| `CarHeld` | hold | `RoomHeld`, `RoomRefused` |");
    }
}
