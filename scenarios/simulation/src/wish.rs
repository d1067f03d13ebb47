//! The orders that buyers want, and their payment.

use std::borrow::Cow;

use events::{
    OrderId, PaymentMethodId, ProductId, UserId, order_id, publisher,
    request::{ORDER_REQUESTED, OrderRequested, RequestedItem},
};
use payment::method::MethodType;
use saga::Said;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::shop::{ANOTHER, BUYER, DIGITAL, FOR_POINTS, PHYSICAL};

/// The payment method that a wish names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Pay {
    Wallet,
    Card,
    DeclinedCard,
    /// Can be authorized, but refuses the capture.
    FaithlessCard,
    Points,
    /// There is no such method.
    Nothing,
}

impl Pay {
    pub const METHODS: [Pay; 5] = [Pay::Wallet, Pay::Card, Pay::DeclinedCard, Pay::FaithlessCard, Pay::Points];

    /// The user's own method of this kind.
    pub fn id(self, user: UserId) -> PaymentMethodId {
        PaymentMethodId(user.0 * 10 + self as i64)
    }

    /// The method's type, and the card's token.
    pub fn means(self) -> (MethodType, Option<&'static str>) {
        match self {
            Pay::Wallet | Pay::Nothing => (MethodType::Wallet, None),
            Pay::Card => (MethodType::Card, Some("tok_good")),
            Pay::DeclinedCard => (MethodType::Card, Some("tok_declined")),
            Pay::FaithlessCard => (MethodType::Card, Some("tok_capture_declined")),
            Pay::Points => (MethodType::Points, None),
        }
    }
}

/// One order that a buyer wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    pub user: UserId,
    /// Pieces of the digital and of the physical product.
    pub digital: i64,
    pub physical: i64,
    /// Pieces of another digital product.
    pub another: i64,
    /// Every piece is on a line of its own, repeating the product.
    pub piecemeal: bool,
    /// The twins are bought, for points.
    pub points: bool,
    pub pay: Pay,
    pub ship_to: Cow<'static, str>,
    /// Used instead of an order id.
    pub key: Option<Cow<'static, str>>,
}

impl Wish {
    pub const fn of(digital: i64, physical: i64, pay: Pay) -> Self {
        Wish {
            user: BUYER,
            digital,
            physical,
            another: 0,
            piecemeal: false,
            points: false,
            pay,
            ship_to: Cow::Borrowed("Kyoto"),
            key: None,
        }
    }

    /// Two products, one of them twice, in single pieces and for points.
    pub fn for_points(self) -> Self {
        Wish { another: 1, piecemeal: true, points: true, pay: Pay::Points, ..self }
    }

    pub fn pieces(&self) -> i64 {
        self.digital + self.physical + self.another
    }

    /// The request as the client publishes it.
    pub fn said(&self, nth: usize) -> Said {
        let (order_id, request) = self.request(nth);
        said(order_id, &request)
    }

    /// The order of the wish with this number, and its request.
    pub fn request(&self, nth: usize) -> (OrderId, OrderRequested) {
        let order_id = match &self.key {
            Some(key) => order_id::from_idempotency_key(self.user, key),
            None => OrderId(Uuid::from_u128(nth as u128 + 1)),
        };
        let request = OrderRequested {
            user_id: self.user,
            payment_method_id: self.pay.id(self.user),
            items: self.lines(),
            order_id: self.key.is_none().then_some(order_id),
            idempotency_key: self.key.clone().map(Cow::into_owned),
            ship_to: Some(self.ship_to.clone().into_owned()),
        };
        (order_id, request)
    }

    fn lines(&self) -> Vec<RequestedItem> {
        let wanted = [(DIGITAL, self.digital), (PHYSICAL, self.physical), (ANOTHER, self.another)];
        let twin = if self.points { FOR_POINTS } else { 0 };
        let lines = wanted.into_iter().filter(|(_, quantity)| *quantity > 0).flat_map(|(product, quantity)| {
            let product_id = ProductId(product.0 + twin);
            let (lines, quantity) = if self.piecemeal { (quantity, 1) } else { (1, quantity) };
            (0..lines).map(move |_| RequestedItem { product_id, quantity })
        });
        lines.collect()
    }
}

/// A request in its published form.
pub fn said(order_id: OrderId, request: &OrderRequested) -> Said {
    Said {
        event_type: ORDER_REQUESTED,
        version: 1,
        aggregatetype: publisher::CLIENT.name(),
        saga_id: order_id,
        payload: serde_json::to_string(request).expect("a request is JSON"),
    }
}
