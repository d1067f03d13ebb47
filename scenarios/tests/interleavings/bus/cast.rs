//! All participants.

use std::time::Duration;

use account::Account;
use entitlement::Entitlement;
use events::{Publisher, publisher};
use inventory::Inventory;
use notification::Notification;
use order::Orders;
use payment::Payment;
use shipping::Shipping;

use super::player::{Part, Player};

/// The seven services. In a mutant, one of them is modified.
pub(crate) struct Cast {
    pub(crate) order: Player<Orders>,
    pub(crate) account: Player<Account>,
    pub(crate) payment: Player<Payment>,
    pub(crate) inventory: Player<Inventory>,
    pub(crate) shipping: Player<Shipping>,
    pub(crate) entitlement: Player<Entitlement>,
    pub(crate) notification: Player<Notification>,
}

impl Default for Cast {
    fn default() -> Self {
        Cast {
            // With a timeout of zero, an order may time out at any moment while it is pending.
            order: Player::new(Orders { timeout: Duration::ZERO, ..Orders::default() }),
            account: Player::new(Account),
            payment: Player::new(Payment),
            inventory: Player::new(Inventory),
            shipping: Player::new(Shipping::default()),
            entitlement: Player::new(Entitlement),
            notification: Player::new(Notification::default()),
        }
    }
}

impl Cast {
    /// A service by name; None for clients.
    pub(crate) fn part(&self, service: Publisher) -> &dyn Part {
        match service {
            publisher::ORDER => &self.order,
            publisher::ACCOUNT => &self.account,
            publisher::PAYMENT => &self.payment,
            publisher::INVENTORY => &self.inventory,
            publisher::SHIPPING => &self.shipping,
            publisher::ENTITLEMENT => &self.entitlement,
            publisher::NOTIFICATION => &self.notification,
            other => panic!("{other} hears nothing"),
        }
    }
}
