//! Presents a world in the form that the audit of the real system reads, so that the same audit judges both.

use scenarios::audit::{self, Booking, Finding};
use simulation::books::{self, Stores};

use crate::{
    bus::{Change, World},
    shop::Shop,
};

/// All findings of the audit in a world at rest.
pub(crate) fn audit(shop: &Shop, world: &World) -> Vec<Finding> {
    let bookings: Vec<Booking> = world.sagas.iter().flat_map(|saga| saga.gateway.bookings(saga.order_id)).collect();
    let stores = stores(world);
    let invariants = audit::judge(&books::steps(stores), &books::ledgers(shop, restocked(world), stores), &bookings);
    invariants.into_iter().flat_map(|invariant| invariant.findings).collect()
}

/// Every step that does not fit its order's end.
pub(crate) fn disagreements(world: &World) -> Vec<Finding> {
    audit::steps_agree(&books::steps(stores(world))).findings
}

/// Pieces of each product that operators have received.
pub(crate) fn restocked(world: &World) -> i64 {
    i64::from(world.changes.contains(&Change::Restocked))
}

fn stores(world: &World) -> Stores<'_> {
    let databases = &world.databases;
    Stores {
        order: &databases.order,
        account: &databases.account,
        payment: &databases.payment,
        inventory: &databases.inventory,
        shipping: &databases.shipping,
        entitlement: &databases.entitlement,
        notification: &databases.notification,
    }
}
