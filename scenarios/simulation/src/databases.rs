//! The services' databases, with the shop's first rows.

use std::collections::BTreeMap;

use events::{Kind, publisher};
use saga::testing::TestDatabase;
use sqlx::{PgPool, migrate::Migrator, postgres::PgConnectOptions};

use crate::shop::Shop;

/// A database for each service, as long as this value lives.
pub struct Databases(Vec<(&'static str, TestDatabase)>);

/// Services and their tables.
fn services() -> [(&'static str, &'static Migrator); 7] {
    [
        (publisher::ORDER.name(), &order::MIGRATIONS),
        (publisher::ACCOUNT.name(), &account::MIGRATIONS),
        (publisher::PAYMENT.name(), &payment::MIGRATIONS),
        (publisher::INVENTORY.name(), &inventory::MIGRATIONS),
        (publisher::SHIPPING.name(), &shipping::MIGRATIONS),
        (publisher::ENTITLEMENT.name(), &entitlement::MIGRATIONS),
        (publisher::NOTIFICATION.name(), &notification::MIGRATIONS),
    ]
}

impl Databases {
    /// Creates them on this server, as a superuser, for this shop.
    ///
    /// # Errors
    /// If the first rows cannot be written.
    ///
    /// # Panics
    /// If a database cannot be created.
    pub async fn create(server: &PgConnectOptions, shop: &Shop) -> sqlx::Result<Self> {
        let mut all = Vec::new();
        for (service, migrations) in services() {
            all.push((service, TestDatabase::create_on(server.clone(), migrations).await));
        }
        let databases = Databases(all);
        databases.fill(shop).await?;
        Ok(databases)
    }

    /// Empties them, and writes the first rows of another shop.
    ///
    /// # Errors
    /// If a database cannot be used.
    pub async fn reset(&self, shop: &Shop) -> sqlx::Result<()> {
        for (_, database) in &self.0 {
            sqlx::raw_sql(
                "do $$ declare all_tables text; begin
                     select string_agg(quote_ident(relname), ', ') into all_tables from pg_class
                     where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
                       and relname not in ('_sqlx_migrations', 'outbox_publisher', 'relay_cursor');
                     execute 'truncate ' || all_tables;
                 end $$",
            )
            .execute(database.pool())
            .await?;
        }
        self.fill(shop).await
    }

    /// Their connections, by service.
    pub fn pools(&self) -> BTreeMap<&'static str, PgPool> {
        self.0.iter().map(|(service, database)| (*service, database.pool().clone())).collect()
    }

    async fn fill(&self, shop: &Shop) -> sqlx::Result<()> {
        let (pools, rows) = (self.pools(), shop.rows());
        let of = |service: events::Publisher| &pools[service.name()];
        for (product, sold) in &rows.order.catalogue {
            sqlx::query("insert into products (id, name, price, currency, kind) values ($1, $2, $3, $4, $5)")
                .bind(product.0)
                .bind(format!("product {product}"))
                .bind(sold.price)
                .bind(sold.currency.as_str())
                .bind(if sold.kind == Kind::Digital { "digital" } else { "physical" })
                .execute(of(publisher::ORDER))
                .await?;
        }
        for user in &rows.account.users {
            sqlx::query("insert into users (id, username) values ($1, $2)")
                .bind(user.0)
                .bind(format!("user {user}"))
                .execute(of(publisher::ACCOUNT))
                .await?;
        }
        for ((user, currency), row) in rows.account.balances.iter() {
            sqlx::query("insert into balances (user_id, currency, balance) values ($1, $2, $3)")
                .bind(user.0)
                .bind(currency.as_str())
                .bind(row.balance)
                .execute(of(publisher::ACCOUNT))
                .await?;
        }
        for (id, method) in &rows.payment.methods {
            sqlx::query(
                "insert into payment_methods (id, user_id, method_type, method_details) values ($1, $2, $3, $4)",
            )
            .bind(id.0)
            .bind(method.user_id.0)
            .bind(method.method_type.to_string())
            .bind(&method.details)
            .execute(of(publisher::PAYMENT))
            .await?;
        }
        for (product, row) in rows.inventory.stock.iter() {
            sqlx::query("insert into stock (product_id, stock_quantity) values ($1, $2)")
                .bind(product.0)
                .bind(row.quantity)
                .execute(of(publisher::INVENTORY))
                .await?;
        }
        sqlx::query("delete from no_service").execute(of(publisher::SHIPPING)).await?;
        sqlx::query("insert into no_service select unnest($1::text[])")
            .bind(&rows.shipping.no_service)
            .execute(of(publisher::SHIPPING))
            .await?;
        for (product, available) in &rows.entitlement.catalogue {
            sqlx::query("insert into catalogue (product_id, available) values ($1, $2)")
                .bind(product.0)
                .bind(available)
                .execute(of(publisher::ENTITLEMENT))
                .await?;
        }
        for (user, address) in &rows.notification.contacts {
            sqlx::query("insert into contacts (user_id, address) values ($1, $2)")
                .bind(user.0)
                .bind(address)
                .execute(of(publisher::NOTIFICATION))
                .await?;
        }
        Ok(())
    }
}
