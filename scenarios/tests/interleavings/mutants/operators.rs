//! Mutants in which operators do what is forbidden.

use super::{Mutant, by_card, by_wallet};
use crate::{
    bus::{Disturbances, LEDGER_LAST, ORDERS_FIRST},
    laws::{AT_REST, NO_FAULT, REASONS},
};

/// A parked call is dropped although its answer is needed.
#[test]
fn a_parked_call_can_be_dropped() {
    let may = Disturbances { calls_park: true, drops_calls: true, ..Disturbances::default() };
    Mutant::of(by_card(), |_| {}).amid(may).caught_by(&AT_REST);
}

/// Reconcile reads the orders first, and its events count in whatever state the order is by then.
#[test]
fn reconcile_reads_the_orders_first_and_says_blindly() {
    let may = Disturbances { torn: Some(ORDERS_FIRST), says_blindly: true, ..Disturbances::default() };
    Mutant::of(by_wallet(), |_| {}).amid(may).caught_by(&REASONS);
}

/// Reconcile reads the provider's ledger last, and releases a charge for which it has seen no payment.
#[test]
fn reconcile_reads_the_ledger_last() {
    let may = Disturbances { torn: Some(LEDGER_LAST), ..Disturbances::default() };
    Mutant::of(by_card(), |_| {}).amid(may).caught_by(&NO_FAULT);
}
