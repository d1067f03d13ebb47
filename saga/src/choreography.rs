//! A service's table as others read it: served at `/choreography` and printed by `--choreography`, as JSON. Pictures, traces
//! and audits of systems whose services they were not compiled with are made from it.

use serde::{Deserialize, Serialize};

use crate::table::{Line, Table, Trigger};

/// Where a program serves its table.
pub const PATH: &str = "/choreography";

/// What one service hears, decides and says.
///
/// ```json
/// {"service": "hotel", "topic": "hotel.events", "reactions": [
///   {"on": {"event": "CarHeld", "publisher": "car", "topic": "car.events"}, "decision": "hold", "says": ["RoomHeld"]},
///   {"on": {"occasion": "the night has passed"}, "decision": "let go", "says": ["RoomReleased"]}
/// ]}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The service's name.
    pub service: String,
    /// The topic that carries all that it says.
    pub topic: String,
    /// The lines of its table, in their order.
    pub reactions: Vec<Reaction>,
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// What sets the decision going.
    pub on: On,
    /// The decision's name.
    pub decision: String,
    /// The types of the events that it may say.
    pub says: Vec<String>,
}

/// What sets a decision going.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum On {
    /// An event.
    Event {
        /// Its type.
        event: String,
        /// The name of whoever publishes it.
        publisher: String,
        /// The topic that it comes on.
        topic: String,
    },
    /// Something else: a person, a deadline, an answer from outside.
    Occasion {
        /// The occasion, in words.
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
    /// The type of the event that sets the decision going; none if something else does.
    pub fn event(&self) -> Option<&str> {
        match &self.on {
            On::Event { event, .. } => Some(event),
            On::Occasion { .. } => None,
        }
    }

    /// The topic of that event.
    pub fn topic(&self) -> Option<&str> {
        match &self.on {
            On::Event { topic, .. } => Some(topic),
            On::Occasion { .. } => None,
        }
    }

    /// Tells whether the decision may say an event of this type.
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
