//! The SQL of keys: which may be used, and by how many rows they are.

use events::{PaymentMethodId, UserId};
use saga::{StoreError, store::parse};
use sqlx::PgConnection;

use crate::sealed_details::Place;

/// PostgreSQL's code for a row that refers to another, which is not there or is to be deleted.
const FOREIGN_KEY_VIOLATION: &str = "23503";

/// Result of [`retire`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retired {
    Now,
    Before,
    /// Rows still use it.
    InUse,
    Unknown,
}

/// Result of [`registered`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    Never,
    InUse,
    Retired,
}

/// A key in the database.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Known {
    /// None for details of neither format.
    pub id: Option<String>,
    pub rows: i64,
    pub retired: bool,
}

/// A method with its details as they are stored.
#[derive(Debug)]
pub struct Row {
    pub place: Place,
    pub details: String,
}

type Columns = (i64, i64, String, String);

fn row((id, user, method_type, details): Columns) -> Result<Row, StoreError> {
    let method_type = parse("payment_methods", id, &method_type)?;
    Ok(Row { place: Place { method: PaymentMethodId(id), owner: UserId(user), method_type }, details })
}

/// Registers a key, so that rows may use it; returns false for one that is retired.
pub async fn add(db: &mut PgConnection, id: &str) -> sqlx::Result<bool> {
    let before = registered(db, id).await?;
    if before == Registered::Never {
        sqlx::query("insert into payment_keys (id) values ($1)").bind(id).execute(db).await?;
    }
    Ok(before != Registered::Retired)
}

/// What the database knows of this id, which no other adds or retires before the transaction ends.
pub async fn registered(db: &mut PgConnection, id: &str) -> sqlx::Result<Registered> {
    exclude_each_other(db).await?;
    let state: Option<bool> = sqlx::query_scalar(
        "select true from retired_payment_keys where id = $1 union all select false from payment_keys where id = $1",
    )
    .bind(id)
    .fetch_optional(db)
    .await?;
    Ok(match state {
        None => Registered::Never,
        Some(false) => Registered::InUse,
        Some(true) => Registered::Retired,
    })
}

/// Retires a key that no row uses. The reference of the rows decides, so no writer can come in between: one that has written a
/// row under this key is waited for, and one that comes later is refused.
pub async fn retire(db: &mut PgConnection, id: &str) -> sqlx::Result<Retired> {
    exclude_each_other(db).await?;
    let deleted = sqlx::query("delete from payment_keys where id = $1").bind(id).execute(&mut *db).await;
    match deleted {
        Err(error) if is_reference(&error) => return Ok(Retired::InUse),
        Err(error) => return Err(error),
        Ok(deleted) if deleted.rows_affected() == 1 => {}
        Ok(_) => {
            let before = sqlx::query_scalar("select exists (select from retired_payment_keys where id = $1)");
            return Ok(if before.bind(id).fetch_one(db).await? { Retired::Before } else { Retired::Unknown });
        }
    }
    let insert = sqlx::query("insert into retired_payment_keys (id) values ($1)");
    insert.bind(id).execute(db).await?;
    Ok(Retired::Now)
}

/// One of [`add`] and [`retire`] at a time. Writers of rows are not held up.
async fn exclude_each_other(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("lock table payment_keys in share row exclusive mode").execute(db).await.map(drop)
}

/// Returns whether a statement failed for a row that refers to a key.
pub fn is_reference(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == FOREIGN_KEY_VIOLATION)
}

/// All keys with the number of rows that use them.
pub async fn known(db: &mut PgConnection) -> sqlx::Result<Vec<Known>> {
    sqlx::query_as(
        r#"with used as (select details_key as id, count(*) as "rows" from payment_methods
                        where method_details is not null group by details_key),
                known as (select id, false as retired from payment_keys
                          union all select id, true from retired_payment_keys)
         select coalesce(known.id, used.id) as id, coalesce(used."rows", 0) as "rows", coalesce(retired, false) as retired
         from known full join used on used.id = known.id order by known.id"#,
    )
    .fetch_all(db)
    .await
}

/// Locks the next rows, in the order of their ids, whose details are not under this key. Rows that others have locked are left
/// out.
pub async fn next_to_renew(
    db: &mut PgConnection,
    active: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<Row>, StoreError> {
    let rows: Vec<Columns> = sqlx::query_as(
        "select id, user_id, method_type, method_details from payment_methods
         where id > $1 and method_details is not null and details_key is distinct from $2
         order by id limit $3 for update skip locked",
    )
    .bind(after)
    .bind(active)
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(row).collect()
}

/// Replaces the details of locked rows.
pub async fn renew(db: &mut PgConnection, renewed: &[(PaymentMethodId, String)]) -> sqlx::Result<()> {
    let (ids, details): (Vec<i64>, Vec<&str>) = renewed.iter().map(|(id, details)| (id.0, details.as_str())).unzip();
    let update = sqlx::query(
        "update payment_methods m set method_details = n.details
         from unnest($1::bigint[], $2::text[]) n (id, details) where m.id = n.id",
    );
    update.bind(ids).bind(details).execute(db).await.map(drop)
}

/// Number of rows whose details are not under this key.
pub async fn left(db: &mut PgConnection, active: &str) -> sqlx::Result<i64> {
    let left = "select count(*) from payment_methods
                where method_details is not null and details_key is distinct from $1";
    sqlx::query_scalar(left).bind(active).fetch_one(db).await
}

/// A method's row as it is now, if it has details.
pub async fn present(db: &mut PgConnection, method: PaymentMethodId) -> Result<Option<Row>, StoreError> {
    let columns: Option<Columns> = sqlx::query_as(
        "select id, user_id, method_type, method_details from payment_methods
         where id = $1 and method_details is not null",
    )
    .bind(method.0)
    .fetch_optional(db)
    .await?;
    columns.map(row).transpose()
}
