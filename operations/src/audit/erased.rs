//! Users whose personal data has been erased: what may be missing of theirs, and of nobody else's.

use events::{Event, Order, erasure::UserErased};
use serde_json::{Map, Value};

use super::{
    Finding,
    dossier::Dossier,
    retrace::{Buyers, Case},
    tables::Table,
};

/// The text in place of what named a person.
pub(super) const ERASED: &str = "erased";

/// Tells whether the buyer has been erased.
pub(super) fn is_erased(facts: Option<&Order>, buyers: &Buyers) -> bool {
    facts.is_some_and(|order| buyers.erased.contains(&order.user_id.0))
}

/// Tells whether a dossier is about a user's erasure, and about no order.
pub(super) fn is_erasure(dossier: &Dossier) -> bool {
    let is_said = |event_type: &String| event_type == UserErased::TYPE;
    let mut logged = dossier.log.iter().map(|event| &event.event_type);
    let mut written = dossier.written.iter().map(|row| &row.event_type);
    dossier.rows.is_empty() && (logged.len() > 0 || written.len() > 0) && logged.all(is_said) && written.all(is_said)
}

/// What is wrong with the events of an erasure.
pub(super) fn findings(dossier: &Dossier, buyers: &Buyers) -> Vec<Finding> {
    let own = dossier.log.iter().filter(|event| event.is_own());
    let wrong = own.filter_map(|event| {
        let said: UserErased = serde_json::from_str(event.data.get()).ok()?;
        let user = said.erasure.user_id;
        if !buyers.erased.contains(&user.0) {
            return Some(format!("{} says that user {user} is erased, who is not", event.event_type));
        }
        let is_his = said.erasure == events::erasure::Erasure::of(user) && said.erasure.erasure_id == dossier.order;
        (!is_his).then(|| format!("{} of user {user} has another user's id", event.event_type))
    });
    wrong.map(|what| Finding::of(dossier.order, what)).collect()
}

/// Leaves out of an erased buyer's rows what named him.
pub(super) fn leave_out(case: &Case<'_>, rows: &mut [(Table, Value)]) {
    for (table, row) in rows.iter_mut().filter(|_| case.is_erased()) {
        if let Value::Object(columns) = row {
            leave_out_of(*table, columns);
        }
    }
}

fn leave_out_of(table: Table, row: &mut Map<String, Value>) {
    let own: &[&str] = match table {
        Table::Orders => &["request_hash"],
        Table::Shipments => &["ship_to"],
        Table::Notifications => &["recipient", "subject", "body"],
        _ => &[],
    };
    own.iter().for_each(|column| drop(row.remove(*column)));
    if let (Table::Orders | Table::PaymentTransactions, Some(Value::Object(facts))) = (table, row.get_mut("facts")) {
        facts.remove("ship_to");
    }
}
