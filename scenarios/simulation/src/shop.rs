//! The shop before anybody has ordered: buyers with money, products with stock.

use std::collections::{BTreeMap, BTreeSet};

use account::Balance;
use events::{Currency, Kind, ProductId, UserId};
use inventory::Stock;
use payment::method::Method;
use saga::Rows;
use serde::{Deserialize, Serialize};

use crate::wish::Pay;

/// Places almost all orders, so that they compete for one balance.
pub const BUYER: UserId = UserId(1);
/// An id without an account.
pub const STRANGER: UserId = UserId(2);
/// Has the same money and payment methods; must never pay for the buyer.
pub const NEIGHBOUR: UserId = UserId(3);
pub const DIGITAL: ProductId = ProductId(1);
pub const PHYSICAL: ProductId = ProductId(2);
/// Another digital product.
pub const ANOTHER: ProductId = ProductId(3);
/// Offset to each product's twin, which is sold for points.
pub const FOR_POINTS: i64 = 10;
pub const PRICE: i64 = 100;
/// The only place without delivery.
pub const NOWHERE: &str = "the moon";

/// The resources that every order draws on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shop {
    /// Deposit of each buyer in JPY, and the same in points.
    pub deposit: i64,
    /// Pieces of each product received; None if inventory does not know them.
    pub received: Option<i64>,
    /// Price of one piece of any product.
    pub price: i64,
    /// True if digital products are available; None if entitlement does not know them.
    pub unlocks: Option<bool>,
}

/// Each service's rows.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each is the service of its name")]
pub struct FirstRows {
    pub order: order::Register,
    pub account: account::Books,
    pub payment: payment::Books,
    pub inventory: inventory::Warehouse,
    pub shipping: shipping::Depot,
    pub entitlement: entitlement::Shelf,
    pub notification: notification::Correspondence,
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
    /// Each service's rows.
    pub fn rows(&self) -> FirstRows {
        let products: Vec<_> = products().collect();
        let price = self.price;
        let sold = |&(product, kind, currency)| (product, order::Product { price, currency, kind });
        let stock = self.received.map(|quantity| Stock { quantity, reserved: 0 });
        let stock = products.iter().filter_map(|(product, ..)| Some((*product, stock?)));
        let unlocked = products.iter().filter(|(_, kind, _)| *kind == Kind::Digital);
        FirstRows {
            order: order::Register { catalogue: products.iter().map(sold).collect(), ..order::Register::default() },
            account: account::Books {
                users: BTreeSet::from([BUYER, NEIGHBOUR]),
                balances: Rows::loaded(self.balances()),
                ..account::Books::default()
            },
            payment: payment::Books { methods: methods(), ..payment::Books::default() },
            inventory: inventory::Warehouse { stock: Rows::loaded(stock), reservations: Rows::default() },
            shipping: shipping::Depot { no_service: vec![NOWHERE.to_owned()], ..shipping::Depot::default() },
            entitlement: entitlement::Shelf {
                catalogue: unlocked.filter_map(|(product, ..)| Some((*product, self.unlocks?))).collect(),
                ..entitlement::Shelf::default()
            },
            notification: notification::Correspondence {
                contacts: BTreeMap::from([(BUYER, address(BUYER)), (NEIGHBOUR, address(NEIGHBOUR))]),
                ..notification::Correspondence::default()
            },
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
pub fn address(user: UserId) -> String {
    format!("{user}@home.test")
}
