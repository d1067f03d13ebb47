//! The payment service's SQL.

use std::collections::BTreeMap;

use events::{Order, OrderId, PaymentMethodId, Reason, UserId, erasure::Scrubs};
use saga::{
    Rows, StoreError,
    store::{all_inserted, erase_kept, parse},
};
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{Books, Command, Transaction},
    lifecycle::Step,
    method::{Method, MethodType},
    phase::{Columns, Phase},
};

pub(crate) async fn load(db: &mut PgConnection, commands: &[&Command]) -> Result<Books, StoreError> {
    let orders: Vec<Uuid> = commands.iter().map(|command| command.order_id().0).collect();
    let methods: Vec<i64> = commands
        .iter()
        .filter(|command| command.step() == Some(Step::Authorize))
        .filter_map(|command| command.facts().map(|order| order.payment_method_id.0))
        .collect();
    let (transactions, methods) = (transactions(db, &orders).await?, known_methods(db, &methods).await?);
    Ok(Books { transactions, methods, scrubs: Scrubs::default() })
}

async fn known_methods(
    db: &mut PgConnection,
    methods: &[i64],
) -> Result<BTreeMap<PaymentMethodId, Method>, StoreError> {
    if methods.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, i64, String, Option<String>)> =
        sqlx::query_as("select id, user_id, method_type, method_details from payment_methods where id = any($1)")
            .bind(methods)
            .fetch_all(db)
            .await?;
    rows.into_iter()
        .map(|(id, user, method_type, details)| {
            let method_type = parse("payment_methods", id, &method_type)?;
            Ok((PaymentMethodId(id), Method { user_id: UserId(user), method_type, details }))
        })
        .collect()
}

#[derive(FromRow)]
struct Stored {
    order_id: Uuid,
    facts: Json<Order>,
    method_type: Option<String>,
    phase: String,
    reason: Option<String>,
    cancel_reason: Option<String>,
}

async fn transactions(db: &mut PgConnection, orders: &[Uuid]) -> Result<Rows<OrderId, Transaction>, StoreError> {
    let rows: Vec<Stored> = sqlx::query_as(
        "select order_id, facts, method_type, phase, reason, cancel_reason from payment_transactions
         where order_id = any($1) order by order_id for update",
    )
    .bind(orders)
    .fetch_all(db)
    .await?;
    let rows: Result<Vec<_>, StoreError> = rows.into_iter().map(Stored::read).collect();
    rows.map(Rows::loaded)
}

impl Stored {
    fn read(self) -> Result<(OrderId, Transaction), StoreError> {
        const TABLE: &str = "payment_transactions";
        let Stored { order_id, facts: Json(order), method_type, phase, reason, cancel_reason } = self;
        let reason_of = |text: Option<String>| -> Result<Option<Reason>, StoreError> {
            text.map(|text| parse(TABLE, order_id, &text)).transpose()
        };
        let columns = Columns { phase: &phase, reason: reason_of(reason)?, cancel_reason: reason_of(cancel_reason)? };
        let phase = Phase::from_columns(columns).map_err(|error| StoreError::Corrupt {
            table: TABLE,
            key: order_id.to_string(),
            error,
        })?;
        let method_type = method_type.map(|text| parse(TABLE, order_id, &text)).transpose()?;
        Ok((OrderId(order_id), Transaction { order, method_type, phase }))
    }
}

pub(crate) async fn save(db: &mut PgConnection, books: &Books) -> Result<(), StoreError> {
    insert(db, &books.transactions.new_rows()).await?;
    update(db, &books.transactions.changed_rows()).await?;
    for (user, orders) in books.scrubs.iter() {
        sqlx::query("select erase_payer($1)").bind(user.0).execute(&mut *db).await?;
        erase_kept(db, orders).await?;
    }
    Ok(())
}

async fn insert(db: &mut PgConnection, rows: &[(&OrderId, &Transaction)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let orders: Vec<&Order> = rows.iter().map(|(_, row)| &row.order).collect();
    let PhaseColumns { phases, statuses, reasons, cancel_reasons } = PhaseColumns::of(rows);
    let inserted = sqlx::query(
        "insert into payment_transactions (order_id, user_id, payment_method_id, amount, currency, facts, method_type,
             phase, status, reason, cancel_reason)
         select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::jsonb[], $7::text[],
             $8::text[], $9::text[], $10::text[], $11::text[])
         on conflict do nothing",
    )
    .bind(orders.iter().map(|order| order.order_id.0).collect::<Vec<_>>())
    .bind(orders.iter().map(|order| order.user_id.0).collect::<Vec<_>>())
    .bind(orders.iter().map(|order| order.payment_method_id.0).collect::<Vec<_>>())
    .bind(orders.iter().map(|order| order.total).collect::<Vec<_>>())
    .bind(orders.iter().map(|order| order.currency.as_str()).collect::<Vec<_>>())
    .bind(orders.iter().map(Json).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.method_type.map(MethodType::as_str)).collect::<Vec<_>>())
    .bind(phases)
    .bind(statuses)
    .bind(reasons)
    .bind(cancel_reasons)
    .execute(db)
    .await?;
    all_inserted("payment_transactions", rows.len(), inserted.rows_affected())
}

async fn update(db: &mut PgConnection, rows: &[(&OrderId, &Transaction)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let PhaseColumns { phases, statuses, reasons, cancel_reasons } = PhaseColumns::of(rows);
    sqlx::query(
        "update payment_transactions p
         set phase = n.phase, status = n.status, reason = n.reason, cancel_reason = n.cancel_reason, updated_at = now()
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
             n (order_id, phase, status, reason, cancel_reason)
         where p.order_id = n.order_id",
    )
    .bind(rows.iter().map(|(order, _)| order.0).collect::<Vec<_>>())
    .bind(phases)
    .bind(statuses)
    .bind(reasons)
    .bind(cancel_reasons)
    .execute(db)
    .await?;
    Ok(())
}

/// The changes of a transaction, column by column.
#[derive(Default)]
struct PhaseColumns {
    phases: Vec<&'static str>,
    statuses: Vec<&'static str>,
    reasons: Vec<Option<String>>,
    cancel_reasons: Vec<Option<String>>,
}

impl PhaseColumns {
    fn of(rows: &[(&OrderId, &Transaction)]) -> PhaseColumns {
        rows.iter().fold(PhaseColumns::default(), |mut all, (_, row)| {
            let columns = row.phase.columns();
            all.phases.push(columns.phase);
            all.statuses.push(row.phase.status());
            all.reasons.push(columns.reason.map(|reason| reason.to_string()));
            all.cancel_reasons.push(columns.cancel_reason.map(|reason| reason.to_string()));
            all
        })
    }
}
