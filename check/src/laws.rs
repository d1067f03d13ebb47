//! Laws, and those that hold for every saga.

use std::collections::BTreeSet;

use crate::{Check, world::View};

type Holds = dyn Fn(&View<'_>) -> Result<(), String>;

/// A law.
pub(crate) struct Law {
    pub(crate) name: &'static str,
    /// True if it holds only when nothing is under way.
    pub(crate) at_rest: bool,
    pub(crate) holds: Box<Holds>,
}

/// Name of the law that a decision breaks which is impossible, panics, or says what its table does not list.
pub(crate) const DECIDED: &str = "every decision is possible, and says what its table lists";

/// Checks a state; returns the name of the first broken law, and how it is broken.
pub(crate) fn broken(check: &Check, view: &View<'_>, is_at_rest: bool) -> Option<(&'static str, String)> {
    let own = |name, holds: fn(&View<'_>) -> Result<(), String>| holds(view).err().map(|how| (name, how));
    let built_in = own("nothing is said twice", nothing_is_said_twice)
        .or_else(|| own("a saga ends once", no_saga_ends_twice))
        .or_else(|| if is_at_rest { own("every saga ends", every_saga_ends) } else { None });
    built_in.or_else(|| {
        let laws = check.laws.iter().filter(|law| is_at_rest || !law.at_rest);
        laws.into_iter().find_map(|law| (law.holds)(view).err().map(|how| (law.name, how)))
    })
}

fn nothing_is_said_twice(view: &View<'_>) -> Result<(), String> {
    let mut said = BTreeSet::new();
    for event in view.said() {
        if !said.insert((event.publisher, event.event_type, event.saga, &event.data)) {
            return Err(format!("`{}` says `{}` of {} again", view.publisher(event), event.event_type, event.saga));
        }
    }
    Ok(())
}

fn no_saga_ends_twice(view: &View<'_>) -> Result<(), String> {
    let mut ended = BTreeSet::new();
    for event in view.said().filter(|event| event.end.is_some()) {
        if !ended.insert(event.saga) {
            return Err(format!("{} ends again with `{}`", event.saga, event.event_type));
        }
    }
    Ok(())
}

/// Where the tables say how sagas end.
fn every_saga_ends(view: &View<'_>) -> Result<(), String> {
    if !view.check.players.iter().any(|player| player.knows_ends()) {
        return Ok(());
    }
    let ended: BTreeSet<_> = view.said().filter(|event| event.end.is_some()).map(|event| event.saga).collect();
    match view.sagas().into_iter().find(|saga| !ended.contains(saga)) {
        Some(saga) => Err(format!("{saga} has come to rest without an end")),
        None => Ok(()),
    }
}
