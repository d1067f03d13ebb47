//! What an entry says: who did what, on what, why, and how it ended.

use std::fmt;

use transport::Transport;
use uuid::Uuid;

use crate::text::bounded;

/// Proof of an actor's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// A certificate that was verified.
    Certificate,
    /// A token whose signature was verified.
    Token,
    /// Nothing but a claim, such as the variable USER.
    Unverified,
}

impl Known {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Known::Certificate => "certificate",
            Known::Token => "token",
            Known::Unverified => "unverified",
        }
    }
}

/// A person or program that acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Name, at most 200 bytes of which are recorded.
    pub name: String,
    /// Proof of the name.
    pub known: Known,
}

impl Actor {
    /// The person who runs this process: by certificate, or else the user that the environment names.
    pub fn of_the_process(transport: &Transport) -> Self {
        match transport.name() {
            Some(name) => Actor { name, known: Known::Certificate },
            None => Actor { name: std::env::var("USER").unwrap_or_default(), known: Known::Unverified },
        }
    }
}

/// An act that is about to happen, or has been denied.
#[derive(Debug, Clone)]
pub struct Act {
    pub(crate) actor: Actor,
    pub(crate) action: &'static str,
    pub(crate) object: (String, String),
    pub(crate) reason: String,
    pub(crate) details: serde_json::Value,
}

impl Act {
    /// An act, named by a dotted word such as `parked.retry`, on an object of this kind and id.
    pub fn new(actor: Actor, action: &'static str, object_kind: &str, object_id: impl fmt::Display) -> Self {
        let object = (object_kind.to_owned(), object_id.to_string());
        Act { actor, action, object, reason: String::new(), details: serde_json::json!({}) }
    }

    /// The actor's reason; at most 4,000 bytes are recorded.
    pub fn because(self, reason: impl Into<String>) -> Self {
        Act { reason: reason.into(), ..self }
    }

    /// Further facts; more than 16,000 bytes are recorded only as their length. Never secrets.
    pub fn with(self, details: serde_json::Value) -> Self {
        Act { details, ..self }
    }
}

/// What an entry says of the act's course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The act is about to happen.
    Began,
    /// It was done.
    Done,
    /// It was not done, or not all of it.
    Failed,
    /// Nothing was begun: the entry stands alone.
    Noted,
}

impl Outcome {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Began => "began",
            Outcome::Done => "done",
            Outcome::Failed => "failed",
            Outcome::Noted => "noted",
        }
    }
}

/// How an act ended, in words for a later reader.
#[derive(Debug, Clone)]
pub struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) note: String,
}

impl Ended {
    /// The act was done.
    pub fn done(note: impl Into<String>) -> Self {
        Ended { outcome: Outcome::Done, note: note.into() }
    }

    /// The act was not done, or not all of it.
    pub fn failed(note: impl Into<String>) -> Self {
        Ended { outcome: Outcome::Failed, note: note.into() }
    }
}

/// The fields of an entry that its writer chooses, within the bounds that the table has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) act: Uuid,
    pub(crate) actor: String,
    pub(crate) known: &'static str,
    pub(crate) action: &'static str,
    pub(crate) object_kind: String,
    pub(crate) object_id: String,
    pub(crate) reason: String,
    pub(crate) outcome: &'static str,
    pub(crate) details: String,
}

impl Fields {
    pub(crate) fn new(id: Uuid, act: &Act, outcome: Outcome, reason: &str) -> Self {
        let name = if act.actor.name.is_empty() { "unknown" } else { &act.actor.name };
        let details = act.details.to_string().replace("\\u0000", "\\ufffd");
        let details =
            if details.len() <= 16_000 { details } else { format!("{{\"omitted_bytes\":{}}}", details.len()) };
        Fields {
            act: id,
            actor: bounded(name, 200),
            known: act.actor.known.as_str(),
            action: act.action,
            object_kind: bounded(&act.object.0, 100),
            object_id: bounded(&act.object.1, 500),
            reason: bounded(reason, 4000),
            outcome: outcome.as_str(),
            details,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_said_fits_the_table() {
        let huge = "\u{1b}[31m\n\0".repeat(200_000);
        let act = Act::new(Actor { name: huge.clone(), known: Known::Unverified }, "parked.retry", &huge, &huge);
        let act = act.with(serde_json::json!({ "huge": huge }));
        let fields = Fields::new(Uuid::nil(), &act, Outcome::Began, &huge);
        let lengths = [&fields.actor, &fields.object_kind, &fields.object_id, &fields.reason, &fields.details];
        assert_eq!(lengths.map(|text| text.contains('\0')), [false; 5]);
        assert!(lengths.iter().zip([200, 100, 500, 4000, 16_000]).all(|(text, bound)| text.len() <= bound));
        assert!(fields.details.starts_with("{\"omitted_bytes\":"), "{}", fields.details);
        let nameless = Act::new(Actor { name: String::new(), known: Known::Token }, "denied", "route", "/");
        assert_eq!(Fields::new(Uuid::nil(), &nameless, Outcome::Noted, "").actor, "unknown");
    }
}
