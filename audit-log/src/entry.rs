//! An entry as the table has it.

use std::fmt;

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    hash::{self, Hash},
    text::escaped,
};

/// Names of the fields that have a digest, in the order of the digests.
pub(crate) const FIELDS: [&str; 11] = [
    "time",
    "role",
    "actor",
    "proof of the actor",
    "action",
    "kind of object",
    "object",
    "reason",
    "outcome",
    "act",
    "details",
];

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Entry {
    /// Number, from 1 without gaps.
    pub seq: i64,
    /// Time in microseconds since 1970, by the database's clock; never earlier than that of the entry before.
    pub micros: i64,
    /// Database role that wrote it.
    pub role: String,
    /// Name of the actor.
    pub actor: String,
    /// Proof of the name: `certificate`, `token` or `unverified`.
    pub known: String,
    /// Dotted word.
    pub action: String,
    /// Kind of what it was done to.
    pub object_kind: String,
    /// Id of what it was done to.
    pub object_id: String,
    /// The actor's reason, or how the act ended.
    pub reason: String,
    /// `began`, `done`, `failed` or `noted`.
    pub outcome: String,
    /// Joins intent and outcome.
    pub act: Uuid,
    /// Further facts, as JSON.
    pub details: String,
    /// Hash of the entry before.
    #[sqlx(try_from = "Vec<u8>")]
    pub previous: Bytes,
    /// Digest of each field.
    pub digests: Vec<u8>,
    /// Hash of the previous hash, the number and the digests.
    #[sqlx(try_from = "Vec<u8>")]
    pub hash: Bytes,
}

/// A hash from the table. Somebody may have changed the table so that it holds anything: what is no hash equals none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub Option<Hash>);

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(Hash::from_slice(&bytes).ok())
    }
}

/// One line, on which nothing that was recorded can break out.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at().map_or("at no time".to_owned(), |at| at.format("%F %T%.3f").to_string());
        let [actor, known, action, kind, id, outcome] =
            [&self.actor, &self.known, &self.action, &self.object_kind, &self.object_id, &self.outcome]
                .map(|text| escaped(text));
        write!(f, "{}  {at}  {actor} ({known})  {action}  {kind} {id}  {outcome}", self.seq)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", escaped(&self.reason))?;
        }
        if self.details != "{}" {
            write!(f, "  {}", escaped(&self.details))?;
        }
        Ok(())
    }
}

impl Entry {
    /// Columns of a query for entries. A time that somebody has set to infinity, or beyond what programs can represent, has to be
    /// readable too.
    pub(crate) const COLUMNS: &str =
        "seq, case when isfinite(at) then (extract(epoch from at) * 1000000)::bigint else 0 end as micros,
        role, actor, known, action, object_kind, object_id, reason, outcome, act, details, previous, digests, hash";

    /// Time by the database's clock.
    pub fn at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.micros)
    }

    /// The digest that each field gives now.
    pub(crate) fn fresh_digests(&self) -> [Hash; 11] {
        [
            Hash::of(&self.micros.to_be_bytes()),
            Hash::of(self.role.as_bytes()),
            Hash::of(self.actor.as_bytes()),
            Hash::of(self.known.as_bytes()),
            Hash::of(self.action.as_bytes()),
            Hash::of(self.object_kind.as_bytes()),
            Hash::of(self.object_id.as_bytes()),
            Hash::of(self.reason.as_bytes()),
            Hash::of(self.outcome.as_bytes()),
            Hash::of(self.act.as_bytes()),
            Hash::of(self.details.as_bytes()),
        ]
    }

    /// The names of the fields that do not give their digests.
    pub(crate) fn changed_fields(&self) -> Vec<&'static str> {
        let stored = self.digests.chunks(32).map(Some).chain(std::iter::repeat(None));
        let fresh = self.fresh_digests();
        let pairs = FIELDS.iter().zip(fresh.iter().zip(stored));
        pairs.filter(|(_, (fresh, stored))| *stored != Some(&fresh.0[..])).map(|(name, _)| *name).collect()
    }

    /// The hash that the entry's digests give, if its number were this.
    pub(crate) fn hash_as(&self, seq: i64) -> Option<Hash> {
        let digests: Vec<Hash> = self.digests.chunks(32).map(Hash::from_slice).collect::<Result<_, _>>().ok()?;
        Some(hash::of_entry(&self.previous.0?, seq, &digests))
    }
}
