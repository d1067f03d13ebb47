//! The account's SQL.

use std::collections::BTreeSet;

use events::{Currency, OrderId, Reason, UserId, erasure::Scrubs};
use saga::{
    Rows, StoreError,
    store::{all_inserted, erase_kept, parse, update_steps},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{Balance, Books, Command, Reservation};

pub(crate) async fn load(db: &mut PgConnection, commands: &[&Command]) -> Result<Books, StoreError> {
    let orders: Vec<Uuid> = commands.iter().filter_map(|command| Some(command.order()?.order_id.0)).collect();
    let reservations = reservations(db, &orders).await?;
    // Load the held balances too: an event that names another buyer than the reservation still compensates the reservation.
    let asked = commands.iter().filter_map(|command| command.order()).map(|order| (order.user_id, order.currency));
    let held = reservations.iter().map(|(_, row)| (row.user_id, row.currency));
    let owners: BTreeSet<(UserId, Currency)> = asked.chain(held).collect();
    let users: Vec<i64> = owners.iter().map(|(user, _)| user.0).collect();
    let currencies: Vec<&str> = owners.iter().map(|(_, currency)| currency.as_str()).collect();
    Ok(Books {
        balances: balances(db, &users, &currencies).await?,
        users: known_users(db, &users).await?,
        reservations,
        scrubs: Scrubs::default(),
    })
}

async fn known_users(db: &mut PgConnection, users: &[i64]) -> Result<BTreeSet<UserId>, StoreError> {
    let known: Vec<i64> =
        sqlx::query_scalar("select id from users where id = any($1)").bind(users).fetch_all(db).await?;
    Ok(known.into_iter().map(UserId).collect())
}

async fn reservations(db: &mut PgConnection, orders: &[Uuid]) -> Result<Rows<OrderId, Reservation>, StoreError> {
    let rows: Vec<(Uuid, i64, String, i64, String, Option<String>)> = sqlx::query_as(
        "select order_id, user_id, currency, amount, status, reason from balance_reservations
         where order_id = any($1) order by order_id for update",
    )
    .bind(orders)
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(order, user, currency, amount, status, reason)| {
            let row = Reservation {
                user_id: UserId(user),
                currency: parse("balance_reservations", order, &currency)?,
                amount,
                status: parse("balance_reservations", order, &status)?,
                reason: reason.map(|reason| parse("balance_reservations", order, &reason)).transpose()?,
            };
            Ok((OrderId(order), row))
        })
        .collect::<Result<Vec<_>, StoreError>>()
        .map(Rows::loaded)
}

async fn balances(
    db: &mut PgConnection,
    users: &[i64],
    currencies: &[&str],
) -> Result<Rows<(UserId, Currency), Balance>, StoreError> {
    let rows: Vec<(i64, String, i64, i64)> = sqlx::query_as(
        "select user_id, currency, balance, reserved_balance from balances
         where (user_id, currency) in (select * from unnest($1::bigint[], $2::text[]))
         order by user_id, currency for update",
    )
    .bind(users)
    .bind(currencies)
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(user, currency, balance, reserved)| {
            Ok(((UserId(user), parse("balances", user, &currency)?), Balance { balance, reserved }))
        })
        .collect::<Result<Vec<_>, StoreError>>()
        .map(Rows::loaded)
}

pub(crate) async fn save(db: &mut PgConnection, books: &Books) -> Result<(), StoreError> {
    insert_reservations(db, &books.reservations.new_rows()).await?;
    update_reservations(db, &books.reservations.changed_rows()).await?;
    update_balances(db, &books.balances.changed_rows()).await?;
    for (user, orders) in books.scrubs.iter() {
        sqlx::query("select erase_user($1)").bind(user.0).execute(&mut *db).await?;
        erase_kept(db, orders).await?;
    }
    Ok(())
}

async fn insert_reservations(db: &mut PgConnection, rows: &[(&OrderId, &Reservation)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let inserted = sqlx::query(
        "insert into balance_reservations (order_id, user_id, currency, amount, status, reason)
         select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[])
         on conflict do nothing",
    )
    .bind(rows.iter().map(|(order, _)| order.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.user_id.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.currency.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.amount).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.status.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.reason.as_ref().map(Reason::as_str)).collect::<Vec<_>>())
    .execute(db)
    .await?;
    all_inserted("balance_reservations", rows.len(), inserted.rows_affected())
}

async fn update_reservations(db: &mut PgConnection, rows: &[(&OrderId, &Reservation)]) -> Result<(), StoreError> {
    update_steps(
        db,
        "update balance_reservations r set status = n.status, reason = n.reason, updated_at = now()
         from unnest($1::uuid[], $2::text[], $3::text[]) n (order_id, status, reason) where r.order_id = n.order_id",
        rows.iter().map(|(order, row)| (**order, row.status, row.reason)),
    )
    .await
}

async fn update_balances(db: &mut PgConnection, rows: &[(&(UserId, Currency), &Balance)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update balances b set balance = n.balance, reserved_balance = n.reserved
         from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) n (user_id, currency, balance, reserved)
         where b.user_id = n.user_id and b.currency = n.currency",
    )
    .bind(rows.iter().map(|((user, _), _)| user.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|((_, currency), _)| currency.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.balance).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.reserved).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}
