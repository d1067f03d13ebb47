//! Codes of findings.

use std::{fmt, str::FromStr};

/// Kind of a finding. The code is stable; texts may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// An event that is said, and that no service consumes.
    UnheardEvent,
    /// An event that a service waits for, and that nobody says.
    UnsaidEvent,
    /// An event that two services say.
    TwoPublishers,
    /// A decision with several outcomes, of which somebody handles one, and nobody another.
    UnhandledOutcome,
    /// A step that is still held, taken or done at the end of a saga, although it should be confirmed or undone.
    StepLeftOpen,
    /// A step that is undone before one that was taken after it.
    UndoneOutOfOrder,
    /// A step that is undone, or refused, after the point of no return.
    UndoneAfterPivot,
    /// Events that follow each other for ever.
    EndlessCycle,
    /// A saga that stops without having ended.
    NoEnd,
    /// A flow that waits for other services without a deadline.
    NoDeadline,
    /// A service that reads an earlier version of an event than the one that it is sent.
    OldReader,
    /// A saga that both completes and is aborted.
    TwoEnds,
    /// A durable call whose answer has no line, or the other way round.
    UnansweredCall,
    /// An event that means one thing in one line of a service, and another in another.
    TwoMeanings,
    /// A search that was not finished: there may be faults that it has not found.
    Unsearched,
}

impl Code {
    /// Each code.
    pub const ALL: [Code; 15] = [
        Code::UnheardEvent,
        Code::UnsaidEvent,
        Code::TwoPublishers,
        Code::UnhandledOutcome,
        Code::StepLeftOpen,
        Code::UndoneOutOfOrder,
        Code::UndoneAfterPivot,
        Code::EndlessCycle,
        Code::NoEnd,
        Code::NoDeadline,
        Code::OldReader,
        Code::TwoEnds,
        Code::UnansweredCall,
        Code::TwoMeanings,
        Code::Unsearched,
    ];

    /// Identifier, such as `SL005`.
    pub const fn id(self) -> &'static str {
        match self {
            Code::UnheardEvent => "SL001",
            Code::UnsaidEvent => "SL002",
            Code::TwoPublishers => "SL003",
            Code::UnhandledOutcome => "SL004",
            Code::StepLeftOpen => "SL005",
            Code::UndoneOutOfOrder => "SL006",
            Code::UndoneAfterPivot => "SL007",
            Code::EndlessCycle => "SL008",
            Code::NoEnd => "SL009",
            Code::NoDeadline => "SL010",
            Code::OldReader => "SL011",
            Code::TwoEnds => "SL012",
            Code::UnansweredCall => "SL013",
            Code::TwoMeanings => "SL014",
            Code::Unsearched => "SL015",
        }
    }

    /// Name, such as `step-left-open`.
    pub const fn name(self) -> &'static str {
        match self {
            Code::UnheardEvent => "unheard-event",
            Code::UnsaidEvent => "unsaid-event",
            Code::TwoPublishers => "two-publishers",
            Code::UnhandledOutcome => "unhandled-outcome",
            Code::StepLeftOpen => "step-left-open",
            Code::UndoneOutOfOrder => "undone-out-of-order",
            Code::UndoneAfterPivot => "undone-after-pivot",
            Code::EndlessCycle => "endless-cycle",
            Code::NoEnd => "no-end",
            Code::NoDeadline => "no-deadline",
            Code::OldReader => "old-reader",
            Code::TwoEnds => "two-ends",
            Code::UnansweredCall => "unanswered-call",
            Code::TwoMeanings => "two-meanings",
            Code::Unsearched => "unsearched",
        }
    }

    /// What is wrong in general.
    pub const fn explanation(self) -> &'static str {
        match self {
            Code::UnheardEvent => "An event is said that no service consumes.",
            Code::UnsaidEvent => "A service waits for an event that nobody says.",
            Code::TwoPublishers => "Two services say the same event.",
            Code::UnhandledOutcome => "One outcome of a decision is handled, another is not.",
            Code::StepLeftOpen => "A saga ends and leaves a step neither confirmed nor undone.",
            Code::UndoneOutOfOrder => "A step is undone before one that was taken after it.",
            Code::UndoneAfterPivot => "Something fails or is undone after the point of no return.",
            Code::EndlessCycle => "Events follow each other for ever.",
            Code::NoEnd => "A saga stops without having ended.",
            Code::NoDeadline => "A flow waits for other services without a deadline.",
            Code::OldReader => "A service reads an earlier version of an event than it is sent.",
            Code::TwoEnds => "A saga both completes and is aborted.",
            Code::UnansweredCall => "A durable call and its answers do not fit together.",
            Code::TwoMeanings => "An event means different things in different lines of a service.",
            Code::Unsearched => "There are more runs than the lint searches.",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Code {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Code::ALL.into_iter().find(|code| code.id().eq_ignore_ascii_case(text) || code.name() == text);
        found.ok_or_else(|| {
            let all: Vec<String> = Code::ALL.iter().map(|code| format!("{} ({})", code.id(), code.name())).collect();
            format!("`{text}` is no code; these are: {}", all.join(", "))
        })
    }
}
