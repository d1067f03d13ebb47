//! Balances and stock, beside what was put in and what orders hold.

use sqlx::{PgConnection, prelude::FromRow};

use super::Finding;
use crate::{Database, databases::Databases};

/// A buyer's balance beside what orders did to it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct BalanceRow {
    pub user_id: i64,
    pub currency: String,
    pub balance: i64,
    pub reserved_balance: i64,
    pub deposited: i64,
    /// Held by reservations that are RESERVED or CONFIRMED.
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
    pub(super) async fn load(databases: &Databases) -> sqlx::Result<Self> {
        let mut accounts = databases.of_service(Database::ACCOUNTS).acquire().await?;
        let mut inventory = databases.of_service(Database::INVENTORY).acquire().await?;
        Ok(Ledgers { balances: Self::balances(&mut accounts).await?, stock: Self::stock(&mut inventory).await? })
    }

    /// Reads one consistent snapshot, in a single statement.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn balances(accounts: &mut PgConnection) -> sqlx::Result<Vec<BalanceRow>> {
        sqlx::query_as(
            "select b.user_id, b.currency, b.balance, b.reserved_balance, b.deposited,
                    coalesce(sum(r.amount) filter (where r.status = 'RESERVED'), 0)::bigint as held,
                    coalesce(sum(r.amount) filter (where r.status = 'CONFIRMED'), 0)::bigint as taken
             from balances b left join balance_reservations r on r.user_id = b.user_id and r.currency = b.currency
             group by b.user_id, b.currency",
        )
        .fetch_all(accounts)
        .await
    }

    /// Reads one consistent snapshot, in a single statement.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn stock(inventory: &mut PgConnection) -> sqlx::Result<Vec<StockRow>> {
        sqlx::query_as(
            "select s.product_id, s.stock_quantity, s.reserved_quantity, s.received,
                    coalesce(sum(r.quantity) filter (where r.status = 'RESERVED'), 0)::bigint as held,
                    coalesce(sum(r.quantity) filter (where r.status = 'CONFIRMED'), 0)::bigint as taken
             from stock s left join stock_reservations r on r.product_id = s.product_id
             group by s.product_id",
        )
        .fetch_all(inventory)
        .await
    }

    /// Balances and products that orders have drawn on and that no longer exist.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn gone(db: &mut PgConnection, database: Database) -> sqlx::Result<Vec<Finding>> {
        let select = match database {
            Database::ACCOUNTS => {
                "select distinct format('user %s has reservations in %s, but no balance', r.user_id, r.currency)
                 from balance_reservations r left join balances b on b.user_id = r.user_id and b.currency = r.currency
                 where b.user_id is null and r.status in ('RESERVED', 'CONFIRMED', 'REFUNDED')"
            }
            Database::INVENTORY => {
                "select distinct format('product %s has reservations, but no stock', r.product_id)
                 from stock_reservations r left join stock s on s.product_id = r.product_id
                 where s.product_id is null and r.status in ('RESERVED', 'CONFIRMED', 'REFUNDED')"
            }
            _ => return Ok(Vec::new()),
        };
        let gone: Vec<String> = sqlx::query_scalar(select).fetch_all(db).await?;
        Ok(gone.into_iter().map(Finding::general).collect())
    }
}
