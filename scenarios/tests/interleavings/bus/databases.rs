//! Seven databases in memory, with the same rows that the services load, decide upon and save.

use std::{fmt::Debug, hash::Hash};

use account::Account;
use entitlement::Entitlement;
use inventory::Inventory;
use notification::Notification;
use order::Orders;
use payment::Payment;
use saga::Service;
use shipping::Shipping;

use super::shared::Shared;

/// The rows of every service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Databases {
    pub(crate) order: Shared<order::Register>,
    pub(crate) account: Shared<account::Books>,
    pub(crate) payment: Shared<payment::Books>,
    pub(crate) inventory: Shared<inventory::Warehouse>,
    pub(crate) shipping: Shared<shipping::Depot>,
    pub(crate) entitlement: Shared<entitlement::Shelf>,
    pub(crate) notification: Shared<notification::Correspondence>,
}

/// A service whose database is one of [`Databases`].
pub(crate) trait Keeper: Service<Rows: Debug + Clone + Eq + Hash, Command: Debug + Clone + Eq + Hash> {
    fn database(databases: &mut Databases) -> &mut Shared<Self::Rows>;

    fn rows(databases: &Databases) -> &Self::Rows;

    /// The rows as the next transaction will load them.
    fn saved(rows: Self::Rows) -> Self::Rows;
}

impl Keeper for Orders {
    fn database(databases: &mut Databases) -> &mut Shared<order::Register> {
        &mut databases.order
    }

    fn rows(databases: &Databases) -> &order::Register {
        &databases.order
    }

    fn saved(rows: order::Register) -> order::Register {
        // The timeline is append-only, and no decision depends on it.
        order::Register { purchases: rows.purchases.saved(), history: Vec::new(), ..rows }
    }
}

impl Keeper for Account {
    fn database(databases: &mut Databases) -> &mut Shared<account::Books> {
        &mut databases.account
    }

    fn rows(databases: &Databases) -> &account::Books {
        &databases.account
    }

    fn saved(rows: account::Books) -> account::Books {
        account::Books { balances: rows.balances.saved(), reservations: rows.reservations.saved(), ..rows }
    }
}

impl Keeper for Payment {
    fn database(databases: &mut Databases) -> &mut Shared<payment::Books> {
        &mut databases.payment
    }

    fn rows(databases: &Databases) -> &payment::Books {
        &databases.payment
    }

    fn saved(rows: payment::Books) -> payment::Books {
        payment::Books { transactions: rows.transactions.saved(), ..rows }
    }
}

impl Keeper for Inventory {
    fn database(databases: &mut Databases) -> &mut Shared<inventory::Warehouse> {
        &mut databases.inventory
    }

    fn rows(databases: &Databases) -> &inventory::Warehouse {
        &databases.inventory
    }

    fn saved(rows: inventory::Warehouse) -> inventory::Warehouse {
        inventory::Warehouse { stock: rows.stock.saved(), reservations: rows.reservations.saved() }
    }
}

impl Keeper for Shipping {
    fn database(databases: &mut Databases) -> &mut Shared<shipping::Depot> {
        &mut databases.shipping
    }

    fn rows(databases: &Databases) -> &shipping::Depot {
        &databases.shipping
    }

    fn saved(rows: shipping::Depot) -> shipping::Depot {
        shipping::Depot { shipments: rows.shipments.saved(), ..rows }
    }
}

impl Keeper for Entitlement {
    fn database(databases: &mut Databases) -> &mut Shared<entitlement::Shelf> {
        &mut databases.entitlement
    }

    fn rows(databases: &Databases) -> &entitlement::Shelf {
        &databases.entitlement
    }

    fn saved(rows: entitlement::Shelf) -> entitlement::Shelf {
        entitlement::Shelf { unlocks: rows.unlocks.saved(), ..rows }
    }
}

impl Keeper for Notification {
    fn database(databases: &mut Databases) -> &mut Shared<notification::Correspondence> {
        &mut databases.notification
    }

    fn rows(databases: &Databases) -> &notification::Correspondence {
        &databases.notification
    }

    fn saved(rows: notification::Correspondence) -> notification::Correspondence {
        notification::Correspondence { notices: rows.notices.saved(), ..rows }
    }
}
