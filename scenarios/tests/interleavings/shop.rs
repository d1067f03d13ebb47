//! The initial state: buyers with money, products with stock, and wishes.

use std::collections::{BTreeMap, BTreeSet};

use account::Balance;
use events::{Currency, Kind, ProductId, UserId};
use inventory::Stock;
use payment::method::Method;
use saga::{Rows, Said};

use crate::{
    bus::{Cast, Databases, Shared, World},
    wish::{Pay, Wish},
};

/// Places almost all orders, so that they compete for one balance.
pub(crate) const BUYER: UserId = UserId(1);
/// An id without an account.
pub(crate) const STRANGER: UserId = UserId(2);
/// Has the same money and payment methods; must never pay for the buyer.
pub(crate) const NEIGHBOUR: UserId = UserId(3);
pub(crate) const DIGITAL: ProductId = ProductId(1);
pub(crate) const PHYSICAL: ProductId = ProductId(2);
/// Another digital product.
pub(crate) const ANOTHER: ProductId = ProductId(3);
/// Offset to each product's twin, which is sold for points.
pub(crate) const FOR_POINTS: i64 = 10;
pub(crate) const PRICE: i64 = 100;
/// The only place without delivery.
pub(crate) const NOWHERE: &str = "the moon";

/// The resources that every order draws on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shop {
    /// Deposit of each buyer in JPY, and the same in points.
    pub(crate) deposit: i64,
    /// Pieces of each product received; None if inventory does not know them.
    pub(crate) received: Option<i64>,
    /// Price of one piece of any product.
    pub(crate) price: i64,
    /// True if digital products are available; None if entitlement does not know them.
    pub(crate) unlocks: Option<bool>,
}

impl Default for Shop {
    /// Enough of everything for a few orders.
    fn default() -> Self {
        Shop { deposit: 1000, received: Some(5), price: PRICE, unlocks: Some(true) }
    }
}

/// Every product of the order service's catalogue.
fn products() -> impl Iterator<Item = (ProductId, Kind, Currency)> {
    let kinds = [(DIGITAL, Kind::Digital), (PHYSICAL, Kind::Physical), (ANOTHER, Kind::Digital)];
    kinds.into_iter().flat_map(|(product, kind)| {
        [(product, kind, Currency::JPY), (ProductId(product.0 + FOR_POINTS), kind, Currency::PTS)]
    })
}

impl Shop {
    /// The initial state: these wishes are published and unread.
    pub(crate) fn open(&self, wishes: &[Wish], cast: &Cast) -> World {
        let requests: Vec<Said> = wishes.iter().enumerate().map(|(nth, wish)| wish.said(nth)).collect();
        World::new(self.databases(), requests, cast)
    }

    fn databases(&self) -> Databases {
        let products: Vec<_> = products().collect();
        let price = self.price;
        let sold = |&(product, kind, currency)| (product, order::Product { price, currency, kind });
        let stock = self.received.map(|quantity| Stock { quantity, reserved: 0 });
        let stock = products.iter().filter_map(|(product, ..)| Some((*product, stock?)));
        let unlocked = products.iter().filter(|(_, kind, _)| *kind == Kind::Digital);
        Databases {
            order: Shared::new(order::Register {
                catalogue: products.iter().map(sold).collect(),
                ..order::Register::default()
            }),
            account: Shared::new(account::Books {
                users: BTreeSet::from([BUYER, NEIGHBOUR]),
                balances: Rows::loaded(self.balances()),
                reservations: Rows::default(),
            }),
            payment: Shared::new(payment::Books { methods: methods(), transactions: Rows::default() }),
            inventory: Shared::new(inventory::Warehouse { stock: Rows::loaded(stock), reservations: Rows::default() }),
            shipping: Shared::new(shipping::Depot {
                no_service: vec![NOWHERE.to_owned()],
                ..shipping::Depot::default()
            }),
            entitlement: Shared::new(entitlement::Shelf {
                catalogue: unlocked.filter_map(|(product, ..)| Some((*product, self.unlocks?))).collect(),
                ..entitlement::Shelf::default()
            }),
            notification: Shared::new(notification::Correspondence {
                contacts: BTreeMap::from([(BUYER, address(BUYER)), (NEIGHBOUR, address(NEIGHBOUR))]),
                ..notification::Correspondence::default()
            }),
        }
    }

    fn balances(&self) -> impl Iterator<Item = ((UserId, Currency), Balance)> {
        let balance = Balance { balance: self.deposit, reserved: 0 };
        let purses = [BUYER, NEIGHBOUR].into_iter().flat_map(|user| [(user, Currency::JPY), (user, Currency::PTS)]);
        purses.map(move |purse| (purse, balance))
    }
}

fn methods() -> BTreeMap<events::PaymentMethodId, Method> {
    let of = |user_id| {
        Pay::METHODS.into_iter().map(move |pay| {
            let (method_type, token) = pay.means();
            (pay.id(user_id), Method { user_id, method_type, details: token.map(str::to_owned) })
        })
    };
    of(BUYER).chain(of(NEIGHBOUR)).collect()
}

/// The mail address of a user.
pub(crate) fn address(user: UserId) -> String {
    format!("{user}@home.test")
}
