//! Payment methods.

use std::{fmt, str::FromStr};

use events::{Currency, Order, UserId};

/// The kinds of payment methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MethodType {
    /// Through the payment gateway, in money.
    Card,
    /// The balance itself, in any currency: the account service has already reserved it.
    Wallet,
    /// As the wallet, for points only.
    Points,
}

impl MethodType {
    pub const ALL: [MethodType; 3] = [MethodType::Card, MethodType::Wallet, MethodType::Points];

    /// The value in the `method_type` columns.
    pub fn as_str(self) -> &'static str {
        match self {
            MethodType::Card => "card",
            MethodType::Wallet => "wallet",
            MethodType::Points => "points",
        }
    }

    fn fits(self, currency: Currency) -> bool {
        match self {
            MethodType::Card => currency != Currency::PTS,
            MethodType::Wallet => true,
            MethodType::Points => currency == Currency::PTS,
        }
    }
}

impl fmt::Display for MethodType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MethodType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        MethodType::ALL
            .into_iter()
            .find(|method_type| method_type.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no type of payment method"))
    }
}

/// A payment method of a user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method {
    pub user_id: UserId,
    pub method_type: MethodType,
    /// Encrypted; decrypted only for the call to the gateway.
    pub details: Option<String>,
}

/// A method that can pay an order, with what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means<'a> {
    /// Through the gateway, with these encrypted details.
    Card(&'a str),
    /// Internally, without a call to the outside.
    Within(MethodType),
}

impl Method {
    /// The means by which this method pays `order`; None if it is another user's, does not fit the currency, lacks its details,
    /// or has details that only a card has: then its type has been changed.
    pub fn means(&self, order: &Order) -> Option<Means<'_>> {
        if self.user_id != order.user_id || !self.method_type.fits(order.currency) {
            return None;
        }
        match self.method_type {
            MethodType::Card => self.details.as_deref().map(Means::Card),
            MethodType::Wallet | MethodType::Points => {
                self.details.is_none().then_some(Means::Within(self.method_type))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_as_it_is_written() {
        assert_eq!(MethodType::ALL.map(MethodType::as_str), ["card", "wallet", "points"]);
        for method_type in MethodType::ALL {
            assert_eq!(method_type.to_string().parse(), Ok(method_type));
        }
        assert_eq!("cash".parse::<MethodType>(), Err("`cash` is no type of payment method".to_owned()));
    }
}
