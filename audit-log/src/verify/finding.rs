//! What can be wrong with a log, in words.

use std::fmt;

use crate::text::escaped;

/// Something that is wrong, with the row that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Fields of the row do not give their digests.
    Changed {
        /// Number of the row.
        seq: i64,
        /// Names of the fields.
        fields: Vec<&'static str>,
    },
    /// The row's number, previous hash and digests do not give its hash, under no number of the log.
    Rehashed {
        /// Number of the row.
        seq: i64,
    },
    /// The row was written under another number.
    Moved {
        /// Its number now.
        seq: i64,
        /// The number that its hash is of.
        from: i64,
    },
    /// The row is sound, but does not follow the row before it.
    Unlinked {
        /// Number of the row.
        seq: i64,
    },
    /// Rows are missing.
    Taken {
        /// First of them.
        first: i64,
        /// Last of them.
        last: i64,
    },
    /// A number occurs twice, or is none that the log ever gives.
    Foreign {
        /// The number.
        seq: i64,
    },
    /// Something outside the rows knows of later entries.
    CutOff {
        /// Last row that is there.
        end: i64,
        /// Last entry that is known to have been written.
        known: i64,
        /// The witness.
        witness: Witness,
    },
    /// The rows were written anew: they fit each other, but not what was signed.
    Rewritten {
        /// First row that may have been written anew.
        first: i64,
        /// First row that is known to differ.
        known: i64,
        /// The witness.
        witness: Witness,
    },
    /// The log's note of its own end fits no row.
    WrongEnd {
        /// Last row by the note.
        noted: i64,
        /// Last row that is there.
        end: i64,
    },
    /// Two heads of the same number, both well signed, differ.
    Forked {
        /// Number of the entry.
        seq: i64,
    },
    /// A head's signature is wrong.
    BadSignature {
        /// Its position on the topic.
        place: String,
        /// Number that it claims.
        seq: i64,
    },
    /// A head is signed with a key that is not trusted.
    UnknownKey {
        /// Its position on the topic.
        place: String,
        /// The key that it claims.
        key: String,
    },
    /// A well-signed head is of another log.
    OtherLog {
        /// Its position on the topic, or the witness.
        place: String,
    },
    /// A record on the topic is no head.
    NoHead {
        /// Its position on the topic.
        place: String,
    },
    /// The topic has lost heads.
    HeadsLost {
        /// Number of records.
        records: i64,
    },
    /// The log has entries, and the topic has no head of it.
    NoHeads,
    /// The log has no entry, and nobody said that it is new.
    Empty,
}

/// Evidence from outside the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// A signed head.
    Head,
    /// What an earlier verification remembered.
    Remembered,
    /// The log's own note of its end.
    Note,
}

impl Witness {
    fn as_str(self) -> &'static str {
        match self {
            Witness::Head => "a signed head",
            Witness::Remembered => "what an earlier verification remembered",
            Witness::Note => "the log's own note of its end",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Changed { seq, fields } => {
                write!(f, "row {seq} was changed: its {} no longer give what was hashed", fields.join(", its "))
            }
            Finding::Rehashed { seq } => {
                write!(f, "row {seq} was changed: its digests, its previous hash or its hash is not what was written")
            }
            Finding::Moved { seq, from } => write!(f, "row {seq} was moved: it was written as row {from}"),
            Finding::Unlinked { seq } => {
                write!(f, "row {seq} does not follow the row before it: one of the two was put there later")
            }
            Finding::Taken { first, last } if first == last => write!(f, "row {first} was taken away"),
            Finding::Taken { first, last } => write!(f, "rows {first} to {last} were taken away"),
            Finding::Foreign { seq } => write!(f, "row {seq} was put there: the log gives each number once, from 1"),
            Finding::CutOff { end, known, witness } => {
                let first = end.saturating_add(1);
                write!(f, "the log was cut off after row {end}: {} knows rows {first} to {known}", witness.as_str())
            }
            Finding::Rewritten { first, known, witness } if first == known => {
                write!(f, "row {known} and all after it were written anew: {} has another hash", witness.as_str())
            }
            Finding::Rewritten { first, known, witness } => write!(
                f,
                "the log was written anew from one of rows {first} to {known} on: for row {known} {} has another hash",
                witness.as_str()
            ),
            Finding::WrongEnd { noted, end } => {
                write!(
                    f,
                    "the log's own note names row {noted} with another hash as its end, and the last row is {end}"
                )
            }
            Finding::Forked { seq } => {
                write!(f, "two signed heads name different hashes for row {seq}: the log was forked")
            }
            Finding::BadSignature { place, seq } => {
                write!(f, "the head at {place}, which claims to be of row {seq}, has a wrong signature")
            }
            Finding::UnknownKey { place, key } => {
                write!(f, "the head at {place} is signed with the key {}, which is not trusted", escaped(key))
            }
            Finding::OtherLog { place } => {
                write!(f, "the head at {place} is well signed and of another log: this one has taken another's place")
            }
            Finding::NoHead { place } => write!(f, "the record at {place} on the topic of heads is no head"),
            Finding::HeadsLost { records } => write!(f, "the topic of heads has lost {records} records"),
            Finding::Empty => f.write_str("the log has no entry: it is new, or it was emptied"),
            Finding::NoHeads => {
                f.write_str("the topic has no head of this log: nothing outside the database vouches for it")
            }
        }
    }
}
