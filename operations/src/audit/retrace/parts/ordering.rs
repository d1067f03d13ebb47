//! The order service: how an order begins and ends.

use chrono::{DateTime, Utc};
use events::{
    Currency, Order, PaymentMethodId, ProductId, Reason, UserId, publisher,
    request::{OrderRequested, RequestedItem},
};
use order::{Catalogue, Command, Door, Fingerprint, Money, Orders, Placement, Product, Purchase, Register, Users};
use personal_data::PersonKeys;
use saga::Rows;
use serde_json::{Map, Value, json};

use super::{
    super::{Case, search::Retraced},
    whether,
};
use crate::audit::{dossier::Logged, tables::Table};

impl Retraced for Orders {
    const TABLES: &'static [Table] = &[Table::Orders, Table::OrderItems, Table::OrderHistory];

    fn again(_case: &Case<'_>) -> Self {
        Orders::default()
    }

    fn world(case: &Case<'_>) -> Register {
        // Once erased, a user can order no more.
        let is_refused = case.reason_of(publisher::ORDER, "OrderRejected") == Some(Reason::UnknownUser);
        let erased = case.facts.iter().filter(|_| is_refused && case.is_erased()).map(|order| (order.user_id, ()));
        let users = Users { erased: Rows::loaded(erased), ..Users::default() };
        Register { catalogue: catalogue(case), users, keys: keys(case), ..Register::default() }
    }

    fn occasions(case: &Case<'_>, next: Option<&Logged>) -> Vec<Command> {
        let Some(next) = next.filter(|next| next.causation_id.is_none()) else { return Vec::new() };
        let order_id = case.dossier.order;
        match next.event_type.as_str() {
            "OrderCreated" | "OrderRejected" => {
                let request = told_to_the_api(case);
                Vec::from_iter(
                    request
                        .map(|request| Command::Place(Placement { order_id, request, door: Door::Api, former: None })),
                )
            }
            "OrderCancelRequested" => vec![Command::RequestCancel(order_id)],
            "OrderTimedOut" => vec![Command::TimeOut(order_id)],
            _ => Vec::new(),
        }
    }

    fn meant(case: &Case<'_>, command: Command) -> Command {
        match command {
            // Found under this order: the id is derived, with a key that need not be known here.
            Command::Place(placement) if placement.request.order_id.is_none() => {
                Command::Place(Placement { order_id: case.dossier.order, ..placement })
            }
            other => other,
        }
    }

    fn rows(case: &Case<'_>, register: &Register) -> Vec<(Table, Value)> {
        let mut rows = Vec::new();
        for (order_id, row) in register.purchases.iter() {
            rows.push((Table::Orders, order_row(case, row)));
            rows.extend(row.facts.items.iter().map(|item| {
                let row = json!({
                    "order_id": order_id, "product_id": item.product_id, "quantity": item.quantity,
                    "unit_price": item.unit_price,
                });
                (Table::OrderItems, row)
            }));
        }
        rows.extend(register.history.iter().map(|entry| {
            let row = json!({ "order_id": entry.order_id, "event": entry.event, "service": entry.publisher.name() });
            (Table::OrderHistory, row)
        }));
        rows
    }

    fn now(command: &Command) -> DateTime<Utc> {
        match command {
            // Late enough for every deadline.
            Command::TimeOut(_) => DateTime::<Utc>::MAX_UTC,
            _ => DateTime::UNIX_EPOCH,
        }
    }

    fn normalise(case: &Case<'_>, table: Table, row: &mut Map<String, Value>) {
        match table {
            Table::Orders => {
                whether(row, "deadline");
                if is_told_to_the_api(case) {
                    whether(row, "request_hash");
                }
            }
            Table::OrderHistory => {
                row.remove("id");
                row.remove("at");
            }
            _ => {}
        }
    }
}

/// The buyer's key, if the order was placed with it: its address is sealed, or the request's fingerprint is the one under the
/// key.
fn keys(case: &Case<'_>) -> PersonKeys {
    let sealed = case.keys_of_address();
    let Some(order) = case.facts.as_ref().filter(|_| !sealed.is_sealing()) else { return sealed };
    let own = case.buyers.keys.only(order.user_id.0);
    let stored = case.column(Table::Orders, "request_hash");
    let requests = case.dossier.first_of(publisher::CLIENT);
    let mut requests =
        requests.iter().filter_map(|event| serde_json::from_str::<OrderRequested>(event.data.get()).ok());
    let is_under = |request: OrderRequested| {
        Fingerprint::under(&request, &own).is_ok_and(|keyed| stored.as_ref() == Some(&hex(keyed)))
    };
    if requests.any(is_under) { own } else { sealed }
}

/// A fingerprint as PostgreSQL writes it in JSON.
fn hex(fingerprint: Fingerprint) -> String {
    let hex: String = fingerprint.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\\x{hex}")
}

fn order_row(case: &Case<'_>, row: &Purchase) -> Value {
    let Purchase { facts, status, reason, deadline, request, money, fulfilment } = row;
    let Order { order_id, user_id, payment_method_id, currency, total, .. } = facts;
    let (money, refunded) = match money {
        Money::Open => ("open", 0),
        Money::Settled { refunded, .. } => ("settled", *refunded),
    };
    let request_hash = match request {
        Some(_) if is_told_to_the_api(case) => Value::Bool(true),
        Some(request) => Value::String(hex(*request)),
        None if is_told_to_the_api(case) => Value::Bool(false),
        None => Value::Null,
    };
    json!({
        "id": order_id, "user_id": user_id, "payment_method_id": payment_method_id, "currency": currency.to_string(),
        "total_amount": total, "status": status.as_str(), "reason": reason, "deadline": deadline.is_some(),
        "facts": facts, "request_hash": request_hash, "money": money, "refunded": refunded,
        "parcel": fulfilment.parcel.map(|branch| branch.as_str()), "unlock": fulfilment.unlock.map(|branch| branch.as_str()),
    })
}

/// Tells whether the order was placed through the API, so that no topic has the request.
fn is_told_to_the_api(case: &Case<'_>) -> bool {
    let said = case.said_by(publisher::ORDER);
    said.first().is_some_and(|first| first.causation_id.is_none())
}

/// A request that would have led to the first published event.
fn told_to_the_api(case: &Case<'_>) -> Option<OrderRequested> {
    let Order { user_id, payment_method_id, items, ship_to, .. } = case.facts.clone()?;
    let mut items: Vec<RequestedItem> =
        items.iter().map(|item| RequestedItem { product_id: item.product_id, quantity: item.quantity }).collect();
    if items.is_empty() {
        // Nothing is recorded about the items of a rejected order.
        items.push(RequestedItem { product_id: ProductId(0), quantity: 1 });
    }
    let ship_to = ship_to.map(|address| case.buyers.keys.shown(&address));
    Some(request(user_id, payment_method_id, items, ship_to))
}

fn request(
    user_id: UserId,
    payment_method_id: PaymentMethodId,
    items: Vec<RequestedItem>,
    ship_to: Option<String>,
) -> OrderRequested {
    OrderRequested { user_id, payment_method_id, items, order_id: None, idempotency_key: None, ship_to }
}

/// Prices at the time of the order.
fn catalogue(case: &Case<'_>) -> Catalogue {
    match case.reason_of(publisher::ORDER, "OrderRejected") {
        None => {
            let items = case.facts.iter().flat_map(|order| order.items.iter().map(|item| (order.currency, item)));
            items
                .map(|(currency, item)| {
                    (item.product_id, Product { price: item.unit_price, currency, kind: item.kind })
                })
                .collect()
        }
        Some(Reason::InvalidRequest) => priceless(case),
        Some(_) => Catalogue::new(),
    }
}

/// A catalogue in which the items have no price in one currency: the only reason for refusal that the request does not show.
fn priceless(case: &Case<'_>) -> Catalogue {
    let requests = case.dossier.first_of(publisher::CLIENT);
    let requests = requests.iter().filter_map(|event| serde_json::from_str::<OrderRequested>(event.data.get()).ok());
    let mut products: Vec<ProductId> = requests.flat_map(|request| request.items).map(|item| item.product_id).collect();
    products.sort_unstable();
    products.dedup();
    let currency = |place| if place == 0 { Currency::JPY } else { Currency::PTS };
    let product = |place| Product { price: i64::MAX, currency: currency(place), kind: events::Kind::Digital };
    products.into_iter().enumerate().map(|(place, id)| (id, product(place))).collect()
}
