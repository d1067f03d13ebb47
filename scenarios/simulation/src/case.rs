//! A case: a shop, what buyers wish, and what happens, in a file.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use saga_check::{Check, Schedule};
use serde::{Deserialize, Serialize};

use crate::{
    cast,
    shop::{BUYER, NEIGHBOUR, NOWHERE, PRICE, STRANGER, Shop},
    wish::{Pay, Wish},
};

/// Largest amount and number of pieces in a shop.
const MOST: i64 = 1_000_000_000;

/// A run of the shop, to be kept and played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The shop before anybody has ordered.
    pub shop: Shop,
    /// What buyers order.
    pub wishes: Vec<Wish>,
    /// A line that one service's table lacks: a fault that the run shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<Line>,
    /// What happens.
    pub schedule: Schedule,
    /// The law that is broken at the end, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaks: Option<String>,
}

/// A line of a table, by its event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The service.
    pub service: String,
    /// Wire name.
    pub event: String,
}

impl Case {
    /// A case in which nothing happens yet.
    pub fn new(shop: Shop, wishes: Vec<Wish>) -> Self {
        Case { shop, wishes, without: None, schedule: Schedule::default(), breaks: None }
    }

    /// A shop and this many orders, determined by a seed: money or stock may not be enough for all.
    pub fn random(seed: u64, orders: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let pieces = i64::try_from(orders).unwrap_or(i64::MAX / PRICE);
        let shop = Shop {
            deposit: rng.random_range(0..=2 * pieces) * PRICE,
            received: Some(rng.random_range(0..=pieces)),
            unlocks: Some(rng.random_bool(0.9)),
            ..Shop::default()
        };
        let mut wish = || {
            let (digital, physical) = [(1, 0), (0, 1), (1, 1), (2, 1)][rng.random_range(0..4)];
            let pay =
                [Pay::Wallet, Pay::Wallet, Pay::Card, Pay::Card, Pay::DeclinedCard, Pay::FaithlessCard, Pay::Nothing];
            let pay = pay[rng.random_range(0..pay.len())];
            let ship_to = if rng.random_bool(0.2) { NOWHERE } else { "Kyoto" };
            let user = [BUYER, BUYER, NEIGHBOUR, STRANGER][rng.random_range(0..4)];
            let wish = Wish { user, ship_to: ship_to.into(), ..Wish::of(digital, physical, pay) };
            if rng.random_bool(0.2) { wish.for_points() } else { wish }
        };
        let wishes = (0..orders).map(|_| wish()).collect();
        Case::new(shop, wishes)
    }

    /// The same without a service's reaction to an event.
    #[must_use]
    pub fn without(self, service: &str, event: &str) -> Self {
        Case { without: Some(Line { service: service.to_owned(), event: event.to_owned() }), ..self }
    }

    /// The check of its shop and wishes.
    ///
    /// # Panics
    /// If no service has the line that one is to lack.
    pub fn check(&self) -> Check {
        self.checked().unwrap_or_else(|why| panic!("{why}"))
    }

    /// As [`check`](Self::check), for a case from elsewhere.
    ///
    /// # Errors
    /// If no service has the line that one is to lack, or a number is larger than any test needs.
    pub fn checked(&self) -> Result<Check, String> {
        let Shop { deposit, received, price, .. } = self.shop;
        let numbers = [deposit, received.unwrap_or(0), price];
        let pieces = self.wishes.iter().flat_map(|wish| [wish.digital, wish.physical, wish.another]);
        if self.wishes.len() > 500 || numbers.iter().any(|number| !(0..=MOST).contains(number)) {
            return Err(format!("a shop takes at most 500 wishes, and numbers from 0 to {MOST}"));
        }
        if pieces.into_iter().any(|pieces| !(0..=100).contains(&pieces)) {
            return Err("a wish is for 0 to 100 pieces of a product".to_owned());
        }
        if let Some(Line { service, event }) = &self.without
            && !cast::lines().any(|line| line == (service.as_str(), event.as_str()))
        {
            return Err(format!("`{service}` has no line for `{event}` that it could lack"));
        }
        Ok(cast::check(&self.shop, &self.wishes, self.without.as_ref()))
    }
}
