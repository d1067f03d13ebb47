//! Denied requests: counted, and recorded as one entry for each actor and route in a span of time, so that an attacker can fill
//! neither the log nor our memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    act::{Act, Actor, Known},
    recorder::Recorder,
};

/// Time between two entries about the same actor and route.
pub const EVERY: Duration = Duration::from_secs(60);
/// Actors and routes that are told apart within that time; further ones are counted together.
const TOLD_APART: usize = 100;
/// Actor and route of those that are counted together.
const OTHERS: &str = "others";

/// A denied request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The actor, as far as it is known.
    pub actor: Actor,
    /// The route as the program has it, such as `GET /orders/{id}`; never what the client sent.
    pub route: &'static str,
    /// Status of the answer, such as 403.
    pub status: u16,
}

/// Name of the actor and its proof, route and status.
type Key = (String, &'static str, &'static str, u16);

/// Counts denials.
#[derive(Debug, Default)]
pub struct Denials {
    counted: Mutex<BTreeMap<Key, (Actor, u64)>>,
}

impl Denials {
    /// Counts a denial. Does not wait, and takes a bounded amount of memory.
    pub fn count(&self, denial: Denial) {
        self.add(denial, 1);
    }

    fn add(&self, Denial { mut actor, route, status }: Denial, times: u64) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        actor.name = crate::text::bounded(&actor.name, 200);
        let mut key = (actor.name.clone(), actor.known.as_str(), route, status);
        if counted.len() >= TOLD_APART && !counted.contains_key(&key) {
            actor = Actor { name: OTHERS.to_owned(), known: Known::Unverified };
            key = (actor.name.clone(), actor.known.as_str(), OTHERS, status);
        }
        counted.entry(key).or_insert((actor, 0)).1 += times;
    }

    /// Records what was counted since the last time: one entry for each actor, route and status. Call it every [`EVERY`], and
    /// before the program ends. Returns the number of entries.
    ///
    /// # Errors
    /// If the log does not take them; they are counted on, and recorded the next time.
    pub async fn record(&self, recorder: &Recorder) -> anyhow::Result<usize> {
        let counted = std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        let mut rest = counted.into_iter();
        let mut entries = 0;
        while let Some(((_, _, route, status), (actor, times))) = rest.next() {
            let act = Act::new(actor.clone(), "denied", "route", route);
            let noted = recorder.note(&act.with(serde_json::json!({ "status": status, "times": times }))).await;
            if let Err(error) = noted {
                self.add(Denial { actor, route, status }, times);
                for ((_, _, route, status), (actor, times)) in rest {
                    self.add(Denial { actor, route, status }, times);
                }
                return Err(error);
            }
            entries += 1;
        }
        Ok(entries)
    }

    /// Number of denials that are counted and not yet recorded.
    pub fn waiting(&self) -> u64 {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).values().map(|(_, times)| times).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_names_is_counted_within_bounds() {
        let denials = Denials::default();
        for number in 0..10_000 {
            let actor = Actor { name: format!("mallory-{number}"), known: Known::Unverified };
            denials.count(Denial { actor, route: "GET /orders/{id}", status: 401 });
        }
        assert_eq!(denials.waiting(), 10_000, "none is forgotten");
        let counted = denials.counted.lock().unwrap();
        assert_eq!(counted.len(), TOLD_APART + 1);
        let others = counted.iter().find(|((name, ..), _)| name == OTHERS).map(|(_, (_, times))| *times);
        assert_eq!(others, Some(10_000 - TOLD_APART as u64));
    }
}
