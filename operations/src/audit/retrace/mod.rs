//! The audit by re-execution: replays each order's events through the services' own decisions, and compares the result with every
//! row and every event that exists.
//!
//! No record says in which order a service read its topics, so the audit searches for one: some interleaving that preserves each
//! topic's order has to lead to exactly these events, for exactly these causes, and to exactly these rows. External facts (an
//! insufficient balance, missing stock, an answer of the gateway) are taken from what the service published about them, not from
//! the present state.

mod parts;
mod search;

use std::collections::HashSet;

use events::{Order, Publisher, publisher};
use personal_data::{PersonKeys, Sealed};
use uuid::Uuid;

use super::{
    Finding, Places,
    dossier::{Dossier, Logged},
    erased, said,
    tables::Table,
};

/// One order, and whatever else is needed to re-execute it.
pub(super) struct Case<'a> {
    pub(super) dossier: &'a Dossier,
    /// What was ordered; None if no event contains it.
    pub(super) facts: Option<Order>,
    pub(super) buyers: &'a Buyers,
    /// Time since which all requests are on their topic; None if it has lost none.
    pub(super) requests_since: Option<u64>,
    /// Positions up to which each service has read; None at rest, when all have read everything.
    pub(super) places: Option<&'a Places>,
    /// Events that operators resolved by hand, by service.
    pub(super) resolved: &'a HashSet<(Publisher, Uuid)>,
}

/// Present and former mail addresses of buyers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Buyers {
    /// Present addresses first.
    pub addresses: std::collections::HashMap<i64, Vec<String>>,
    /// Those whose personal data has been erased.
    pub erased: std::sync::Arc<HashSet<i64>>,
    /// Mail domain of all other users, whose addresses are `user-<id>` at this domain.
    pub domain: String,
    /// Keys that their addresses and letters are sealed under.
    pub keys: PersonKeys,
}

impl Buyers {
    /// The expected address of a mail to the buyer: `found` if it is or was one of the buyer's, otherwise the present one.
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
    /// The buyer's key, if this text is sealed under it: what was stored before texts were sealed was decided on without. Of one
    /// who is erased, a sealed text is taken as it is.
    fn keys(&self, text: Option<&str>) -> PersonKeys {
        let buyer = self.facts.as_ref().map(|order| order.user_id.0);
        match (text.filter(|text| Sealed::claims(text)), buyer) {
            (Some(_), Some(buyer)) if !self.buyers.keys.is_erased(buyer) => self.buyers.keys.only(buyer),
            _ => PersonKeys::default(),
        }
    }

    /// The buyer's key, if the order's address is sealed under it.
    fn keys_of_address(&self) -> PersonKeys {
        self.keys(self.facts.as_ref().and_then(|order| order.ship_to.as_deref()))
    }

    /// Events that the service published about the order, without duplicates, in topic order.
    fn said_by(&self, service: Publisher) -> Vec<&'a Logged> {
        self.dossier.first_of(service).into_iter().filter(|event| event.is_own()).collect()
    }

    /// The reason given by the service's event of this type, if it gave one.
    fn reason_of(&self, service: Publisher, event_type: &str) -> Option<events::Reason> {
        #[derive(serde::Deserialize)]
        struct Why {
            reason: events::Reason,
        }
        let said = self.said_by(service).into_iter().find(|event| event.event_type == event_type)?;
        serde_json::from_str(said.data.get()).ok().map(|why: Why| why.reason)
    }

    /// Tells whether the buyer's personal data has been erased.
    pub(super) fn is_erased(&self) -> bool {
        erased::is_erased(self.facts.as_ref(), self.buyers)
    }

    /// Tells whether the request that began the order is no longer on its topic.
    fn has_lost_its_request(&self) -> bool {
        let Some(since) = self.requests_since else { return false };
        let said = self.said_by(publisher::ORDER);
        let Some(first) = said.first() else { return false };
        let requests = self.dossier.first_of(publisher::CLIENT);
        first.causation_id.is_some_and(|cause| !requests.iter().any(|request| request.id == cause))
            && first.timestamp_ms < since + said::SLACK_MS
    }

    /// A column of the order's only row in a table, as text.
    fn column(&self, table: Table, column: &str) -> Option<String> {
        let row = self.dossier.rows_of(table).next()?;
        let row: serde_json::Value = serde_json::from_str(row.get()).ok()?;
        row.get(column)?.as_str().map(str::to_owned)
    }
}

/// Everything that does not follow from the decisions.
pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !case.has_lost_its_request() {
        search::retrace::<order::Orders>(case, &mut findings);
    }
    search::retrace::<account::Account>(case, &mut findings);
    search::retrace::<payment::Payment>(case, &mut findings);
    search::retrace::<inventory::Inventory>(case, &mut findings);
    search::retrace::<shipping::Shipping>(case, &mut findings);
    search::retrace::<entitlement::Entitlement>(case, &mut findings);
    search::retrace::<notification::Notification>(case, &mut findings);
    findings
}
