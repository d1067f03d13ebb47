//! How everything ends.

use order::Status;
use payment_gateway::payment::Operation;

use super::nothing_found;
use crate::{
    bus::{Action, Bus, Saga, What, World},
    rows,
    shop::Shop,
};

/// No order waits forever: everything unread is read eventually, every open call is answered or given up, and everything else has
/// somebody who can act on it.
pub(super) fn goes_on(bus: &Bus, world: &World) -> Result<(), String> {
    if world.has_unread() || world.is_at_rest() || world.fault.is_some() {
        return Ok(());
    }
    let happens = |what: What| what.is_owed() || what.is_an_operators() || matches!(what, What::GiveUp { .. });
    let mut steps = bus.steps(world).into_iter().filter(|step| happens(step.what));
    if steps.any(|step| bus.take(world, step).is_some()) {
        Ok(())
    } else {
        Err("a call or a parked event waits for ever".to_owned())
    }
}

/// Tells whether nothing more can happen, and no operator or deadline has anything left to do.
pub(crate) fn is_final(bus: &Bus, world: &World) -> bool {
    if !world.is_at_rest() {
        return false;
    }
    let step = |order, what| bus.take(world, Action { order, what }).is_some();
    let acted_upon = |order| step(order, What::TimeOut) || step(order, What::Repair);
    !bus.may.repairs || !(0..world.sagas.len()).any(acted_upon)
}

pub(super) fn at_rest(shop: &Shop, world: &World) -> Result<(), String> {
    for saga in &world.sagas {
        world.databases.order.purchases.get(&saga.order_id).ok_or("the request was lost")?;
    }
    let mut findings = rows::audit(shop, world);
    // If a provider has refunded a buyer who has the goods, an operator has to act, so the audit must report it.
    for saga in world.sagas.iter().filter(|saga| took_back(saga, world)) {
        let about = |what: &str| what.contains("CONFIRMED, but refunded to the gateway");
        let place = findings.iter().position(|found| found.order == Some(saga.order_id) && about(&found.what));
        findings.remove(place.ok_or("the provider has refunded a completed order, and nobody notices")?);
    }
    nothing_found(findings)
}

fn took_back(saga: &Saga, world: &World) -> bool {
    let purchase = world.databases.order.purchases.get(&saga.order_id);
    let completed = purchase.is_some_and(|purchase| purchase.status == Status::Completed);
    completed && saga.gateway.has_acted(Operation::Refund)
}
