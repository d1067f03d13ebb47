//! Denied requests: counted, and recorded as one entry for each actor, object and reason in a span of time, so that an attacker
//! can fill neither the log nor our memory.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use uuid::Uuid;

use crate::{
    act::{Act, Actor, Known},
    recorder::Recorder,
    text::bounded,
};

/// Time between two entries about the same actor, object and reason.
pub const EVERY: Duration = Duration::from_secs(60);
/// Actors, objects and reasons that are told apart within that time; further ones are counted together.
const TOLD_APART: usize = 100;
/// Actor and object of those that are counted together.
const OTHERS: &str = "others";

/// A denied request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The actor, as far as it is known.
    pub actor: Actor,
    /// What was asked for, by kind and name as the program has them, such as the route `GET /orders/{id}` or a topic; never what
    /// the client sent.
    pub object: (&'static str, String),
    /// Reason, one of a few that the program has; never what the client sent.
    pub why: String,
    /// The very thing that was asked for. The first of a span of time is recorded.
    pub about: Option<Uuid>,
}

/// Name of the actor and its proof, kind and name of the object, reason.
type Key = (String, &'static str, &'static str, String, String);

/// Denials that are counted together.
#[derive(Debug, Clone)]
struct Counted {
    denial: Denial,
    times: u64,
}

impl Counted {
    fn act(&self) -> Act {
        let Denial { actor, object: (kind, name), why, about } = self.denial.clone();
        let mut details = serde_json::json!({ "times": self.times });
        if let Some(about) = about {
            details["first"] = about.to_string().into();
        }
        Act::new(actor, "denied", kind, name).because(why).with(details)
    }
}

/// Denials that are being recorded. Dropped before they are, also because nobody waits any more, they are counted on: the log
/// may have them twice then, and never not at all.
struct Taken<'a> {
    denials: &'a Denials,
    counted: Option<Counted>,
}

impl Taken<'_> {
    fn recorded(mut self) {
        self.counted = None;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(Counted { denial, times }) = self.counted.take() {
            self.denials.add(denial, times);
        }
    }
}

/// Counts denials.
#[derive(Debug, Default)]
pub struct Denials {
    counted: Mutex<BTreeMap<Key, Counted>>,
}

impl Denials {
    /// Counts a denial. Does not wait for the log, and takes a bounded amount of memory: returns false if the actor is not told
    /// apart from others, because there are too many.
    pub fn count(&self, denial: Denial) -> bool {
        self.add(denial, 1)
    }

    fn add(&self, mut denial: Denial, times: u64) -> bool {
        denial.actor.name = bounded(&denial.actor.name, 200);
        denial.why = bounded(&denial.why, 200);
        let mut counted = self.lock();
        let mut key = key(&denial);
        let is_known = counted.contains_key(&key);
        if !is_known && counted.len() >= TOLD_APART {
            let actor = Actor { name: OTHERS.to_owned(), known: Known::Unverified };
            denial = Denial { actor, object: (denial.object.0, OTHERS.to_owned()), about: None, ..denial };
            key = self::key(&denial);
        }
        let is_told_apart = denial.actor.name != OTHERS;
        match counted.entry(key) {
            Entry::Occupied(mut entry) => entry.get_mut().times += times,
            Entry::Vacant(entry) => drop(entry.insert(Counted { denial, times })),
        }
        is_told_apart
    }

    /// Records what was counted since the last time: one entry for each actor, object and reason. Call it every [`EVERY`], and
    /// before the program ends. Returns the number of entries.
    ///
    /// # Errors
    /// If the log does not take them; they are counted on, and recorded the next time.
    pub async fn record(&self, recorder: &Recorder) -> anyhow::Result<usize> {
        let keys: Vec<Key> = self.lock().keys().cloned().collect();
        let mut entries = 0;
        for key in keys {
            let Some(counted) = self.lock().remove(&key) else { continue };
            let act = counted.act();
            let taken = Taken { denials: self, counted: Some(counted) };
            recorder.note(&act).await?;
            taken.recorded();
            entries += 1;
        }
        Ok(entries)
    }

    /// Number of denials that are counted and not yet recorded.
    pub fn waiting(&self) -> u64 {
        self.lock().values().map(|counted| counted.times).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(Denial { actor, object: (kind, name), why, .. }: &Denial) -> Key {
    (actor.name.clone(), actor.known.as_str(), kind, name.clone(), why.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(name: String) -> Denial {
        let actor = Actor { name, known: Known::Unverified };
        Denial { actor, object: ("route", "GET /orders/{id}".to_owned()), why: "another's".to_owned(), about: None }
    }

    #[test]
    fn a_flood_of_names_is_counted_within_bounds() {
        let denials = Denials::default();
        let told_apart = (0..10_000).filter(|number| denials.count(denial(format!("mallory-{number}")))).count();
        assert_eq!(denials.waiting(), 10_000, "none is forgotten");
        let counted = denials.lock();
        assert_eq!((counted.len(), told_apart), (TOLD_APART + 1, TOLD_APART));
        let others = counted.values().find(|counted| counted.denial.actor.name == OTHERS).map(|counted| counted.times);
        assert_eq!(others, Some(10_000 - TOLD_APART as u64));
    }
}
