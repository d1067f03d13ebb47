//! Seeds the well-known data into each service's database. Idempotent.

use anyhow::Context;
use operations::databases::Databases;
use sqlx::PgPool;

use crate::{
    Database, Environment,
    cast::{GOODS, Good, PEOPLE, Person, crowd},
    methods::{self, NewMethod},
};

/// Range of ids that `--many` adds: buyers and goods for load.
pub const MANY_USERS: std::ops::RangeInclusive<i64> = 1001..=11_000;
pub const MANY_PRODUCTS: std::ops::RangeInclusive<i64> = 1001..=2_000;

/// The people and goods of the scenarios and the documentation.
pub async fn well_known(environment: &Environment) -> anyhow::Result<()> {
    let databases = Databases::of(environment)?;
    let people: Vec<Person> = PEOPLE.iter().copied().chain(crowd()).collect();
    users(databases.of_operator(Database::ACCOUNTS), &people).await.context("seeding accounts")?;
    methods(databases.of_operator(Database::PAYMENTS), &people, environment).await.context("seeding payments")?;
    products(databases.of_operator(Database::ORDERS)).await.context("seeding orders")?;
    stock(databases.of_operator(Database::INVENTORY)).await.context("seeding inventory")?;
    catalogue(databases.of_operator(Database::ENTITLEMENTS)).await.context("seeding entitlements")?;
    contacts(databases.of_operator(Database::NOTIFICATIONS)).await.context("seeding notifications")
}

/// Ten thousand wealthy users and a thousand well-stocked products.
pub async fn many(environment: &Environment) -> anyhow::Result<()> {
    let databases = Databases::of(environment)?;
    let (first_user, last_user) = (*MANY_USERS.start(), *MANY_USERS.end());
    let (first_product, last_product) = (*MANY_PRODUCTS.start(), *MANY_PRODUCTS.end());
    let statements: [(Database, &'static str, i64, i64); 6] = [
        (
            Database::ACCOUNTS,
            "insert into users (id, username) select id, 'user-' || id from generate_series($1::bigint, $2::bigint) id on conflict do nothing",
            first_user,
            last_user,
        ),
        (
            Database::ACCOUNTS,
            "insert into balances (user_id, currency, balance) select id, 'JPY', 1000000 from generate_series($1::bigint, $2::bigint) id on conflict do nothing",
            first_user,
            last_user,
        ),
        (
            Database::PAYMENTS,
            "insert into payment_methods (id, user_id, method_type) select id, id, 'wallet' from generate_series($1::bigint, $2::bigint) id on conflict do nothing",
            first_user,
            last_user,
        ),
        (
            Database::ORDERS,
            "insert into products (id, name, price, currency, kind) select id, 'product-' || id, 100, 'JPY', 'digital' from generate_series($1::bigint, $2::bigint) id on conflict do nothing",
            first_product,
            last_product,
        ),
        (
            Database::INVENTORY,
            "insert into stock (product_id, stock_quantity) select id, 1000000 from generate_series($1::bigint, $2::bigint) id on conflict do nothing",
            first_product,
            last_product,
        ),
        (
            Database::ENTITLEMENTS,
            "insert into catalogue (product_id, available) select id, true from generate_series($1::bigint, $2::bigint) id on conflict do nothing",
            first_product,
            last_product,
        ),
    ];
    for (database, statement, first, last) in statements {
        sqlx::query(statement)
            .bind(first)
            .bind(last)
            .execute(databases.of_operator(database))
            .await
            .with_context(|| format!("seeding {database}"))?;
    }
    Ok(())
}

async fn users(accounts: &PgPool, people: &[Person]) -> sqlx::Result<()> {
    let ids: Vec<i64> = people.iter().map(|person| person.id).collect();
    let names: Vec<String> = people
        .iter()
        .map(|person| if person.name == "crowd" { format!("crowd-{}", person.id) } else { person.name.to_owned() })
        .collect();
    sqlx::query(
        "insert into users (id, username) select * from unnest($1::bigint[], $2::text[]) on conflict do nothing",
    )
    .bind(&ids)
    .bind(&names)
    .execute(accounts)
    .await?;
    sqlx::query(
        "insert into balances (user_id, currency, balance)
         select * from unnest($1::bigint[], $2::text[], $3::bigint[]) on conflict do nothing",
    )
    .bind(&ids)
    .bind(people.iter().map(|person| person.currency.to_string()).collect::<Vec<_>>())
    .bind(people.iter().map(|person| person.owns).collect::<Vec<_>>())
    .execute(accounts)
    .await?;
    Ok(())
}

/// Only missing methods are asked for, so a system that has them all needs no payment service.
async fn methods(payments: &PgPool, people: &[Person], environment: &Environment) -> anyhow::Result<()> {
    let present: Vec<i64> =
        sqlx::query_scalar("select id from payment_methods where id < 1000").fetch_all(payments).await?;
    let missing = people.iter().filter(|person| !present.contains(&person.id));
    let missing: Vec<NewMethod> = missing.map(|person| NewMethod::of(person.id, person.id, person.method)).collect();
    methods::add(payments, environment, &missing).await
}

async fn products(orders: &PgPool) -> sqlx::Result<()> {
    sqlx::query(
        "insert into products (id, name, price, currency, kind)
         select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[]) on conflict do nothing",
    )
    .bind(of_goods(|good| good.id))
    .bind(of_goods(|good| good.name))
    .bind(of_goods(|good| good.price))
    .bind(of_goods(|good| good.currency.to_string()))
    .bind(of_goods(|good| good.kind.as_str()))
    .execute(orders)
    .await?;
    Ok(())
}

async fn stock(inventory: &PgPool) -> sqlx::Result<()> {
    sqlx::query(
        "insert into stock (product_id, stock_quantity)
         select * from unnest($1::bigint[], $2::bigint[]) on conflict do nothing",
    )
    .bind(of_goods(|good| good.id))
    .bind(of_goods(|good| good.stock))
    .execute(inventory)
    .await?;
    Ok(())
}

async fn catalogue(entitlements: &PgPool) -> sqlx::Result<()> {
    sqlx::query(
        "insert into catalogue (product_id, available)
         select id, available from unnest($1::bigint[], $2::bool[], $3::text[]) goods (id, available, kind)
         where kind = 'digital' on conflict do nothing",
    )
    .bind(of_goods(|good| good.id))
    .bind(of_goods(|good| good.available))
    .bind(of_goods(|good| good.kind.as_str()))
    .execute(entitlements)
    .await?;
    Ok(())
}

async fn contacts(notifications: &PgPool) -> sqlx::Result<()> {
    sqlx::query(
        "insert into contacts (user_id, address)
         select id, name || '@example.test' from unnest($1::bigint[], $2::text[]) people (id, name) on conflict do nothing",
    )
    .bind(PEOPLE.iter().map(|person| person.id).collect::<Vec<_>>())
    .bind(PEOPLE.iter().map(|person| person.name).collect::<Vec<_>>())
    .execute(notifications)
    .await?;
    Ok(())
}

fn of_goods<T>(column: impl Fn(&'static Good) -> T) -> Vec<T> {
    GOODS.iter().map(column).collect()
}
