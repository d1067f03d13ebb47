//! Operators who do what they must not.

use super::{Mutant, by_card, by_wallet};
use crate::{
    bus::{Disturbances, LEDGER_LAST, ORDERS_FIRST},
    laws::{AT_REST, NO_FAULT, REASONS},
};

/// A parked call is dropped, as if nobody waited for its answer.
#[test]
fn a_parked_call_can_be_dropped() {
    let may = Disturbances { calls_park: true, drops_calls: true, ..Disturbances::default() };
    Mutant::of(by_card(), |_| {}).amid(may).caught_by(&AT_REST);
}

/// Reconcile reads the orders first, and what it says counts however an order stands by then.
#[test]
fn reconcile_reads_the_orders_first_and_says_blindly() {
    let may = Disturbances { torn: Some(ORDERS_FIRST), says_blindly: true, ..Disturbances::default() };
    Mutant::of(by_wallet(), |_| {}).amid(may).caught_by(&REASONS);
}

/// Reconcile reads the provider's ledger last, and lets go of a charge that it has seen no payment for.
#[test]
fn reconcile_reads_the_ledger_last() {
    let may = Disturbances { torn: Some(LEDGER_LAST), ..Disturbances::default() };
    Mutant::of(by_card(), |_| {}).amid(may).caught_by(&NO_FAULT);
}
