//! Verifying: pure. Every entry is hashed again, in order, and the result is compared with the signed heads.

mod finding;
mod heads;
mod walk;

use uuid::Uuid;

pub use finding::Finding;
pub use walk::Walk;

use crate::{head::Head, key::PublicKey};

/// Keys and heads that the verifier trusts, from outside the database and the topic.
#[derive(Debug, Clone, Default)]
pub struct Trusted {
    /// Public keys whose signatures count.
    pub keys: Vec<PublicKey>,
    /// Head that an earlier verification remembered.
    pub remembered: Option<Head>,
    /// The log is new and may have no entry. Otherwise one without entries was emptied.
    pub may_be_empty: bool,
}

/// An act that has begun and whose end is not recorded: it is happening now, or its program died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Number of the entry that says that it began.
    pub seq: i64,
    /// Joins intent and outcome.
    pub act: Uuid,
    /// Name of the actor.
    pub actor: String,
    /// Dotted word.
    pub action: String,
    /// Kind and id of the object.
    pub object: (String, String),
    /// Time in microseconds since 1970.
    pub micros: i64,
}

/// Result of verifying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Number of entries.
    pub entries: u64,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// The latest entry that a signed head stands for. None if none does, or heads were not looked at.
    pub covered: Option<i64>,
    /// Number of entries after that: the chain holds them together, and no signature.
    pub uncovered: u64,
    /// Acts without an end, oldest first.
    pub open: Vec<Intent>,
    /// The end of the log, to be remembered for the next time. None if it is empty.
    pub end: Option<Head>,
}

impl Verdict {
    /// Tells whether nothing is wrong.
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }
}
