//! Readers that break, and what breaks them.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use saga::choreography::{On, Part};

use crate::{Change, Code};

/// A decision of a service that reads an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Name of the service.
    pub service: String,
    /// Name of the decision.
    pub decision: String,
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.service, self.decision)
    }
}

/// The readers of an event, from the services' tables.
pub fn readers(tables: &[Part], event_type: &str, publisher: &str) -> Vec<Reader> {
    let of = |table: &Part| {
        let reads = table.reactions.iter().filter(|reaction| {
            matches!(&reaction.on, On::Event { event, publisher: by, .. } if event == event_type && by == publisher)
        });
        reads
            .map(|reaction| Reader { service: table.service.clone(), decision: reaction.decision.clone() })
            .collect::<Vec<_>>()
    };
    tables.iter().flat_map(of).collect()
}

/// Outcome of comparing events with their kept schemas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Events whose readers break.
    pub breaks: Vec<Broken>,
    /// Files that are not up to date, and why, although no reader breaks. [`Kept::update`](crate::Kept::update) writes them.
    pub outdated: Vec<(PathBuf, String)>,
}

/// An event whose readers break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Wire name.
    pub event_type: String,
    /// The file with the kept schema.
    pub path: PathBuf,
    /// Readers, as far as the tables tell.
    pub readers: Vec<Reader>,
    /// What breaks them.
    pub cause: Cause,
    /// True if it is the request of clients, which are not among the services.
    pub is_request: bool,
}

/// What breaks the readers of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// These changes of its schema.
    Changes(Vec<Change>),
    /// What the publisher writes is not what the type reads; from the one to the other.
    WrittenOtherwise(Vec<Change>),
    /// The kept schema is not there, although the event is not new.
    Missing,
    /// The event does not exist any more.
    Gone,
    /// The event's version is less than that of its kept schema.
    EarlierVersion {
        /// Version of the kept schema.
        kept: u32,
        /// Version of the event.
        now: u32,
    },
}

impl Broken {
    /// What to do about changes of a schema.
    fn advice(&self) -> &'static str {
        match (&self.cause, self.is_request) {
            (Cause::Changes(_), false) => {
                "  mend: keep what readers know, and add what is new as an optional field, an `Option`; or publish a new event \
                 beside this one; or, if all readers change with it and no old event is left, raise the version of the event: \
                 `version 2` after its name in `events!`"
            }
            (Cause::Changes(_), true) => {
                "  mend: accept what clients send today: nobody can change them all at once. What is new is an optional field, an \
                 `Option`; or accept a new request beside this one; or, if no client sends the old one any more, raise the \
                 version of the request in `EventSchema::of_request`"
            }
            _ => "",
        }
    }
}

impl fmt::Display for Judgement {
    /// Each break with its readers; events that break for the same cause, such as a change of the common facts, together.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut causes: BTreeMap<String, Vec<&Broken>> = BTreeMap::new();
        for broken in &self.breaks {
            causes.entry(format!("{}{}", broken.cause, broken.advice())).or_default().push(broken);
        }
        for (cause, broken) in causes {
            writeln!(f, "{cause}")?;
            for Broken { event_type, path, readers, .. } in broken {
                let readers: Vec<String> = readers.iter().map(Reader::to_string).collect();
                let readers = match readers.is_empty() {
                    true => "no service among these tables, and whoever else subscribes".to_owned(),
                    false => readers.join(", "),
                };
                writeln!(f, "  `{event_type}`, read by {readers}\n    kept in {}", path.display())?;
            }
            writeln!(f)?;
        }
        for (path, why) in &self.outdated {
            writeln!(f, "not up to date, and breaks nobody: {}: {why}", path.display())?;
        }
        Ok(())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Changes(changes) => {
                for change in changes.iter().filter(|change| change.breaks_a_reader()) {
                    writeln!(f, "{change}. {}", change.code.explanation())?;
                    for direction in &change.breaks {
                        writeln!(f, "  breaks {direction}")?;
                    }
                }
                Ok(())
            }
            Cause::WrittenOtherwise(differences) => {
                writeln!(f, "the event is not written as it is read")?;
                for Change { code, path, message, .. } in differences {
                    match code {
                        Code::MadeRequired => writeln!(f, "  {path} may be left out, and readers require it")?,
                        Code::RequiredFieldAdded | Code::OptionalFieldAdded => {
                            writeln!(f, "  {path} is read, and never written")?;
                        }
                        Code::FieldRemoved => writeln!(f, "  {path} is written, and never read")?,
                        Code::FieldRenamed => writeln!(f, "  {path} is written, and read under another name")?,
                        _ => writeln!(f, "  {path} is read in another form: {message}")?,
                    }
                }
                f.write_str(
                    "  mend: `#[serde(default)]` beside `skip_serializing_if`, the same name both ways, and no `skip_serializing`",
                )
            }
            Cause::Missing => f.write_str(
                "the kept schema is missing, so that the event cannot be compared with it\n  mend: restore the file from the history",
            ),
            Cause::Gone => f.write_str(
                "the event does not exist any more, under this name and of this publisher\n  mend: keep it; or, if nobody reads it \
                 and none is left in the topic, delete its kept schemas and its name in index.json",
            ),
            Cause::EarlierVersion { kept, now } => write!(
                f,
                "the version of the event is {now}, and that of its kept schema {kept}: a version only rises\n  mend: set the \
                 version to {kept} or more"
            ),
        }
    }
}
