//! All services agree on the contents of an order.

use std::collections::BTreeMap;

use events::{Kind, Order, OrderId, ProductId, request::OrderRequested};
use order::{Branch, Fingerprint};
use payment::calls::{Call, Charge};

use crate::{
    bus::{Bus, Change, DEARER, Saga, World},
    shop::Shop,
};

/// Buyer, items and amounts are those of the request, in every event and in every row.
pub(super) fn agree(shop: &Shop, bus: &Bus, world: &World, saga: &Saga) -> Result<(), String> {
    let Some(facts) = saga.facts(&world.databases) else { return Ok(()) };
    events(saga, &facts)?;
    rows(world, &facts)?;
    let dearer = world.changes.contains(&Change::Dearer);
    let key = (world.databases.order.clone(), saga.order_id, dearer);
    bus.judged.orders.recall(key, |_| requested(shop, bus, world, saga, &facts))
}

fn events(saga: &Saga, facts: &Order) -> Result<(), String> {
    for event in saga.events() {
        let (content, name) = (&event.content, event.said.event_type);
        check(event.said.saga_id == saga.order_id, || format!("{name} goes to another order"))?;
        let same = content.order.as_ref().is_none_or(|order| order == facts);
        check(same, || format!("{name} says {:?}, but ordered was {facts:?}", content.order))?;
        let refused = content.product_id.is_none_or(|product| quantities(facts).contains_key(&product));
        check(refused, || format!("{name} is about a product that was not ordered"))?;
        let amount = content.amount.is_none_or(|amount| amount == facts.total);
        check(amount, || format!("{name} says {:?}, but {} was taken", content.amount, facts.total))?;
        let parcel = shipping::tracking_no(facts.order_id);
        let tracked = content.tracking_no.as_ref().is_none_or(|tracking_no| *tracking_no == parcel);
        check(tracked, || format!("{name} is about another parcel"))?;
    }
    for call in saga.attempts.iter().filter(|call| call.wanted.kind == Call::Authorize.as_str()) {
        let charge = Charge::read(&call.wanted.request).map_err(|error| error.to_string())?;
        let charged = (charge.amount, charge.currency, charge.payment_method_id);
        let right = charged == (facts.total, facts.currency, facts.payment_method_id);
        check(right, || format!("{charged:?} is charged, but ordered was {facts:?}"))?;
    }
    Ok(())
}

fn rows(world: &World, facts: &Order) -> Result<(), String> {
    let (id, databases) = (&facts.order_id, &world.databases);
    let differs = |step: &str| format!("the {step} is not that of {facts:?}");
    if let Some(row) = databases.account.reservations.get(id) {
        let right = (row.user_id, row.currency, row.amount) == (facts.user_id, facts.currency, facts.total);
        check(right, || differs("reservation of the balance"))?;
    }
    if let Some(row) = databases.payment.transactions.get(id) {
        check(row.order == *facts, || differs("payment"))?;
    }
    if let Some(row) = databases.inventory.reservations.get(id) {
        check(row.items == quantities(facts), || differs("reservation of stock"))?;
    }
    if let Some(row) = databases.shipping.shipments.get(id) {
        check(row.ship_to == facts.ship_to, || differs("parcel's address"))?;
        let tracking_no = row.tracking_no.as_deref();
        check(tracking_no.is_none_or(|no| no == shipping::tracking_no(*id)), || differs("parcel's number"))?;
    }
    if let Some(row) = databases.entitlement.unlocks.get(id) {
        let unlocked = facts.items_of(Kind::Digital).map(|item| item.product_id);
        let right = row.user_id == facts.user_id && row.products.iter().copied().eq(unlocked);
        check(right, || differs("unlock"))?;
    }
    Ok(())
}

/// The order matches the request, at the prices of one moment.
fn requested(shop: &Shop, bus: &Bus, world: &World, saga: &Saga, facts: &Order) -> Result<(), String> {
    let Some(purchase) = world.databases.order.purchases.get(&saga.order_id) else { return Ok(()) };
    let Some(known) = purchase.request else { return Ok(()) };
    let first = saga.events().find_map(|event| event.content.request.clone());
    let other = bus.may.other_request.as_ref().and_then(|said| serde_json::from_str(&said.payload).ok());
    let mut requests = [first, other].into_iter().flatten();
    let request: OrderRequested =
        requests.find(|request| Fingerprint::of(request) == known).ok_or("nobody has asked for this order")?;
    let buyer = (facts.user_id, facts.payment_method_id) == (request.user_id, request.payment_method_id);
    check(buyer, || format!("{:?} was asked for, and {facts:?} is ordered", request))?;
    // A rejected order is never priced.
    if facts.items.is_empty() {
        return Ok(());
    }
    let mut wanted = BTreeMap::<ProductId, i64>::new();
    for line in &request.items {
        *wanted.entry(line.product_id).or_default() += line.quantity;
    }
    let travels = facts.ship_to == request.ship_to.filter(|_| facts.has(Kind::Physical));
    check(wanted == quantities(facts) && travels, || format!("{:?} were asked for, {facts:?} is ordered", wanted))?;
    let dearer = world.changes.contains(&Change::Dearer).then_some(shop.price + DEARER);
    let priced = |price| facts.items.iter().all(|item| item.unit_price == price);
    check(priced(shop.price) || dearer.is_some_and(priced), || format!("{facts:?} has prices of its own"))?;
    let total: i64 = facts.items.iter().map(|item| item.quantity * item.unit_price).sum();
    check(facts.total == total, || format!("{} for {total}", facts.total))
}

/// The order service's state of each branch is backed by that branch's events.
pub(super) fn branches(saga: &Saga, world: &World) -> Result<(), String> {
    let Some(purchase) = world.databases.order.purchases.get(&saga.order_id) else { return Ok(()) };
    let words = |branch: Branch, [done, refused, undone]: [&'static str; 3]| match branch {
        Branch::Open => None,
        Branch::Done => Some(done),
        Branch::Refused => Some(refused),
        Branch::Undone => Some(undone),
    };
    let parcel = ["ShipmentArranged", "ShipmentRejected", "ShipmentCancelled"];
    let unlock = ["EntitlementGranted", "EntitlementRejected", "EntitlementRevoked"];
    for (branch, event_types) in [(purchase.fulfilment.parcel, parcel), (purchase.fulfilment.unlock, unlock)] {
        let Some(wanted) = branch.and_then(|branch| words(branch, event_types)) else { continue };
        check(saga.said().any(|said| said == wanted), || format!("the order counts {wanted}, which nobody has said"))?;
    }
    Ok(())
}

fn quantities(facts: &Order) -> BTreeMap<ProductId, i64> {
    facts.items.iter().map(|item| (item.product_id, item.quantity)).collect()
}

fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// No two parcels have the same number.
pub(super) fn parcels_differ(world: &World) -> Result<(), String> {
    let mut numbers = BTreeMap::<&str, OrderId>::new();
    for (order, row) in world.databases.shipping.shipments.iter() {
        let Some(tracking_no) = &row.tracking_no else { continue };
        check(numbers.insert(tracking_no, *order).is_none(), || format!("{tracking_no} is the number of two parcels"))?;
    }
    Ok(())
}
