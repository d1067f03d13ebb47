//! A service's table as JSON, served at `/choreography` and printed by `--choreography`. Tools that were not compiled
//! with a service use it to draw graphs, show traces and audit the system.

use serde::{Deserialize, Serialize};

use crate::table::Table;

mod reaction;

pub use reaction::{Kind, On, Reaction};

/// Path at which a program serves its table.
pub const PATH: &str = "/choreography";

/// What one service consumes, decides and publishes.
///
/// ```json
/// {"service": "hotel", "topic": "hotel.events", "reactions": [
///   {"on": {"event": "CarHeld", "publisher": "car", "topic": "car.events"}, "decision": "hold", "phase": "try",
///    "says": ["RoomHeld", "RoomRefused"], "refuses": ["RoomRefused"]},
///   {"on": {"occasion": "the night has passed", "kind": "deadline"}, "decision": "let go", "phase": "withdraw",
///    "says": ["RoomReleased"]}
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

/// Returns whether tools accept a text as the name of an event, a publisher, a topic, a step or a call: at most 100 letters,
/// digits, `_`, `.` and `-`.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Phase;

    #[test]
    fn marks_belong_to_what_is_said() {
        let on = On::Occasion { occasion: "noon".into(), kind: Kind::Request };
        let plain = Reaction::new(on, "hold", vec!["RoomHeld".into(), "RoomRefused".into()]);
        assert_eq!(plain.check(), Ok(()));
        let misspelt = Reaction { refuses: vec!["RoomRefusd".into()], ..plain.clone() };
        assert!(misspelt.check().is_err_and(|why| why.contains("`RoomRefusd`")));
        let both = vec!["RoomRefused".to_owned()];
        let torn = Reaction { completes: both.clone(), aborts: both, ..plain.clone() };
        assert!(torn.check().is_err_and(|why| why.contains("choose one")));
        let aimless = Reaction { step: Some("room".into()), ..plain.clone() };
        assert!(aimless.check().is_err());
        assert!(plain.does_as(&Reaction { phase: Some(Phase::Try), ..plain.clone() }));
        assert!(!plain.does_as(&Reaction { says: Vec::new(), ..plain.clone() }));
        assert!(!plain.does_as(&Reaction { versions: [("RoomHeld".into(), 2)].into(), ..plain.clone() }));
        let reads = |version| {
            let on =
                On::Event { event: "CarHeld".into(), publisher: "car".into(), topic: "car.events".into(), version };
            Reaction { on, ..plain.clone() }
        };
        assert!(reads(1).does_as(&reads(1)) && !reads(1).does_as(&reads(2)));
    }

    #[test]
    fn a_part_of_an_earlier_version_is_read_too() {
        let json = r#"{"service": "hotel", "topic": "hotel.events", "reactions":
            [{"on": {"occasion": "noon"}, "decision": "hold", "says": ["RoomHeld"]}]}"#;
        let part: Part = serde_json::from_str(json).unwrap();
        let on = On::Occasion { occasion: "noon".into(), kind: Kind::Request };
        assert_eq!(part.reactions, [Reaction::new(on, "hold", vec!["RoomHeld".into()])]);
    }

    #[test]
    fn a_part_is_read_as_it_is_written() {
        let on = |on| Reaction {
            phase: Some(Phase::Try),
            refuses: vec!["RoomRefused".into()],
            ..Reaction::new(on, "hold", vec!["RoomHeld".into(), "RoomRefused".into()])
        };
        let part = Part {
            service: "hotel".into(),
            topic: "hotel.events".into(),
            reactions: vec![
                on(On::Event {
                    event: "CarHeld".into(),
                    publisher: "car".into(),
                    topic: "car.events".into(),
                    version: 1,
                }),
                on(On::Occasion { occasion: "the night has passed".into(), kind: Kind::Deadline }),
            ],
        };
        let json = serde_json::to_string(&part).unwrap();
        assert_eq!(serde_json::from_str::<Part>(&json).unwrap(), part);
        assert!(json.contains(r#"{"event":"CarHeld","publisher":"car","topic":"car.events"}"#), "{json}");
        assert!(
            json.contains(
                r#"{"occasion":"the night has passed","kind":"deadline"},"decision":"hold","phase":"try","says""#
            ),
            "{json}"
        );
        assert_eq!(part.reactions[0].to_markdown(), "| `CarHeld` | hold (Try) | `RoomHeld`, `RoomRefused` |");
    }
}
