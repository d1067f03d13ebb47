//! Shipping, entitlement and notification: what the buyer gets.

use std::collections::BTreeMap;

use entitlement::{Entitlement, Shelf};
use events::{Kind, Reason, publisher};
use notification::{Correspondence, Notification, Wording};
use saga::Rows;
use serde_json::{Map, Value, json};
use shipping::{Depot, Shipping};

use super::{
    super::{Case, search::Retraced},
    whether,
};
use crate::audit::{dossier::Logged, tables::Table};

impl Retraced for Shipping {
    const TABLES: &'static [Table] = &[Table::Shipments];

    fn again(_case: &Case<'_>) -> Self {
        Shipping::default()
    }

    fn world(case: &Case<'_>) -> Depot {
        // The empty string is part of every address.
        let no_service = case.reason_of(publisher::SHIPPING, "ShipmentRejected").map(|_| String::new());
        let keys = case.keys_of_address();
        Depot { no_service: Vec::from_iter(no_service), keys, ..Depot::default() }
    }

    fn occasions(_case: &Case<'_>, _next: Option<&Logged>) -> Vec<shipping::Command> {
        Vec::new()
    }

    fn rows(_case: &Case<'_>, depot: &Depot) -> Vec<(Table, Value)> {
        let rows = depot.shipments.iter().map(|(order_id, row)| {
            let shipping::Shipment { ship_to, status, tracking_no, reason } = row;
            let row = json!({
                "order_id": order_id, "ship_to": ship_to, "status": status.as_str(), "tracking_no": tracking_no,
                "reason": reason,
            });
            (Table::Shipments, row)
        });
        rows.collect()
    }
}

impl Retraced for Entitlement {
    const TABLES: &'static [Table] = &[Table::Entitlements];

    fn again(_case: &Case<'_>) -> Self {
        Entitlement
    }

    fn world(case: &Case<'_>) -> Shelf {
        let refused = case.reason_of(publisher::ENTITLEMENT, "EntitlementRejected");
        let items = case.facts.iter().flat_map(|order| order.items_of(Kind::Digital));
        let items = items.filter(|_| refused != Some(Reason::UnknownProduct));
        let catalogue: BTreeMap<_, _> = items.map(|item| (item.product_id, refused.is_none())).collect();
        Shelf { catalogue, unlocks: Rows::default() }
    }

    fn occasions(_case: &Case<'_>, _next: Option<&Logged>) -> Vec<entitlement::Command> {
        Vec::new()
    }

    fn rows(_case: &Case<'_>, shelf: &Shelf) -> Vec<(Table, Value)> {
        let rows = shelf.unlocks.iter().flat_map(|(order_id, row)| {
            row.products.iter().map(move |product_id| {
                let row = json!({
                    "order_id": order_id, "user_id": row.user_id, "product_id": product_id,
                    "status": row.status.as_str(), "reason": row.reason,
                });
                (Table::Entitlements, row)
            })
        });
        rows.collect()
    }
}

impl Retraced for Notification {
    const TABLES: &'static [Table] = &[Table::Notifications];

    fn again(case: &Case<'_>) -> Self {
        let written = case.column(Table::Notifications, "body");
        Notification::new(&*case.buyers.domain)
            .worded(written.map_or(Wording::NOW, |body| Wording::of(&case.buyers.keys.shown(&body))))
    }

    fn world(case: &Case<'_>) -> Correspondence {
        let recipient = case.column(Table::Notifications, "recipient");
        let found = recipient.as_deref().map(|text| case.buyers.keys.shown(text));
        let contact = case.facts.as_ref().map(|order| {
            let user = order.user_id;
            (user, case.buyers.address(user.0, found.as_deref()))
        });
        let keys = case.keys(recipient.as_deref());
        Correspondence { contacts: BTreeMap::from_iter(contact), keys, ..Correspondence::default() }
    }

    fn occasions(case: &Case<'_>, _next: Option<&Logged>) -> Vec<notification::Command> {
        case.facts.iter().map(|order| notification::Command::NoteSent { order: order.clone() }).collect()
    }

    fn rows(_case: &Case<'_>, rows: &Correspondence) -> Vec<(Table, Value)> {
        let rows = rows.notices.iter().map(|(order_id, row)| {
            let notification::Notice { kind, recipient, subject, body, sent_at } = row;
            let row = json!({
                "order_id": order_id, "kind": kind.as_str(), "recipient": recipient, "subject": subject, "body": body,
                "sent_at": sent_at.is_some(),
            });
            (Table::Notifications, row)
        });
        rows.collect()
    }

    fn normalise(_case: &Case<'_>, _table: Table, row: &mut Map<String, Value>) {
        whether(row, "sent_at");
    }
}
