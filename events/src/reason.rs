//! Reasons why something was refused or undone.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

macro_rules! reasons {
    ($( $(#[$doc:meta])* $name:ident = $word:literal )+) => {
        /// A reason; part of every refusal and every compensation, from its origin to the buyer's mail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $( $(#[$doc])* $name, )+
            /// A reason of a newer version, passed on unchanged: a compensation counts whatever its reason.
            Other(Word),
        }

        impl Reason {
            /// Reasons that this version knows.
            pub const ALL: &[Reason] = &[$( Reason::$name ),+];

            /// The word on the wire and in the `reason` columns.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Reason::$name => $word, )+
                    Reason::Other(word) => word.as_str(),
                }
            }
        }
    };
}

reasons! {
    /// The buyer's balance in that currency does not cover the total.
    InsufficientBalance = "insufficient_balance"
    UnknownUser = "unknown_user"
    /// The payment method does not exist, is not the buyer's, or does not take the currency.
    InvalidPaymentMethod = "invalid_payment_method"
    CardDeclined = "card_declined"
    /// The payment provider gave no usable answer within the retries.
    GatewayUnavailable = "gateway_unavailable"
    OutOfStock = "out_of_stock"
    UnknownProduct = "unknown_product"
    UnshippableAddress = "unshippable_address"
    /// The digital item is no longer sold.
    Discontinued = "discontinued"
    /// The request was read but makes no sense: no items, a quantity below one, a total that overflows.
    InvalidRequest = "invalid_request"
    CancelledByUser = "cancelled_by_user"
    /// The order's deadline passed while it was PENDING.
    TimedOut = "timed_out"
}

/// Maximum length of a reason in bytes.
const MAX_WORD: usize = 40;

/// A reason that this version does not know: up to 40 lower-case ASCII letters, digits and underscores, starting with a
/// letter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word {
    /// Padded with zeros.
    bytes: [u8; MAX_WORD],
}

impl Word {
    fn new(text: &str) -> Option<Self> {
        let is_word = text.len() <= MAX_WORD
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        let mut bytes = [0; MAX_WORD];
        is_word.then(|| {
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            Word { bytes }
        })
    }

    fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(MAX_WORD);
        std::str::from_utf8(&self.bytes[..end]).expect("only ASCII is put in")
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Reason::ALL.iter().copied().find(|reason| reason.as_str() == text);
        known.or_else(|| Word::new(text).map(Reason::Other)).ok_or_else(|| {
            let shown: String = text.chars().take(MAX_WORD).collect();
            format!("{shown:?} is not a reason")
        })
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_on_the_wire_is_the_word_in_the_column() {
        let newer = ["customs_hold", "x", "y2k_again", &"w".repeat(MAX_WORD)].map(|word| word.parse().expect("a word"));
        for reason in Reason::ALL.iter().chain(&newer) {
            let wire = serde_json::to_value(reason).expect("serializes");
            assert_eq!(wire, reason.as_str());
            assert_eq!(serde_json::from_value::<Reason>(wire).expect("deserializes"), *reason);
            assert_eq!(reason.as_str().parse(), Ok(*reason));
        }
        assert!(newer.iter().all(|reason| matches!(reason, Reason::Other(_))));
    }

    #[test]
    fn what_is_no_word_is_no_reason() {
        for odd in ["", "Out_Of_Stock", "out of stock", "2late", "_x", "grün", "a\0b", &"w".repeat(MAX_WORD + 1)] {
            assert!(odd.parse::<Reason>().is_err(), "{odd}");
        }
    }
}
