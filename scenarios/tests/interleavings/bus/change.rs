//! Changes that operators make to the services' own data while orders are in flight.

use events::ProductId;
use payment::method::MethodType;

use super::{databases::Databases, shared::Shared};

/// A change that is made once, at any moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Change {
    /// Every price rises.
    Dearer,
    /// Every product is removed from the order service's catalogue.
    Delisted,
    /// One more piece of every product is received.
    Restocked,
    /// No digital product is available any more.
    Discontinued,
    /// No place is served any more.
    NoDelivery,
    /// All payment methods are removed.
    MethodsGone,
    /// All payment methods become wallets.
    MethodsReplaced,
    /// Every buyer moves to another address.
    Moved,
}

/// Increase of every price.
pub(crate) const DEARER: i64 = 7;

impl Change {
    pub(crate) const ALL: [Change; 8] = [
        Change::Dearer,
        Change::Delisted,
        Change::Restocked,
        Change::Discontinued,
        Change::NoDelivery,
        Change::MethodsGone,
        Change::MethodsReplaced,
        Change::Moved,
    ];

    pub(super) fn happen(self, databases: &mut Databases) {
        match self {
            Change::Dearer => change(&mut databases.order, |order| {
                order.catalogue.values_mut().for_each(|product| product.price += DEARER);
            }),
            Change::Delisted => change(&mut databases.order, |order| order.catalogue.clear()),
            Change::Restocked => change(&mut databases.inventory, |inventory| {
                let products: Vec<ProductId> = inventory.stock.iter().map(|(product, _)| *product).collect();
                for product in products {
                    inventory.stock.get_mut(&product).expect("it is there").quantity += 1;
                }
                inventory.stock = std::mem::take(&mut inventory.stock).saved();
            }),
            Change::Discontinued => change(&mut databases.entitlement, |entitlement| {
                entitlement.catalogue.values_mut().for_each(|unlocks| *unlocks = false);
            }),
            Change::NoDelivery => change(&mut databases.shipping, |shipping| shipping.no_service.push(String::new())),
            Change::MethodsGone => change(&mut databases.payment, |payment| payment.methods.clear()),
            Change::MethodsReplaced => change(&mut databases.payment, |payment| {
                for method in payment.methods.values_mut() {
                    (method.method_type, method.details) = (MethodType::Wallet, None);
                }
            }),
            Change::Moved => change(&mut databases.notification, |notification| {
                notification.contacts.values_mut().for_each(|address| address.insert_str(0, "new."));
            }),
        }
    }
}

fn change<T: Clone + std::hash::Hash>(database: &mut Shared<T>, change: impl FnOnce(&mut T)) {
    let mut rows = T::clone(database);
    change(&mut rows);
    *database = Shared::new(rows);
}
