//! Findings.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::Code;

/// Something wrong in a set of tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Kind of the finding.
    #[serde(serialize_with = "id")]
    pub code: Code,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The path through the graph that shows it, from its beginning.
    pub path: Vec<Hop>,
    /// How to mend it.
    pub mend: String,
}

/// One hop of a path: on an event or an occasion, a service's decision said something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Type of the event, or description of the occasion.
    pub on: String,
    /// Name of the service.
    pub service: String,
    /// Name of the decision.
    pub decision: String,
    /// Type of the event that it said in this case, if any.
    pub said: Option<String>,
}

fn id<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.id())
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hop { on, service, decision, said } = self;
        match said {
            Some(said) => write!(f, "{on} → {service} ({decision}) → {said}"),
            None => write!(f, "{on} → {service} ({decision})"),
        }
    }
}
