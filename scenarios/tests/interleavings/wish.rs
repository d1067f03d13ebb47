//! The orders that buyers want, and their payment.

use events::{
    OrderId, PaymentMethodId, ProductId, UserId, order_id, publisher,
    request::{ORDER_REQUESTED, OrderRequested, RequestedItem},
};
use payment::method::MethodType;
use saga::Said;
use uuid::Uuid;

use crate::shop::{ANOTHER, BUYER, DIGITAL, FOR_POINTS, PHYSICAL};

/// The payment method that a wish names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Pay {
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
    pub(crate) const METHODS: [Pay; 5] = [Pay::Wallet, Pay::Card, Pay::DeclinedCard, Pay::FaithlessCard, Pay::Points];

    /// The user's own method of this kind.
    pub(crate) fn id(self, user: UserId) -> PaymentMethodId {
        PaymentMethodId(user.0 * 10 + self as i64)
    }

    /// The method's type, and the card's token.
    pub(crate) fn means(self) -> (MethodType, Option<&'static str>) {
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) user: UserId,
    /// Pieces of the digital and of the physical product.
    pub(crate) digital: i64,
    pub(crate) physical: i64,
    /// Pieces of another digital product.
    pub(crate) another: i64,
    /// Every piece is on a line of its own, repeating the product.
    pub(crate) piecemeal: bool,
    /// The twins are bought, for points.
    pub(crate) points: bool,
    pub(crate) pay: Pay,
    pub(crate) ship_to: &'static str,
    /// Used instead of an order id.
    pub(crate) key: Option<&'static str>,
}

impl Wish {
    pub(crate) const fn of(digital: i64, physical: i64, pay: Pay) -> Self {
        Wish {
            user: BUYER,
            digital,
            physical,
            another: 0,
            piecemeal: false,
            points: false,
            pay,
            ship_to: "Kyoto",
            key: None,
        }
    }

    /// Two products, one of them twice, in single pieces and for points.
    pub(crate) const fn for_points(self) -> Self {
        Wish { another: 1, piecemeal: true, points: true, pay: Pay::Points, ..self }
    }

    pub(crate) fn pieces(&self) -> i64 {
        self.digital + self.physical + self.another
    }

    /// The request as the client publishes it.
    pub(crate) fn said(&self, nth: usize) -> Said {
        let order_id = match self.key {
            Some(key) => order_id::from_idempotency_key(self.user, key),
            None => OrderId(Uuid::from_u128(nth as u128 + 1)),
        };
        let request = OrderRequested {
            user_id: self.user,
            payment_method_id: self.pay.id(self.user),
            items: self.lines(),
            order_id: self.key.is_none().then_some(order_id),
            idempotency_key: self.key.map(str::to_owned),
            ship_to: Some(self.ship_to.to_owned()),
        };
        said(order_id, &request)
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
pub(crate) fn said(order_id: OrderId, request: &OrderRequested) -> Said {
    Said {
        event_type: ORDER_REQUESTED,
        version: 1,
        aggregatetype: publisher::CLIENT.name(),
        saga_id: order_id,
        payload: serde_json::to_string(request).expect("a request is JSON"),
    }
}
