//! SQL of `erased_users`.

use std::collections::BTreeMap;

use events::{OrderId, UserId};
use saga::{Rows, StoreError, sessions::Sessions, store::erase_kept};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    command::Command,
    erasure::{OrdersOf, Users},
};

/// Before any order is locked: an erasure waits for those who place orders, and they for it.
pub(super) async fn load(db: &mut PgConnection, commands: &[&Command]) -> Result<Users, StoreError> {
    let placing = commands.iter().filter_map(|command| command.placement());
    let mut asked: Vec<i64> = placing.map(|placement| placement.request.user_id.0).collect();
    let mut erasing: Vec<i64> = commands.iter().filter_map(|command| Some(command.erased()?.0)).collect();
    if asked.is_empty() && erasing.is_empty() {
        return Ok(Users::default());
    }
    erasing.sort_unstable();
    erasing.dedup();
    for user in &erasing {
        sqlx::query("select close_user($1)").bind(user).execute(&mut *db).await?;
    }
    let mut orders = BTreeMap::new();
    for user in &erasing {
        orders.insert(UserId(*user), orders_of(db, *user).await?);
    }
    asked.extend(erasing);
    asked.sort_unstable();
    asked.dedup();
    let erased: Vec<i64> = sqlx::query_scalar("select * from erased_among($1)").bind(asked).fetch_all(db).await?;
    Ok(Users { erased: Rows::loaded(erased.into_iter().map(|user| (UserId(user), ()))), orders, ..Users::default() })
}

async fn orders_of(db: &mut PgConnection, user: i64) -> Result<OrdersOf, StoreError> {
    let rows: Vec<(Uuid, bool)> = sqlx::query_as(
        "select id, status in ('PENDING', 'CANCELLING') from orders where user_id = $1 order by created_at, id",
    )
    .bind(user)
    .fetch_all(db)
    .await?;
    let under_way = rows.iter().filter(|(_, is_under_way)| *is_under_way).count();
    Ok(OrdersOf { under_way, all: rows.into_iter().map(|(id, _)| OrderId(id)).collect() })
}

pub(super) async fn save(db: &mut PgConnection, users: &Users) -> Result<(), StoreError> {
    let new: Vec<i64> = users.erased.new_rows().into_iter().map(|(user, ())| user.0).collect();
    if !new.is_empty() {
        sqlx::query("insert into erased_users (user_id) select unnest($1::bigint[]) on conflict do nothing")
            .bind(new)
            .execute(&mut *db)
            .await?;
    }
    for user in &users.scrubbed {
        sqlx::query("select erase_orders($1)").bind(user.0).execute(&mut *db).await?;
        let orders = users.orders.get(user).map(|orders| orders.all.as_slice()).unwrap_or_default();
        erase_kept(db, orders).await?;
    }
    Ok(())
}

/// Tells whether a user is erased.
pub(crate) async fn is_erased(sessions: &Sessions, user: UserId) -> Result<bool, StoreError> {
    let asking = sqlx::query_scalar("select exists (select from erased_users where user_id = $1)").bind(user.0);
    Ok(sessions.bounded(asking.fetch_one(sessions.pool())).await?)
}
