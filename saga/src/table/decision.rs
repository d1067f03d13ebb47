//! Names of decisions, and what each does to a step of the saga.
//!
//! Try, Confirm and Cancel are the phases of TCC (Pardon and Pautasso, 2009; DTM, Seata); Withdraw and Do are what a
//! choreography needs beside them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a decision does to its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Holds something, or refuses.
    Try,
    /// Takes something at once, or refuses: a Try that needs no Confirm.
    Do,
    /// Takes what is held.
    Confirm,
    /// Undoes the step, however far it has come.
    Cancel,
    /// Undoes the step unless it is confirmed or done: then it is too late, and nothing is said.
    Withdraw,
}

impl Phase {
    /// Each phase.
    pub const ALL: [Phase; 5] = [Phase::Try, Phase::Do, Phase::Confirm, Phase::Cancel, Phase::Withdraw];

    /// The phase's name.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Try => "Try",
            Phase::Do => "Do",
            Phase::Confirm => "Confirm",
            Phase::Cancel => "Cancel",
            Phase::Withdraw => "Withdraw",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A decision of a table's line. A plain name, for a decision that touches no step, converts into one.
///
/// ```
/// use saga::table::{Decision, cancels, confirms, tries};
///
/// let [hold, book, release] = [tries("hold"), confirms("book"), cancels("release")];
/// let spare: Decision = tries("hold a spare").of("spare");
/// # assert!([hold, book, release, spare].iter().all(|decision| decision.phase.is_some()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Name of the decision, for people.
    pub name: &'static str,
    /// What it does to its step; `None` if it touches no step.
    pub phase: Option<Phase>,
    /// Name of its step; `None` is the service's only step, which has the service's name.
    pub step: Option<&'static str>,
    /// True if it waits until everything under way in the saga has come in, before it says anything.
    pub joins: bool,
    /// Kinds of durable calls that it may ask for, whose [answers](crate::table::Occasion::Answer) have lines of their own.
    pub asks: &'static [&'static str],
}

impl Decision {
    const fn plain(name: &'static str) -> Self {
        Decision { name, phase: None, step: None, joins: false, asks: &[] }
    }

    const fn in_phase(name: &'static str, phase: Phase) -> Self {
        Decision { phase: Some(phase), ..Self::plain(name) }
    }

    /// The same decision about this step, for a service with several.
    #[must_use]
    pub const fn of(self, step: &'static str) -> Self {
        Decision { step: Some(step), ..self }
    }

    /// The same decision, which may ask for durable calls of these kinds.
    #[must_use]
    pub const fn asking(self, calls: &'static [&'static str]) -> Self {
        Decision { asks: calls, ..self }
    }
}

impl From<&'static str> for Decision {
    fn from(name: &'static str) -> Self {
        Decision::plain(name)
    }
}

/// A decision that holds something, or refuses.
pub const fn tries(name: &'static str) -> Decision {
    Decision::in_phase(name, Phase::Try)
}

/// A decision that takes something at once, or refuses.
pub const fn does(name: &'static str) -> Decision {
    Decision::in_phase(name, Phase::Do)
}

/// A decision that takes what is held.
pub const fn confirms(name: &'static str) -> Decision {
    Decision::in_phase(name, Phase::Confirm)
}

/// A decision that undoes its step, however far it has come.
pub const fn cancels(name: &'static str) -> Decision {
    Decision::in_phase(name, Phase::Cancel)
}

/// A decision that undoes its step, unless it is confirmed or done.
pub const fn withdraws(name: &'static str) -> Decision {
    Decision::in_phase(name, Phase::Withdraw)
}

/// A decision that waits until everything under way in the saga has come in, as an order waits for all its parcels. A
/// refusal among them wins.
pub const fn joins(name: &'static str) -> Decision {
    Decision { joins: true, ..Decision::plain(name) }
}

/// A decision that touches no step, but may ask for durable calls of these kinds.
pub const fn asks(name: &'static str, calls: &'static [&'static str]) -> Decision {
    Decision::plain(name).asking(calls)
}

/// What triggers a decision where no event does. A plain text, for what a person or a client wants, converts into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A person or a client asks for it.
    Request(&'static str),
    /// A deadline has passed.
    Deadline(&'static str),
    /// A durable call of this kind is answered, or given up.
    Answer(&'static str),
}

impl Occasion {
    /// Description of the occasion; of an answer, the kind of its call.
    pub const fn text(self) -> &'static str {
        match self {
            Occasion::Request(text) | Occasion::Deadline(text) | Occasion::Answer(text) => text,
        }
    }
}

impl From<&'static str> for Occasion {
    fn from(text: &'static str) -> Self {
        Occasion::Request(text)
    }
}

/// The occasion that this deadline has passed.
pub const fn deadline(text: &'static str) -> Occasion {
    Occasion::Deadline(text)
}

/// The occasion that a durable call of this kind is answered.
pub const fn answer(call: &'static str) -> Occasion {
    Occasion::Answer(call)
}
