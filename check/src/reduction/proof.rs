//! What was assumed about a service, tried for all rows that its inputs may lead to.

use rustc_hash::FxHashSet;

use crate::universe::{Effect, Input, Universe};

/// Number of states of one service's rows that are tried. With more of them, nothing is proved.
const MOST_ROWS: usize = 50_000;

/// All rows that any sequence of these inputs leads to; `None` if they are too many.
pub(super) fn reachable(
    universe: &mut Universe<'_>,
    service: usize,
    inputs: &[(Input, usize, usize)],
) -> Option<Vec<u32>> {
    let mut all = vec![0];
    let mut known: FxHashSet<u32> = FxHashSet::from_iter([0]);
    let mut at = 0;
    while let Some(rows) = all.get(at).copied() {
        at += 1;
        for (input, ..) in inputs {
            if let Ok(effect) = universe.outcome(service, rows, *input).as_ref()
                && known.insert(effect.rows)
            {
                all.push(effect.rows);
            }
        }
        if all.len() > MOST_ROWS {
            return None;
        }
    }
    Some(all)
}

/// Returns whether two inputs lead to the same in either order: the same decisions, and the same rows.
pub(super) fn commute(universe: &mut Universe<'_>, service: usize, rows: u32, one: Input, other: Input) -> bool {
    let (first, second) = (universe.outcome(service, rows, one), universe.outcome(service, rows, other));
    match (first.as_ref(), second.as_ref()) {
        (Ok(first), Ok(second)) => {
            let second_then = universe.outcome(service, first.rows, other);
            let first_then = universe.outcome(service, second.rows, one);
            match (first_then.as_ref(), second_then.as_ref()) {
                (Ok(first_then), Ok(second_then)) => {
                    first_then.rows == second_then.rows && same(first, first_then) && same(second, second_then)
                }
                (Ok(_) | Err(_), _) => false,
            }
        }
        // What is wrong first is wrong second.
        (Err(_), Ok(second)) => universe.outcome(service, second.rows, one).is_err(),
        (Ok(first), Err(_)) => universe.outcome(service, first.rows, other).is_err(),
        (Err(_), Err(_)) => true,
    }
}

fn same(one: &Effect, other: &Effect) -> bool {
    let told = |effect: &Effect| (effect.saga, effect.says.clone(), effect.asks.clone(), effect.change);
    one.decision == other.decision && told(one) == told(other)
}
