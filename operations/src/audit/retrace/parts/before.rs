//! Account, payment and inventory: what is held, captured and refunded.

use std::collections::{BTreeMap, BTreeSet};

use account::{Account, Balance, Books};
use events::{Order, Reason, publisher};
use inventory::{Inventory, Stock, Warehouse};
use payment::{
    Payment,
    lifecycle::Step,
    method::{Method, MethodType},
};
use saga::Rows;
use serde_json::{Value, json};

use super::super::{Case, search::Retraced};
use crate::audit::{dossier::Logged, tables::Table};

/// Enough of anything, and far from overflow.
const PLENTY: i64 = i64::MAX / 4;

impl Retraced for Account {
    const TABLES: &'static [Table] = &[Table::BalanceReservations];

    fn again(_case: &Case<'_>) -> Self {
        Account
    }

    fn world(case: &Case<'_>) -> Books {
        let Some(order) = &case.facts else { return Books::default() };
        let refused = case.reason_of(publisher::ACCOUNT, "BalanceRejected");
        let users = (refused != Some(Reason::UnknownUser)).then_some(order.user_id);
        let balance = Balance { balance: PLENTY, reserved: 0 };
        let balances = (refused.is_none()).then_some(((order.user_id, order.currency), balance));
        Books { users: BTreeSet::from_iter(users), balances: Rows::loaded(balances), ..Books::default() }
    }

    fn occasions(_case: &Case<'_>, _next: Option<&Logged>) -> Vec<account::Command> {
        Vec::new()
    }

    fn rows(_case: &Case<'_>, books: &Books) -> Vec<(Table, Value)> {
        let rows = books.reservations.iter().map(|(order_id, row)| {
            let account::Reservation { user_id, currency, amount, status, reason } = row;
            let row = json!({
                "order_id": order_id, "user_id": user_id, "currency": currency.to_string(), "amount": amount,
                "status": status.as_str(), "reason": reason,
            });
            (Table::BalanceReservations, row)
        });
        rows.collect()
    }
}

impl Retraced for Payment {
    const TABLES: &'static [Table] = &[Table::PaymentTransactions];

    fn again(_case: &Case<'_>) -> Self {
        Payment
    }

    fn world(case: &Case<'_>) -> payment::Books {
        let refused = case.reason_of(publisher::PAYMENT, "PaymentDeclined");
        let method = case.facts.as_ref().filter(|_| refused != Some(Reason::InvalidPaymentMethod)).map(|order| {
            let method_type = method_type(case).unwrap_or(MethodType::Wallet);
            // Only a card has details; another method with some is declined.
            let details = (method_type == MethodType::Card).then(String::new);
            let method = Method { user_id: order.user_id, method_type, details };
            (order.payment_method_id, method)
        });
        payment::Books { methods: BTreeMap::from_iter(method), ..payment::Books::default() }
    }

    fn occasions(case: &Case<'_>, _next: Option<&Logged>) -> Vec<payment::Command> {
        if method_type(case) != Some(MethodType::Card) {
            return Vec::new();
        }
        let why = |event_type| case.reason_of(publisher::PAYMENT, event_type).unwrap_or(Reason::CardDeclined);
        let answers = [
            Step::Authorized,
            Step::AuthorizeDeclined(why("PaymentDeclined")),
            Step::AuthorizeGaveUp,
            Step::Captured,
            Step::CaptureRefused(why("PaymentCaptureFailed")),
            Step::Voided,
            Step::CapturedElsewhere,
            Step::Refunded,
            Step::NotCaptured,
        ];
        answers.map(|answer| payment::Command::answered(case.dossier.order, answer)).to_vec()
    }

    fn rows(_case: &Case<'_>, books: &payment::Books) -> Vec<(Table, Value)> {
        let rows = books.transactions.iter().map(|(order_id, row)| {
            let payment::Transaction { order, method_type, phase } = row;
            let Order { user_id, payment_method_id, currency, total, .. } = order;
            let columns = phase.columns();
            let row = json!({
                "order_id": order_id, "user_id": user_id, "payment_method_id": payment_method_id, "amount": total,
                "currency": currency.to_string(), "status": phase.status(), "reason": columns.reason,
                "phase": columns.phase, "method_type": method_type.map(MethodType::as_str),
                "cancel_reason": columns.cancel_reason, "facts": order,
            });
            (Table::PaymentTransactions, row)
        });
        rows.collect()
    }
}

/// The payment method as recorded at the time. The gateway's ledger shows whether it was a card.
fn method_type(case: &Case<'_>) -> Option<MethodType> {
    case.column(Table::PaymentTransactions, "method_type")?.parse().ok()
}

impl Retraced for Inventory {
    const TABLES: &'static [Table] = &[Table::StockReservations];

    fn again(_case: &Case<'_>) -> Self {
        Inventory
    }

    fn world(case: &Case<'_>) -> Warehouse {
        let Some(order) = &case.facts else { return Warehouse::default() };
        let refused = case.said_by(publisher::INVENTORY).into_iter().find(|said| said.event_type == "StockRejected");
        let refused =
            refused.and_then(|said| serde_json::from_str::<events::inventory::StockRejected>(said.data.get()).ok());
        let stock = order.items.iter().filter_map(|item| {
            let plenty = Stock { quantity: PLENTY, reserved: 0 };
            let none = Stock { quantity: 0, reserved: 0 };
            match &refused {
                Some(refused) if refused.product_id == item.product_id => {
                    (refused.reason != Reason::UnknownProduct).then_some((item.product_id, none))
                }
                Some(_) | None => Some((item.product_id, plenty)),
            }
        });
        Warehouse { stock: Rows::loaded(stock), reservations: Rows::default() }
    }

    fn occasions(_case: &Case<'_>, _next: Option<&Logged>) -> Vec<inventory::Command> {
        Vec::new()
    }

    fn rows(_case: &Case<'_>, warehouse: &Warehouse) -> Vec<(Table, Value)> {
        let rows = warehouse.reservations.iter().flat_map(|(order_id, row)| {
            row.items.iter().map(move |(product_id, quantity)| {
                let row = json!({
                    "order_id": order_id, "product_id": product_id, "quantity": quantity,
                    "status": row.status.as_str(), "reason": row.reason,
                });
                (Table::StockReservations, row)
            })
        });
        rows.collect()
    }
}
