//! A line of a table, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::table::{Decision, End, Line, Occasion, Phase, Saying, Trigger};

/// One line of a table.
///
/// Beside the events that it may publish it lists which of them are refusals, ends, points of no return, or of no
/// consequence; what is empty is left out in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// Trigger of the decision.
    pub on: On,
    /// Name of the decision.
    pub decision: String,
    /// Name of the step that the decision is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What it does to that step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// True if it waits until everything under way in the saga has come in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joins: bool,
    /// Kinds of durable calls that it may ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<String>,
    /// Types of the events that it may publish.
    pub says: Vec<String>,
    /// Those with which it refuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refuses: Vec<String>,
    /// Those that complete the saga.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub completes: Vec<String>,
    /// Those that end the saga without effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aborts: Vec<String>,
    /// Those after which nothing fails and nothing is undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pivots: Vec<String>,
    /// Those that nobody has to consume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub informs: Vec<String>,
    /// Versions of the schemas of those whose schema has changed; of the others it is 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, u32>,
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
        /// Latest version of its schema that the service reads.
        #[serde(default = "first", skip_serializing_if = "is_first")]
        version: u32,
    },
    /// Anything else: a person, a deadline, an answer from outside.
    Occasion {
        /// Description of the occasion; of an answer, the kind of its call.
        occasion: String,
        /// Kind of occasion.
        #[serde(default, skip_serializing_if = "Kind::is_request")]
        kind: Kind,
    },
}

/// Kind of an occasion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person or a client asks for it.
    #[default]
    Request,
    /// A deadline has passed.
    Deadline,
    /// A durable call is answered, or given up.
    Answer,
}

/// Version of an event whose schema has not changed.
fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_first(version: &u32) -> bool {
    *version == first()
}

impl Kind {
    fn is_request(&self) -> bool {
        *self == Kind::Request
    }
}

impl From<&Line> for Reaction {
    fn from(line: &Line) -> Self {
        let on = match line.trigger {
            Trigger::Event { event_type, publisher, version } => On::Event {
                event: event_type.to_owned(),
                publisher: publisher.name().to_owned(),
                topic: publisher.topic().to_owned(),
                version,
            },
            Trigger::Occasion(occasion) => On::from(occasion),
        };
        let Decision { name, phase, step, joins, asks } = line.decision;
        let said = |which: fn(&Saying) -> bool| -> Vec<String> {
            line.says.iter().filter(|saying| which(saying)).map(|saying| saying.event_type.to_owned()).collect()
        };
        Reaction {
            phase,
            step: step.map(str::to_owned),
            joins,
            asks: asks.iter().map(|call| (*call).to_owned()).collect(),
            refuses: said(|saying| saying.refuses),
            completes: said(|saying| saying.ends == Some(End::Completed)),
            aborts: said(|saying| saying.ends == Some(End::Aborted)),
            pivots: said(|saying| saying.pivot),
            informs: said(|saying| saying.informs),
            versions: line
                .says
                .iter()
                .filter(|saying| saying.version != first())
                .map(|saying| (saying.event_type.to_owned(), saying.version))
                .collect(),
            ..Reaction::new(on, name, said(|_| true))
        }
    }
}

impl From<Occasion> for On {
    fn from(occasion: Occasion) -> Self {
        let kind = match occasion {
            Occasion::Request(_) => Kind::Request,
            Occasion::Deadline(_) => Kind::Deadline,
            Occasion::Answer(_) => Kind::Answer,
        };
        On::Occasion { occasion: occasion.text().to_owned(), kind }
    }
}

impl Reaction {
    /// A reaction without marks.
    pub fn new(on: On, decision: impl Into<String>, says: Vec<String>) -> Self {
        Reaction {
            on,
            decision: decision.into(),
            step: None,
            phase: None,
            joins: false,
            asks: Vec::new(),
            says,
            refuses: Vec::new(),
            completes: Vec::new(),
            aborts: Vec::new(),
            pivots: Vec::new(),
            informs: Vec::new(),
            versions: BTreeMap::new(),
        }
    }

    /// Version of the schema of an event that the reaction says.
    pub fn version_of(&self, event_type: &str) -> u32 {
        self.versions.get(event_type).copied().unwrap_or(first())
    }

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

    /// Checks that marks, versions and phases belong to something.
    ///
    /// # Errors
    /// A sentence that names what does not.
    pub fn check(&self) -> Result<(), String> {
        let marked = self.marks().into_iter().flat_map(|(_, events)| events).chain(self.versions.keys());
        if let Some(stranger) = marked.into_iter().find(|event| !self.may_say(event)) {
            return Err(format!("`{}` marks `{stranger}`, which it does not say", self.decision));
        }
        if let Some(both) = self.completes.iter().find(|event| self.aborts.contains(event)) {
            return Err(format!("`{}` completes and aborts the saga with `{both}`: choose one", self.decision));
        }
        if self.step.is_some() && self.phase.is_none() {
            return Err(format!("`{}` names a step, and not what it does to it", self.decision));
        }
        if self.joins && self.phase.is_some() {
            return Err(format!("`{}` joins, and is about a step: make it two lines of two services", self.decision));
        }
        Ok(())
    }

    /// Each mark, as in `says!`, and the events that have it.
    pub fn marks(&self) -> [(&'static str, &Vec<String>); 5] {
        [
            ("completes", &self.completes),
            ("aborts", &self.aborts),
            ("refuses", &self.refuses),
            ("pivot", &self.pivots),
            ("informs", &self.informs),
        ]
    }

    /// Returns whether the other reaction does the same at run time: whether they differ in their marks only. Versions are no
    /// marks: a replica that reads another version does something else.
    pub fn does_as(&self, other: &Reaction) -> bool {
        let same_trigger = match (&self.on, &other.on) {
            (On::Occasion { occasion, .. }, On::Occasion { occasion: others, .. }) => occasion == others,
            (on, others) => on == others,
        };
        same_trigger && self.says == other.says && self.versions == other.versions
    }

    /// The reaction as cells of a Markdown table: on, decision, says.
    pub fn to_markdown(&self) -> String {
        let on = match &self.on {
            On::Event { event, .. } => format!("`{event}`"),
            On::Occasion { occasion, kind: Kind::Answer } => format!("the answer to {occasion}"),
            On::Occasion { occasion, .. } => occasion.clone(),
        };
        let decision = match self.phase {
            Some(phase) => format!("{} ({phase})", self.decision),
            None => self.decision.clone(),
        };
        let says: Vec<String> = self.says.iter().map(|says| format!("`{says}`")).collect();
        let says = if says.is_empty() { "nothing".to_owned() } else { says.join(", ") };
        format!("| {on} | {decision} | {says} |")
    }
}
