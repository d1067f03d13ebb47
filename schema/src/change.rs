//! Changes of a schema, and which readers each breaks.

use std::fmt;

/// A pair of versions that meet: whose readers read whose events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Old readers, new events: services that are deployed later than the publisher, and programs of other people.
    OldReaders,
    /// New readers, old events: replays, and what is still in topics and outboxes.
    NewReaders,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::OldReaders => "old readers of new events",
            Direction::NewReaders => "new readers of old events, which are replayed or still on their way",
        })
    }
}

/// Kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A field is gone.
    FieldRemoved,
    /// A field has another name.
    FieldRenamed,
    /// A field has another type.
    Retyped,
    /// A new field that every event must have.
    RequiredFieldAdded,
    /// A new field that an event may have.
    OptionalFieldAdded,
    /// An optional field that every event must have now.
    MadeRequired,
    /// A required field that an event may leave out now.
    MadeOptional,
    /// A value that may be null now.
    MadeNullable,
    /// A value that may not be null any more.
    NoLongerNullable,
    /// A further value of an enumeration, or a further variant.
    ValueAdded,
    /// A value of an enumeration, or a variant, that does not exist any more.
    ValueRemoved,
    /// A constraint that is gone or weaker: more is published than before.
    Loosened,
    /// A constraint that is new or stronger: less is accepted than before.
    Tightened,
    /// Another value in place of a field that an event leaves out.
    DefaultChanged,
    /// A change of a keyword that is not understood.
    Unjudged,
}

impl Code {
    /// Each code.
    pub const ALL: [Code; 15] = [
        Code::FieldRemoved,
        Code::FieldRenamed,
        Code::Retyped,
        Code::RequiredFieldAdded,
        Code::OptionalFieldAdded,
        Code::MadeRequired,
        Code::MadeOptional,
        Code::MadeNullable,
        Code::NoLongerNullable,
        Code::ValueAdded,
        Code::ValueRemoved,
        Code::Loosened,
        Code::Tightened,
        Code::DefaultChanged,
        Code::Unjudged,
    ];

    /// Name, such as `made-required`.
    pub const fn name(self) -> &'static str {
        match self {
            Code::FieldRemoved => "field-removed",
            Code::FieldRenamed => "field-renamed",
            Code::Retyped => "retyped",
            Code::RequiredFieldAdded => "required-field-added",
            Code::OptionalFieldAdded => "optional-field-added",
            Code::MadeRequired => "made-required",
            Code::MadeOptional => "made-optional",
            Code::MadeNullable => "made-nullable",
            Code::NoLongerNullable => "no-longer-nullable",
            Code::ValueAdded => "value-added",
            Code::ValueRemoved => "value-removed",
            Code::Loosened => "loosened",
            Code::Tightened => "tightened",
            Code::DefaultChanged => "default-changed",
            Code::Unjudged => "unjudged",
        }
    }

    /// Readers that such a change breaks, unless the object is closed to further fields.
    pub const fn breaks(self) -> &'static [Direction] {
        use Direction::{NewReaders, OldReaders};
        match self {
            Code::OptionalFieldAdded => &[],
            Code::FieldRemoved | Code::MadeOptional | Code::MadeNullable | Code::ValueAdded | Code::Loosened => {
                &[OldReaders]
            }
            Code::RequiredFieldAdded
            | Code::MadeRequired
            | Code::NoLongerNullable
            | Code::ValueRemoved
            | Code::Tightened
            | Code::DefaultChanged => &[NewReaders],
            Code::FieldRenamed | Code::Retyped | Code::Unjudged => &[OldReaders, NewReaders],
        }
    }

    /// Why such a change breaks readers, or why it does not.
    pub const fn explanation(self) -> &'static str {
        match self {
            Code::FieldRemoved => "A reader that uses the field no longer finds it.",
            Code::FieldRenamed => {
                "Old readers look for the old name in new events, new readers for the new one in old events."
            }
            Code::Retyped => "Neither version reads the other's values.",
            Code::RequiredFieldAdded => "Old events do not have the field that new readers require.",
            Code::OptionalFieldAdded => "Old readers skip it, and new readers do without it in old events.",
            Code::MadeRequired => "An old event without the field cannot be read any more.",
            Code::MadeOptional => "Old readers require the field, and a new event may leave it out.",
            Code::MadeNullable => "Old readers cannot read null.",
            Code::NoLongerNullable => "An old event with null cannot be read any more.",
            Code::ValueAdded => "Old readers know every value by name, and cannot read one that they do not know.",
            Code::ValueRemoved => "An old event with the value cannot be read any more.",
            Code::Loosened => "Old readers rely on the constraint, and a new event may violate it.",
            Code::Tightened => "An old event that violates the constraint cannot be read any more.",
            Code::DefaultChanged => "An old event without the field is read as if it said something else.",
            Code::Unjudged => "Whether readers can cope is not known, so that they are taken not to.",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One change between two versions of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Kind of the change.
    pub code: Code,
    /// Place in the data, as a JSON path: `$.order.items[*].quantity`.
    pub path: String,
    /// What has changed, in one sentence.
    pub message: String,
    /// Readers that the change breaks; empty if it breaks none.
    pub breaks: Vec<Direction>,
}

impl Change {
    /// Returns whether the change breaks any reader.
    pub fn breaks_a_reader(&self) -> bool {
        !self.breaks.is_empty()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.path, self.code, self.message)
    }
}
