//! An order service without a database, and commands for it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use events::{
    Currency, Kind, Order, OrderId, PaymentMethodId, ProductId, Reason, UserId,
    request::{OrderRequested, RequestedItem},
};
use order::{Command, Door, Orders, Placement, Product, Purchase, Register, Settlement, Status, Turn};
use saga::{Says, Service};
use uuid::Uuid;

pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// The first digital and the first physical product; the next id costs points.
pub(crate) const DIGITAL: i64 = 1;
pub(crate) const PHYSICAL: i64 = 2;
pub(crate) const FOR_POINTS: i64 = 3;
pub(crate) const PRICELESS: i64 = 4;

pub(crate) struct Desk {
    orders: Orders,
    pub(crate) register: Register,
    pub(crate) now: DateTime<Utc>,
    /// Types of all events published.
    pub(crate) said: Vec<&'static str>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let mut register = Register::default();
        for (id, price, currency, kind) in [
            (DIGITAL, 100, Currency::JPY, Kind::Digital),
            (PHYSICAL, 250, Currency::JPY, Kind::Physical),
            (FOR_POINTS, 50, Currency::PTS, Kind::Digital),
            (PRICELESS, i64::MAX, Currency::JPY, Kind::Digital),
        ] {
            register.catalogue.insert(ProductId(id), Product { price, currency, kind });
        }
        Desk {
            orders: Orders { timeout: TIMEOUT, ..Orders::default() },
            register,
            now: DateTime::UNIX_EPOCH,
            said: Vec::new(),
        }
    }

    /// Creates a desk with a PENDING order of these products.
    pub(crate) fn with_order(products: &[i64]) -> (Self, Order) {
        let mut desk = Desk::new();
        let order_id = order_id();
        let lines: Vec<_> = products.iter().map(|product| (*product, 1)).collect();
        let says = desk.decide(&place(order_id, request(&lines)));
        assert_eq!(types(&says), ["OrderCreated"]);
        desk.said.clear();
        let order = desk.purchase(order_id).facts.clone();
        (desk, order)
    }

    pub(crate) fn decide(&mut self, command: &Command) -> Says {
        let says = self.orders.decide(&mut self.register, command, self.now);
        self.said.extend(types(&says));
        says
    }

    pub(crate) fn purchase(&self, order_id: OrderId) -> &Purchase {
        self.register.purchases.get(&order_id).expect("the order is there")
    }

    pub(crate) fn status(&self, order_id: OrderId) -> Status {
        self.purchase(order_id).status
    }

    pub(crate) fn pass_deadline(&mut self) {
        self.now += TIMEOUT;
    }
}

pub(crate) fn order_id() -> OrderId {
    OrderId(Uuid::now_v7())
}

pub(crate) fn types(says: &Says) -> Vec<&'static str> {
    says.events.iter().map(|said| said.event_type).collect()
}

pub(crate) fn request(lines: &[(i64, i64)]) -> OrderRequested {
    OrderRequested {
        user_id: UserId(1),
        payment_method_id: PaymentMethodId(1),
        items: lines
            .iter()
            .map(|(product, quantity)| RequestedItem { product_id: ProductId(*product), quantity: *quantity })
            .collect(),
        order_id: None,
        idempotency_key: None,
        ship_to: Some("1 Main Street".into()),
    }
}

pub(crate) fn place(order_id: OrderId, request: OrderRequested) -> Command {
    Command::Place(Placement { order_id, request, door: Door::Topic, former: None })
}

/// Events and commands that may follow the placement of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    RequestCancel,
    TimeOut,
    Money(Settlement),
    Parcel(Turn),
    Unlock(Turn),
}

impl Happening {
    pub(crate) fn of(self, order: &Order) -> Command {
        match self {
            Happening::RequestCancel => Command::RequestCancel(order.order_id),
            Happening::TimeOut => Command::TimeOut(order.order_id),
            Happening::Money(settlement) => Command::Settle(order.clone(), settlement),
            Happening::Parcel(turn) => Command::Fulfil(order.order_id, Kind::Physical, turn),
            Happening::Unlock(turn) => Command::Fulfil(order.order_id, Kind::Digital, turn),
        }
    }
}

pub(crate) fn rejected(reason: Reason) -> Happening {
    Happening::Money(Settlement::Rejected { reason })
}

pub(crate) fn released(reason: Reason) -> Happening {
    Happening::Money(Settlement::Released { reason })
}

pub(crate) fn refunded(order: &Order, reason: Reason) -> Happening {
    Happening::Money(Settlement::Refunded { reason, amount: order.total })
}
