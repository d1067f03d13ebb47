//! What there is before anything happens: buyers with money, products with stock, and wishes.

use std::collections::{BTreeMap, BTreeSet};

use account::Balance;
use events::{
    Currency, Kind, OrderId, PaymentMethodId, ProductId, Publisher, UserId,
    request::{ORDER_REQUESTED, OrderRequested, RequestedItem},
};
use inventory::Stock;
use kit::{Rows, says::Said};
use payment::method::{Method, MethodType};
use uuid::Uuid;

use crate::bus::{Cast, Databases, Shared, World};

/// Whoever buys: all of them are one, so that their orders meet at one balance.
pub(crate) const BUYER: UserId = UserId(1);
/// Nobody has an account under this id.
pub(crate) const STRANGER: UserId = UserId(2);
pub(crate) const DIGITAL: ProductId = ProductId(1);
pub(crate) const PHYSICAL: ProductId = ProductId(2);
pub(crate) const PRICE: i64 = 100;
/// The one place that nothing is delivered to.
pub(crate) const NOWHERE: &str = "the moon";

/// How a wish is paid for: the payment method that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Pay {
    Wallet,
    Card,
    DeclinedCard,
    /// Can be charged, but refuses to pay.
    FaithlessCard,
    /// There is no such method.
    Nothing,
}

impl Pay {
    const METHODS: [Pay; 4] = [Pay::Wallet, Pay::Card, Pay::DeclinedCard, Pay::FaithlessCard];

    fn id(self) -> PaymentMethodId {
        PaymentMethodId(self as i64)
    }

    fn method(self) -> Method {
        let card = |token: &str| (MethodType::Card, Some(token.to_owned()));
        let (method_type, details) = match self {
            Pay::Wallet | Pay::Nothing => (MethodType::Wallet, None),
            Pay::Card => card("tok_good"),
            Pay::DeclinedCard => card("tok_declined"),
            Pay::FaithlessCard => card("tok_capture_declined"),
        };
        Method { user_id: BUYER, method_type, details }
    }
}

/// One order that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) user: UserId,
    /// Pieces of the digital and of the physical product.
    pub(crate) digital: i64,
    pub(crate) physical: i64,
    pub(crate) pay: Pay,
    pub(crate) ship_to: &'static str,
}

impl Wish {
    pub(crate) const fn of(digital: i64, physical: i64, pay: Pay) -> Self {
        Wish { user: BUYER, digital, physical, pay, ship_to: "Kyoto" }
    }

    pub(crate) fn pieces(&self) -> i64 {
        self.digital + self.physical
    }

    fn request(&self, nth: usize) -> Said {
        let order_id = OrderId(Uuid::from_u128(nth as u128 + 1));
        let items =
            [(DIGITAL, self.digital), (PHYSICAL, self.physical)].into_iter().filter(|(_, quantity)| *quantity > 0);
        let request = OrderRequested {
            user_id: self.user,
            payment_method_id: self.pay.id(),
            items: items.map(|(product_id, quantity)| RequestedItem { product_id, quantity }).collect(),
            order_id: Some(order_id),
            idempotency_key: None,
            ship_to: Some(self.ship_to.to_owned()),
        };
        Said {
            event_type: ORDER_REQUESTED,
            aggregatetype: Publisher::Client.name(),
            order_id,
            payload: serde_json::to_string(&request).expect("a request is JSON"),
        }
    }
}

/// What every order draws on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shop {
    /// What the buyer has put in, in JPY.
    pub(crate) deposit: i64,
    /// Pieces of each product that have been received; none if inventory has never heard of them.
    pub(crate) received: Option<i64>,
    /// Of one piece of anything.
    pub(crate) price: i64,
    /// Whether the digital product is still handed out; none if entitlement has never heard of it.
    pub(crate) unlocks: Option<bool>,
}

impl Default for Shop {
    /// Enough of everything for a few orders.
    fn default() -> Self {
        Shop { deposit: 1000, received: Some(5), price: PRICE, unlocks: Some(true) }
    }
}

impl Shop {
    /// The first moment: these wishes have been published, and nobody has read them.
    pub(crate) fn open(&self, wishes: &[Wish], cast: &Cast) -> World {
        let requests: Vec<Said> = wishes.iter().enumerate().map(|(nth, wish)| wish.request(nth)).collect();
        World::new(self.databases(), requests, cast)
    }

    fn databases(&self) -> Databases {
        let product = |kind| order::Product { price: self.price, currency: Currency::JPY, kind };
        let catalogue = BTreeMap::from([(DIGITAL, product(Kind::Digital)), (PHYSICAL, product(Kind::Physical))]);
        let balance = Balance { balance: self.deposit, reserved: 0 };
        let stock = self.received.map(|quantity| Stock { quantity, reserved: 0 });
        let stock = [DIGITAL, PHYSICAL].into_iter().filter_map(|product| Some((product, stock?)));
        Databases {
            order: Shared::new(order::Register { catalogue, ..order::Register::default() }),
            account: Shared::new(account::Books {
                users: BTreeSet::from([BUYER]),
                balances: Rows::loaded([((BUYER, Currency::JPY), balance)]),
                reservations: Rows::default(),
            }),
            payment: Shared::new(payment::Books {
                methods: Pay::METHODS.into_iter().map(|pay| (pay.id(), pay.method())).collect(),
                transactions: Rows::default(),
            }),
            inventory: Shared::new(inventory::Warehouse { stock: Rows::loaded(stock), reservations: Rows::default() }),
            shipping: Shared::new(shipping::Depot {
                no_service: vec![NOWHERE.to_owned()],
                ..shipping::Depot::default()
            }),
            entitlement: Shared::new(entitlement::Shelf {
                catalogue: self.unlocks.into_iter().map(|unlocks| (DIGITAL, unlocks)).collect(),
                ..entitlement::Shelf::default()
            }),
            notification: Shared::new(notification::Correspondence::default()),
        }
    }
}
