//! Why something was refused or undone.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($( $(#[$doc:meta])* $name:ident = $word:literal )+) => {
        /// Travels with every refusal and every compensation, from where it arose to the buyer's mail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $( $(#[$doc])* #[serde(rename = $word)] $name, )+
        }

        impl Reason {
            pub const ALL: &[Reason] = &[$( Reason::$name ),+];

            /// The word on the wire and in the `reason` columns.
            pub fn as_str(self) -> &'static str {
                match self { $( Reason::$name => $word, )+ }
            }
        }
    };
}

reasons! {
    /// The buyer's balance in that currency does not cover the total.
    InsufficientBalance = "insufficient_balance"
    UnknownUser = "unknown_user"
    /// Not there, not the buyer's, or not fit for the currency.
    InvalidPaymentMethod = "invalid_payment_method"
    CardDeclined = "card_declined"
    /// The payment provider did not answer usefully within the retries.
    GatewayUnavailable = "gateway_unavailable"
    OutOfStock = "out_of_stock"
    UnknownProduct = "unknown_product"
    UnshippableAddress = "unshippable_address"
    /// The digital item is no longer handed out.
    Discontinued = "discontinued"
    /// Understood, but it makes no sense: no items, a quantity below one, a total that overflows.
    InvalidRequest = "invalid_request"
    CancelledByUser = "cancelled_by_user"
    /// The order's deadline passed while it was pending.
    TimedOut = "timed_out"
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Reason::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no reason"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_on_the_wire_is_the_word_in_the_column() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).expect("serializes"), reason.as_str());
            assert_eq!(reason.as_str().parse(), Ok(*reason));
        }
    }
}
