//! Laws, and those that hold for every saga.

use crate::{
    Check,
    progress::Standing,
    universe::Universe,
    world::{View, World},
};

type Holds = dyn Fn(&View<'_>) -> Result<(), String>;

/// A law.
pub(crate) struct Law {
    pub(crate) name: &'static str,
    /// True if it holds only when nothing is under way.
    pub(crate) at_rest: bool,
    pub(crate) holds: Box<Holds>,
}

/// Broken by a decision that is impossible, panics, or says what its table does not list.
pub(crate) const DECIDED: &str = "every decision is possible, and says what its table lists";
pub(crate) const SAID_ONCE: &str = "nothing is said twice";
pub(crate) const ONE_END: &str = "a saga ends once";
pub(crate) const IN_REVERSE: &str = "steps are undone in reverse";
pub(crate) const ASKED_ONCE: &str = "a call is asked for with one request";
const AN_END: &str = "every saga ends";
const NOTHING_HELD: &str = "nothing stays held";

/// Checks a state; returns the first broken law, and how it is broken. `seen` gets the services that a law of any state asks
/// for: a mask for each law.
pub(crate) fn broken(
    universe: &Universe<'_>,
    world: &World,
    is_at_rest: bool,
    seen: &mut Vec<u64>,
) -> Option<(&'static str, String)> {
    if is_at_rest && let Some(broken) = left(universe, world) {
        return Some(broken);
    }
    let laws = &universe.check.laws;
    seen.resize(laws.len(), 0);
    for (law, seen) in laws.iter().zip(seen).filter(|(law, _)| is_at_rest || !law.at_rest) {
        let view = View::new(universe, world);
        let held = (law.holds)(&view);
        if !law.at_rest {
            *seen |= view.asked.get();
        }
        if let Err(how) = held {
            return Some((law.name, how));
        }
    }
    None
}

/// Returns whether a law that looks at one service holds for all these rows of it.
pub(crate) fn holds(universe: &Universe<'_>, law: usize, service: usize, rows: &[u32]) -> bool {
    let services = universe.check.players.len();
    rows.iter().all(|number| {
        let mut all = vec![0; services];
        all[service] = *number;
        let world = World::of(&all, &[]);
        let view = View::new(universe, &world);
        (universe.check.laws[law].holds)(&view).is_ok() && view.asked.get() & !(1 << service) == 0
    })
}

/// What sagas leave behind at rest, where the tables say how sagas end and which steps they have.
fn left(universe: &Universe<'_>, world: &World) -> Option<(&'static str, String)> {
    let knows_ends = universe.check.players.iter().any(|player| player.knows_ends());
    for (number, saga) in world.sagas().iter().enumerate() {
        let (saga, id) = (universe.between.get(*saga), universe.saga_id(number));
        let has_ended = saga.said().any(|event| universe.event(event).end.is_some());
        if knows_ends && saga.has_begun() && !has_ended {
            return Some((AN_END, format!("{id} has come to rest without an end")));
        }
        if let Some(step) = saga.steps.iter().position(|step| step.standing == Standing::Held) {
            let name = step_name(universe.check, universe.steps[step]);
            return Some((NOTHING_HELD, format!("{name} is still held for {id}")));
        }
    }
    None
}

/// A step in words.
pub(crate) fn step_name(check: &Check, (service, step): (usize, Option<&'static str>)) -> String {
    let service = check.players[service].name();
    step.map_or_else(|| format!("`{service}`'s step"), |step| format!("`{step}` of `{service}`"))
}
