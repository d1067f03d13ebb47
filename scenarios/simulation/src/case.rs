//! A case: a shop, what buyers wish, and what happens, in a file.

use saga_check::{Check, Schedule};
use serde::{Deserialize, Serialize};

use crate::{cast, shop::Shop, wish::Wish};

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

    /// The same without a service's reaction to an event.
    #[must_use]
    pub fn without(self, service: &str, event: &str) -> Self {
        Case { without: Some(Line { service: service.to_owned(), event: event.to_owned() }), ..self }
    }

    /// The check of its shop and wishes.
    ///
    /// # Panics
    /// If the table of the service that lacks a line has no such line.
    pub fn check(&self) -> Check {
        cast::check(&self.shop, &self.wishes, self.without.as_ref())
    }
}
