//! The laws: invariants of the saga under every interleaving.

mod contents;
pub(crate) mod endings;
mod reasons;
mod sequence;
mod stores;
mod told;

use events::OrderId;
use order::Status;
use scenarios::audit::Finding;

use crate::{
    bus::{Bus, Change, Memory, Saga, Shared, World},
    rows,
    shop::Shop,
};

/// Results of the laws about a single database, by its rows.
#[derive(Default)]
pub(crate) struct Judged {
    balances: Memory<Shared<account::Books>, Result<(), String>>,
    stock: Memory<(Shared<inventory::Warehouse>, bool), Result<(), String>>,
    orders: Memory<(Shared<order::Register>, OrderId, bool), Result<(), String>>,
}

/// A law: `Err` says how it is broken.
pub(crate) struct Law {
    pub(crate) name: &'static str,
    pub(crate) holds: fn(&Shop, &Bus, &World) -> Result<(), String>,
}

/// All laws.
pub(crate) const LAWS: [&Law; 13] = [
    &NO_FAULT, &SAID_ONCE, &ENDS_ONCE, &IN_ORDER, &MONEY, &STOCK, &ENDS_LAST, &REASONS, &CONTENTS, &BRANCHES, &TOLD,
    &GOES_ON, &AT_REST,
];

// In every state:

pub(crate) const NO_FAULT: Law =
    Law { name: "what cannot happen does not happen", holds: |_, _, world| world.fault.clone().map_or(Ok(()), Err) };
pub(crate) const SAID_ONCE: Law =
    Law { name: "every event is said once", holds: |_, _, world| each(world, sequence::said_once) };
pub(crate) const ENDS_ONCE: Law =
    Law { name: "an order ends once, and so does every step", holds: |_, _, world| each(world, sequence::ends_once) };
pub(crate) const IN_ORDER: Law = Law {
    name: "steps are taken in order, and undone in reverse order",
    holds: |_, _, world| each(world, sequence::in_order),
};
pub(crate) const MONEY: Law = Law {
    name: "money is conserved, and never negative",
    holds: |shop, bus, world| {
        bus.judged.balances.recall(world.databases.account.clone(), |_| stores::money(shop, world))
    },
};
pub(crate) const STOCK: Law = Law {
    name: "stock is conserved, and never negative",
    holds: |shop, bus, world| {
        let key = (world.databases.inventory.clone(), world.changes.contains(&Change::Restocked));
        bus.judged.stock.recall(key, |_| stores::stock(shop, world))
    },
};
pub(crate) const ENDS_LAST: Law = Law {
    name: "an order ends when all of it is done, or all of it undone",
    holds: |_, _, world| if some_order_has_ended(world) { nothing_found(rows::disagreements(world)) } else { Ok(()) },
};
pub(crate) const REASONS: Law = Law {
    name: "the reason is that of the run's first cause, and a service has said it",
    holds: |_, _, world| each(world, |saga| reasons::passed_on(saga).and_then(|()| reasons::kept(saga, world))),
};
pub(crate) const CONTENTS: Law = Law {
    name: "everyone has the same buyer, items and amounts",
    holds: |shop, bus, world| {
        contents::parcels_differ(world)?;
        each(world, |saga| contents::agree(shop, bus, world, saga))
    },
};
pub(crate) const BRANCHES: Law = Law {
    name: "shipping and entitlement answer each for itself",
    holds: |_, _, world| each(world, |saga| contents::branches(saga, world)),
};
pub(crate) const TOLD: Law = Law {
    name: "the buyer is told what has become of the order and of the money",
    holds: |_, _, world| each(world, |saga| told::truth(saga, world)),
};

// And eventually:

pub(crate) const GOES_ON: Law = Law {
    name: "something goes on, or somebody can do something, until everything is at rest",
    holds: |_, bus, world| endings::goes_on(bus, world),
};
pub(crate) const AT_REST: Law = Law {
    name: "at rest, every order has ended, nothing is held and all books agree",
    holds: |shop, bus, world| {
        if endings::is_final(bus, world) { endings::at_rest(shop, world) } else { Ok(()) }
    },
};

fn each(world: &World, law: impl Fn(&Saga) -> Result<(), String>) -> Result<(), String> {
    world.sagas.iter().try_for_each(|saga| law(saga))
}

fn some_order_has_ended(world: &World) -> bool {
    let mut purchases = world.databases.order.purchases.iter();
    purchases.any(|(_, purchase)| !matches!(purchase.status, Status::Pending | Status::Cancelling))
}

fn nothing_found(findings: Vec<Finding>) -> Result<(), String> {
    findings.into_iter().next().map_or(Ok(()), |finding| Err(finding.what))
}
