//! Operators who do what they must not.

use super::{Mutant, by_card};
use crate::{bus::Disturbances, laws::AT_REST};

/// A parked call is dropped, as if nobody waited for its answer.
#[test]
fn a_parked_call_can_be_dropped() {
    let may = Disturbances { calls_park: true, drops_calls: true, ..Disturbances::default() };
    Mutant::of(by_card(), |_| {}).amid(may).caught_by(&AT_REST);
}
