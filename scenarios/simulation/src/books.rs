//! Rows of all services in the form that the audit of the real system reads, so that the same audit judges both.

use std::collections::HashMap;

use events::{Kind, OrderId, ProductId};
use operations::audit::{BalanceRow, Ledgers, OrderRow, Reservation, Steps, StockRow, Transaction};
use saga::barrier::Status;

use crate::shop::Shop;

/// The rows of every service.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "each is the service of its name")]
pub struct Stores<'a> {
    pub order: &'a order::Register,
    pub account: &'a account::Books,
    pub payment: &'a payment::Books,
    pub inventory: &'a inventory::Warehouse,
    pub shipping: &'a shipping::Depot,
    pub entitlement: &'a entitlement::Shelf,
    pub notification: &'a notification::Correspondence,
}

/// State of each order in each service.
pub fn steps(stores: Stores<'_>) -> Steps {
    Steps {
        orders: stores.order.purchases.iter().map(|(id, purchase)| (*id, order_row(purchase))).collect(),
        reservations: stores.account.reservations.iter().map(|(id, row)| (*id, reservation(*id, row))).collect(),
        payments: stores.payment.transactions.iter().map(|(id, row)| (*id, transaction(row))).collect(),
        stock: words(stores.inventory.reservations.iter().map(|(id, row)| (*id, row.status))),
        shipments: words(stores.shipping.shipments.iter().map(|(id, row)| (*id, row.status))),
        entitlements: words(stores.entitlement.unlocks.iter().map(|(id, row)| (*id, row.status))),
        mails: {
            let sent = stores.notification.notices.iter().filter(|(_, notice)| notice.sent_at.is_some());
            sent.map(|(id, notice)| (*id, vec![notice.kind.to_string()])).collect()
        },
    }
}

fn order_row(purchase: &order::Purchase) -> OrderRow {
    let facts = &purchase.facts;
    OrderRow {
        id: facts.order_id.0,
        status: purchase.status.to_string(),
        reason: purchase.reason.map(|reason| reason.to_string()),
        currency: facts.currency.to_string(),
        total_amount: facts.total,
        deadline: purchase.deadline,
        physical: facts.has(Kind::Physical),
        digital: facts.has(Kind::Digital),
    }
}

fn reservation(order: OrderId, row: &account::Reservation) -> Reservation {
    Reservation {
        order_id: order.0,
        user_id: row.user_id.0,
        currency: row.currency.to_string(),
        amount: row.amount,
        status: row.status.to_string(),
    }
}

fn transaction(row: &payment::Transaction) -> Transaction {
    Transaction {
        order_id: row.order.order_id.0,
        amount: row.order.total,
        currency: row.order.currency.to_string(),
        status: row.phase.status().to_owned(),
        method_type: row.method_type.map(|method_type| method_type.to_string()),
    }
}

fn words(statuses: impl Iterator<Item = (OrderId, Status)>) -> HashMap<OrderId, Vec<String>> {
    statuses.map(|(order, status)| (order, vec![status.to_string()])).collect()
}

/// Balances and stock beside what orders did to them. `restocked` pieces of each product have been received since.
pub fn ledgers(shop: &Shop, restocked: i64, stores: Stores<'_>) -> Ledgers {
    Ledgers { balances: balances(shop, stores.account), stock: stock(shop, restocked, stores.inventory) }
}

fn balances(shop: &Shop, account: &account::Books) -> Vec<BalanceRow> {
    let of_orders = |(user, currency), wanted| {
        let rows = account.reservations.iter().map(|(_, row)| row);
        let rows = rows.filter(move |row| (row.user_id, row.currency, row.status) == (user, currency, wanted));
        rows.map(|row| row.amount).sum()
    };
    let balances = account.balances.iter().map(|((user, currency), row)| BalanceRow {
        user_id: user.0,
        currency: currency.to_string(),
        balance: row.balance,
        reserved_balance: row.reserved,
        deposited: shop.deposit,
        held: of_orders((*user, *currency), Status::Reserved),
        taken: of_orders((*user, *currency), Status::Confirmed),
    });
    balances.collect()
}

fn stock(shop: &Shop, restocked: i64, inventory: &inventory::Warehouse) -> Vec<StockRow> {
    let of_orders = |product: &ProductId, wanted| {
        let rows = inventory.reservations.iter().filter(|(_, row)| row.status == wanted);
        rows.filter_map(|(_, row)| row.items.get(product)).sum()
    };
    let stock = inventory.stock.iter().map(|(product, row)| StockRow {
        product_id: product.0,
        stock_quantity: row.quantity,
        reserved_quantity: row.reserved,
        received: shop.received.unwrap_or_default() + restocked,
        held: of_orders(product, Status::Reserved),
        taken: of_orders(product, Status::Confirmed),
    });
    stock.collect()
}

/// Checks that balances are conserved and never negative.
///
/// # Errors
/// Names the first balance that is not.
pub fn money_is_conserved(shop: &Shop, account: &account::Books) -> Result<(), String> {
    let right = |row: &&BalanceRow| {
        let in_bounds = 0 <= row.reserved_balance && row.reserved_balance <= row.balance;
        in_bounds && row.reserved_balance == row.held && row.balance + row.taken == row.deposited
    };
    balances(shop, account).iter().find(|row| !right(row)).map_or(Ok(()), |row| Err(format!("{row:?}")))
}

/// Checks that stock is conserved and never negative. `restocked` pieces of each product have been received since.
///
/// # Errors
/// Names the first product that is not.
pub fn stock_is_conserved(shop: &Shop, restocked: i64, inventory: &inventory::Warehouse) -> Result<(), String> {
    let right = |row: &&StockRow| {
        let in_bounds = 0 <= row.reserved_quantity && row.reserved_quantity <= row.stock_quantity;
        in_bounds && row.reserved_quantity == row.held && row.stock_quantity + row.taken == row.received
    };
    stock(shop, restocked, inventory).iter().find(|row| !right(row)).map_or(Ok(()), |row| Err(format!("{row:?}")))
}
