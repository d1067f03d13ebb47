//! The audit by re-execution: each order's events go through the services' own decisions once more, and what comes out is held
//! against every row and every event that is there.
//!
//! In which order a service has read its topics is written down nowhere. So it is searched for: some order, in which each
//! topic's events keep theirs, has to lead to just these events, said for just these causes, and to just these rows. What
//! came from elsewhere (a balance that did not suffice, an empty shelf, an answer of the gateway) is taken from what the service
//! said about it, not from how things are today.

mod parts;
mod search;

use std::collections::HashSet;

use events::{Order, Publisher};
use uuid::Uuid;

use super::{
    Finding, Places,
    dossier::{Dossier, Logged},
    tables::Table,
};

/// One order, and what else the audit has to know to go through it again.
pub(super) struct Case<'a> {
    pub(super) dossier: &'a Dossier,
    /// What was ordered; None if nobody has said it.
    pub(super) facts: Option<Order>,
    pub(super) buyers: &'a Buyers,
    /// The places up to which each service has read; None at rest, when all have read everything.
    pub(super) places: Option<&'a Places>,
    /// Events that people have resolved by hand, by service.
    pub(super) resolved: &'a HashSet<(Publisher, Uuid)>,
}

/// Where buyers want, or wanted, their mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Buyers {
    /// Present addresses first.
    pub addresses: std::collections::HashMap<i64, Vec<String>>,
    /// Where everybody else is `user-<id>`.
    pub domain: String,
}

impl Buyers {
    /// The address that a mail to the buyer goes to: `found`, if it is or was one of the buyer's, else the one of today.
    pub(super) fn address(&self, user: i64, found: Option<&str>) -> String {
        let default = format!("user-{user}@{}", self.domain);
        let known = self.addresses.get(&user).map(Vec::as_slice).unwrap_or_default();
        match found.filter(|found| *found == default || known.iter().any(|address| address == found)) {
            Some(found) => found.to_owned(),
            None => known.first().cloned().unwrap_or(default),
        }
    }
}

impl<'a> Case<'a> {
    /// What the service has said about the order, each once, in its order.
    fn said_by(&self, service: Publisher) -> Vec<&'a Logged> {
        self.dossier.first_of(service).into_iter().filter(|event| event.is_own()).collect()
    }

    /// The reason that the service gave with an event of this type, if it said one.
    fn reason_of(&self, service: Publisher, event_type: &str) -> Option<events::Reason> {
        #[derive(serde::Deserialize)]
        struct Why {
            reason: events::Reason,
        }
        let said = self.said_by(service).into_iter().find(|event| event.event_type == event_type)?;
        serde_json::from_str(said.data.get()).ok().map(|why: Why| why.reason)
    }

    /// A column of the order's one row in a table, as text.
    fn column(&self, table: Table, column: &str) -> Option<String> {
        let row = self.dossier.rows_of(table).next()?;
        let row: serde_json::Value = serde_json::from_str(row.get()).ok()?;
        row.get(column)?.as_str().map(str::to_owned)
    }
}

/// All that does not follow from the decisions.
pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    search::retrace::<order::Orders>(case, &mut findings);
    search::retrace::<account::Account>(case, &mut findings);
    search::retrace::<payment::Payment>(case, &mut findings);
    search::retrace::<inventory::Inventory>(case, &mut findings);
    search::retrace::<shipping::Shipping>(case, &mut findings);
    search::retrace::<entitlement::Entitlement>(case, &mut findings);
    search::retrace::<notification::Notification>(case, &mut findings);
    findings
}
