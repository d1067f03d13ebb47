//! Currencies. Amounts are whole minor units in an `i64`, beside their currency.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An ISO 4217 code, or `PTS` for points: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Japanese yen; has no minor unit, so an amount of 100 is ¥100.
    pub const JPY: Currency = Currency(*b"JPY");
    /// Loyalty points.
    pub const PTS: Currency = Currency(*b"PTS");
    /// ISO 4217's "no currency": for an order that could not be priced.
    pub const NONE: Currency = Currency(*b"XXX");

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

/// A text that is not a currency code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three capital letters such as JPY, not {0:?}")]
pub struct NotACurrency(String);

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Currency([a, b, c])),
            _ => Err(NotACurrency(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = NotACurrency;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_three_capital_letters() {
        assert_eq!("JPY".parse(), Ok(Currency::JPY));
        for bad in ["", "JP", "jpy", "JPYX", "J Y", "円円円", "J\0Y"] {
            assert!(bad.parse::<Currency>().is_err(), "{bad:?} is no currency");
        }
    }
}
