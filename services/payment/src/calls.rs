//! Calls to the gateway: recorded by a decision, made later by the [client](crate::gateway).

use std::{fmt, str::FromStr};

use events::{Currency, Order, OrderId, PaymentMethodId, UserId};
use saga::NewAttempt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sealed_details;

/// The calls. The word is the attempt's kind; an order has at most one attempt of each kind. If the gateway answers a void with
/// "captured already", or a refund with "not captured", the opposite operation is tried once, under a kind of its own. A gateway
/// that then says the opposite contradicts itself, and an operator has to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    Authorize,
    Capture,
    Void,
    Refund,
    VoidInstead,
    RefundInstead,
}

impl Call {
    /// Those that undo a payment.
    pub const UNDOING: [Call; 4] = [Call::Void, Call::Refund, Call::VoidInstead, Call::RefundInstead];

    pub const ALL: [Call; 6] =
        [Call::Authorize, Call::Capture, Call::Void, Call::Refund, Call::VoidInstead, Call::RefundInstead];

    pub const fn as_str(self) -> &'static str {
        match self {
            Call::Authorize => "authorize",
            Call::Capture => "capture",
            Call::Void => "void",
            Call::Refund => "refund",
            Call::VoidInstead => "void-instead",
            Call::RefundInstead => "refund-instead",
        }
    }

    /// The gateway's operation: the last segment of its path.
    pub fn operation(self) -> &'static str {
        match self {
            Call::Authorize => "authorize",
            Call::Capture => "capture",
            Call::Void | Call::VoidInstead => "void",
            Call::Refund | Call::RefundInstead => "refund",
        }
    }

    /// The call as a durable attempt, for all but [`authorize`]: the gateway knows the rest.
    pub(crate) fn attempt(self, order_id: OrderId) -> NewAttempt {
        NewAttempt::new(self.as_str(), order_id, json!({}))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Call {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Call::ALL
            .into_iter()
            .find(|call| call.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no call to the gateway"))
    }
}

/// The parameters of an authorization. The details stay encrypted until the call is made, and in the method's row, except for
/// those of the first format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    pub payment_method_id: PaymentMethodId,
    /// The buyer, to whom the method has to belong; None in attempts of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_details: Option<String>,
    /// Minor units of `currency`.
    pub amount: i64,
    pub currency: Currency,
}

impl Charge {
    /// Parses a charge from an attempt's request.
    pub fn read(request: &Value) -> Result<Charge, serde_json::Error> {
        Charge::deserialize(request)
    }
}

/// The only call that gives up after its retries: it is a Try.
pub(crate) fn authorize(order: &Order, sealed_details: &str) -> NewAttempt {
    let request = json!(Charge {
        payment_method_id: order.payment_method_id,
        user_id: Some(order.user_id),
        sealed_details: Some(sealed_details).filter(|details| sealed_details::travels(details)).map(str::to_owned),
        amount: order.total,
        currency: order.currency,
    });
    NewAttempt::new(Call::Authorize.as_str(), order.order_id, request).giving_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words are stored in `attempts` and are part of the provider's idempotency keys; the operations are paths of its API.
    #[test]
    fn calls_keep_their_words_and_operations() {
        let words = Call::ALL.map(|call| (call.as_str(), call.operation()));
        assert_eq!(
            words,
            [
                ("authorize", "authorize"),
                ("capture", "capture"),
                ("void", "void"),
                ("refund", "refund"),
                ("void-instead", "void"),
                ("refund-instead", "refund"),
            ]
        );
        for call in Call::ALL {
            assert_eq!(call.to_string().parse(), Ok(call));
        }
        assert_eq!("steal".parse::<Call>(), Err("`steal` is no call to the gateway".to_owned()));
    }
}
