//! Presents a world in the form that the audit of the real system reads, so that the same audit judges both.

use std::collections::HashMap;

use events::{Kind, OrderId, ProductId};
use saga::barrier::Status;
use scenarios::audit::{
    self, BalanceRow, Booking, Finding, Ledgers, OrderRow, Reservation, Steps, StockRow, Transaction,
};

use crate::{
    bus::{Change, World},
    shop::Shop,
};

/// All findings of the audit in a world at rest.
pub(crate) fn audit(shop: &Shop, world: &World) -> Vec<Finding> {
    let bookings: Vec<Booking> = world.sagas.iter().flat_map(|saga| saga.gateway.bookings(saga.order_id)).collect();
    let invariants = audit::judge(&steps(world), &ledgers(shop, world), &bookings);
    invariants.into_iter().flat_map(|invariant| invariant.findings).collect()
}

/// Every step that does not fit its order's end.
pub(crate) fn disagreements(world: &World) -> Vec<Finding> {
    audit::steps_agree(&steps(world)).findings
}

fn steps(world: &World) -> Steps {
    let databases = &world.databases;
    Steps {
        orders: databases.order.purchases.iter().map(|(id, purchase)| (*id, order_row(purchase))).collect(),
        reservations: databases.account.reservations.iter().map(|(id, row)| (*id, reservation(*id, row))).collect(),
        payments: databases.payment.transactions.iter().map(|(id, row)| (*id, transaction(row))).collect(),
        stock: words(databases.inventory.reservations.iter().map(|(id, row)| (*id, row.status))),
        shipments: words(databases.shipping.shipments.iter().map(|(id, row)| (*id, row.status))),
        entitlements: words(databases.entitlement.unlocks.iter().map(|(id, row)| (*id, row.status))),
        mails: {
            let sent = databases.notification.notices.iter().filter(|(_, notice)| notice.sent_at.is_some());
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

/// Balances and stock beside what orders did to them.
pub(crate) fn ledgers(shop: &Shop, world: &World) -> Ledgers {
    let (account, inventory) = (&world.databases.account, &world.databases.inventory);
    let of_balance = |(user, currency), wanted| {
        let rows = account.reservations.iter().map(|(_, row)| row);
        let rows = rows.filter(move |row| (row.user_id, row.currency, row.status) == (user, currency, wanted));
        rows.map(|row| row.amount).sum()
    };
    let restocked = i64::from(world.changes.contains(&Change::Restocked));
    let of_stock = |product: &ProductId, wanted| {
        let rows = inventory.reservations.iter().filter(|(_, row)| row.status == wanted);
        rows.filter_map(|(_, row)| row.items.get(product)).sum()
    };
    Ledgers {
        balances: account
            .balances
            .iter()
            .map(|((user, currency), row)| BalanceRow {
                user_id: user.0,
                currency: currency.to_string(),
                balance: row.balance,
                reserved_balance: row.reserved,
                deposited: shop.deposit,
                held: of_balance((*user, *currency), Status::Reserved),
                taken: of_balance((*user, *currency), Status::Confirmed),
            })
            .collect(),
        stock: inventory
            .stock
            .iter()
            .map(|(product, row)| StockRow {
                product_id: product.0,
                stock_quantity: row.quantity,
                reserved_quantity: row.reserved,
                received: shop.received.unwrap_or_default() + restocked,
                held: of_stock(product, Status::Reserved),
                taken: of_stock(product, Status::Confirmed),
            })
            .collect(),
    }
}
