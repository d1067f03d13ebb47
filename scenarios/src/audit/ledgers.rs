//! The balances and the stock, with what was put in and what orders hold of them.

use sqlx::prelude::FromRow;

use crate::{databases::Databases, stack::Database};

/// A buyer's balance beside what orders did to it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct BalanceRow {
    pub user_id: i64,
    pub currency: String,
    pub balance: i64,
    pub reserved_balance: i64,
    pub deposited: i64,
    /// By reservations that are RESERVED and CONFIRMED.
    pub held: i64,
    pub taken: i64,
}

/// A product's stock beside what orders did to it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StockRow {
    pub product_id: i64,
    pub stock_quantity: i64,
    pub reserved_quantity: i64,
    pub received: i64,
    pub held: i64,
    pub taken: i64,
}

/// Both ledgers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledgers {
    pub balances: Vec<BalanceRow>,
    pub stock: Vec<StockRow>,
}

impl Ledgers {
    /// Each ledger is read in one statement, so in one snapshot.
    pub(super) async fn load(databases: &Databases) -> sqlx::Result<Self> {
        let balances = sqlx::query_as(
            "select b.user_id, b.currency, b.balance, b.reserved_balance, b.deposited,
                    coalesce(sum(r.amount) filter (where r.status = 'RESERVED'), 0)::bigint as held,
                    coalesce(sum(r.amount) filter (where r.status = 'CONFIRMED'), 0)::bigint as taken
             from balances b left join balance_reservations r on r.user_id = b.user_id and r.currency = b.currency
             group by b.user_id, b.currency",
        )
        .fetch_all(databases.of_service(Database::Accounts))
        .await?;
        let stock = sqlx::query_as(
            "select s.product_id, s.stock_quantity, s.reserved_quantity, s.received,
                    coalesce(sum(r.quantity) filter (where r.status = 'RESERVED'), 0)::bigint as held,
                    coalesce(sum(r.quantity) filter (where r.status = 'CONFIRMED'), 0)::bigint as taken
             from stock s left join stock_reservations r on r.product_id = s.product_id
             group by s.product_id",
        )
        .fetch_all(databases.of_service(Database::Inventory))
        .await?;
        Ok(Ledgers { balances, stock })
    }
}
