//! One look at the state of orders in all services: every other service first, the order service last. Other services learn of an
//! order only after the order service has it, so a new order is never taken for a missing one.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::{OrderId, Reason};
use saga::record::ABSENT;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    standing::{Placed, Standing, StepState},
    which::Which,
};
use crate::{Database, databases::Databases};

/// An order as it was seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    pub standing: Standing,
    /// Its state in each service, in that service's own terms.
    pub words: BTreeMap<&'static str, String>,
    /// Time of each service's last change of it; unchanged if nothing has happened.
    versions: BTreeMap<&'static str, DateTime<Utc>>,
    /// The reason why no event can be published about it.
    pub obstacle: Option<String>,
}

/// Orders as they were seen, with the seconds since the last change of each.
#[derive(Debug, Default)]
pub struct Look {
    pub orders: HashMap<OrderId, Seen>,
    quiet: HashMap<OrderId, i64>,
}

/// One service's rows of an order.
#[derive(Debug, FromRow)]
struct Row {
    order_id: Uuid,
    statuses: Vec<String>,
    word: String,
    reason: Option<String>,
    updated_at: DateTime<Utc>,
    /// Seconds since the last change, by the database's own clock.
    quiet: i64,
    amount: i64,
    tracking_no: Option<String>,
    /// True if a call about it is still to be made.
    calls: bool,
}

/// The columns of a [`Row`], then those specific to a table.
macro_rules! rows {
    ($word:literal, $reason:literal, $more:literal, $from:literal) => {
        concat!(
            "select order_id, array_agg(distinct status) as statuses, min(",
            $word,
            ") as word, min(",
            $reason,
            ") as reason,
                    max(updated_at) as updated_at,
                    extract(epoch from clock_timestamp() - max(updated_at))::bigint as quiet, ",
            $more,
            " from ",
            $from,
            " where ($1::uuid[] is null or order_id = any($1)) and ($2::uuid is null or order_id >= $2)
                and ($3::uuid is null or order_id < $3) group by order_id"
        )
    };
}

const STEPS: [(Database, &str); 5] = [
    (
        Database::PAYMENTS,
        rows!(
            "phase",
            "coalesce(reason, cancel_reason)",
            "max(amount) as amount, null::text as tracking_no,
             order_id in (select order_id from attempts where status in ('open', 'parked')) as calls",
            "payment_transactions"
        ),
    ),
    (
        Database::ACCOUNTS,
        rows!(
            "status",
            "reason",
            "max(amount) as amount, null::text as tracking_no, false as calls",
            "balance_reservations"
        ),
    ),
    (
        Database::INVENTORY,
        rows!(
            "status",
            "reason",
            "0::bigint as amount, null::text as tracking_no, false as calls",
            "stock_reservations"
        ),
    ),
    (
        Database::SHIPPING,
        rows!("status", "reason", "0::bigint as amount, min(tracking_no) as tracking_no, false as calls", "shipments"),
    ),
    (
        Database::ENTITLEMENTS,
        rows!("status", "reason", "0::bigint as amount, null::text as tracking_no, false as calls", "entitlements"),
    ),
];

/// An order's row.
#[derive(Debug, FromRow)]
struct OrderRow {
    id: Uuid,
    status: String,
    reason: Option<String>,
    refunded: i64,
    physical: bool,
    digital: bool,
    overdue: Option<i64>,
    updated_at: DateTime<Utc>,
    quiet: i64,
}

impl Look {
    /// # Errors
    /// If a database does not answer.
    pub async fn at(databases: &Databases, orders: Which<'_>) -> anyhow::Result<Self> {
        let (these, begin, end) = orders.parameters();
        let mut look = Look::default();
        look.letters(databases, orders).await.context("reading the letters")?;
        for (database, query) in STEPS {
            let rows: Vec<Row> = sqlx::query_as(query)
                .bind(these)
                .bind(begin)
                .bind(end)
                .fetch_all(databases.of_service(database))
                .await
                .with_context(|| format!("reading what {database} has done for each order"))?;
            for row in rows {
                look.step(database, row);
            }
        }
        look.placed(databases, orders).await.context("reading the orders")?;
        Ok(look)
    }

    /// Tells whether nothing has happened to an order for `grace` seconds.
    pub fn is_quiet(&self, order: OrderId, grace: i64) -> bool {
        self.quiet.get(&order).is_some_and(|quiet| *quiet >= grace)
    }

    fn note(
        &mut self,
        order: Uuid,
        database: Database,
        word: String,
        updated_at: DateTime<Utc>,
        quiet: i64,
    ) -> &mut Seen {
        let order = OrderId(order);
        let least = self.quiet.entry(order).or_insert(quiet);
        *least = quiet.min(*least);
        let seen = self.orders.entry(order).or_default();
        let service = database.publisher().name();
        seen.words.insert(service, word);
        seen.versions.insert(service, updated_at);
        seen
    }

    fn step(&mut self, database: Database, row: Row) {
        let Row { order_id, statuses, word, reason, updated_at, quiet, amount, tracking_no, calls } = row;
        let seen = self.note(order_id, database, word, updated_at, quiet);
        if calls {
            seen.obstacle = Some("its payment waits for the gateway's answer".to_owned());
        }
        let [status] = statuses.as_slice() else {
            seen.obstacle = Some(format!("{database} is in two minds about it: {}", statuses.join(" and ")));
            return;
        };
        if status == "PENDING" {
            seen.obstacle.get_or_insert("its payment waits for the gateway, and nobody calls it".to_owned());
            return;
        }
        let reason: Result<Option<Reason>, String> = reason.map(|reason| reason.parse()).transpose();
        let step = match status.parse().and_then(|status| Ok(StepState { status, reason: reason? })) {
            Ok(step) => Some(step),
            Err(error) => {
                seen.obstacle = Some(format!("{database} has a row of it that nobody understands: {error}"));
                return;
            }
        };
        let standing = &mut seen.standing;
        match database {
            Database::ACCOUNTS => (standing.balance, standing.amount) = (step, amount),
            Database::PAYMENTS => standing.payment = step,
            Database::INVENTORY => standing.stock = step,
            Database::SHIPPING => (standing.shipment, standing.tracking_no) = (step, tracking_no),
            Database::ENTITLEMENTS => standing.entitlement = step,
            _ => {}
        }
    }

    async fn letters(&mut self, databases: &Databases, orders: Which<'_>) -> sqlx::Result<()> {
        let (these, begin, end) = orders.parameters();
        let letters: Vec<(Uuid, String, DateTime<Utc>, i64)> = sqlx::query_as(
            "select order_id, kind, coalesce(sent_at, created_at),
                    extract(epoch from clock_timestamp() - coalesce(sent_at, created_at))::bigint
             from notifications where ($1::uuid[] is null or order_id = any($1)) and ($2::uuid is null or order_id >= $2)
                and ($3::uuid is null or order_id < $3)",
        )
        .bind(these)
        .bind(begin)
        .bind(end)
        .fetch_all(databases.of_service(Database::NOTIFICATIONS))
        .await?;
        for (order, kind, at, quiet) in letters {
            self.note(order, Database::NOTIFICATIONS, kind, at, quiet).standing.letter = true;
        }
        Ok(())
    }

    async fn placed(&mut self, databases: &Databases, orders: Which<'_>) -> sqlx::Result<()> {
        let (these, begin, end) = orders.parameters();
        let rows: Vec<OrderRow> = sqlx::query_as(
            "select id, status, reason, refunded, parcel is not null as physical, unlock is not null as digital,
                    extract(epoch from clock_timestamp() - deadline)::bigint as overdue, updated_at,
                    extract(epoch from clock_timestamp() - updated_at)::bigint as quiet
             from orders where ($1::uuid[] is null or id = any($1)) and ($2::uuid is null or id >= $2)
                and ($3::uuid is null or id < $3)",
        )
        .bind(these)
        .bind(begin)
        .bind(end)
        .fetch_all(databases.of_service(Database::ORDERS))
        .await?;
        for row in rows {
            let OrderRow { id, status, reason, refunded, physical, digital, overdue, updated_at, quiet } = row;
            let seen = self.note(id, Database::ORDERS, status.clone(), updated_at, quiet);
            // An unknown reason counts as none: then those that the services have recorded apply.
            let reason = reason.and_then(|reason| reason.parse().ok());
            seen.standing.order = Some(Placed { status, reason, refunded, physical, digital, overdue });
        }
        Ok(())
    }
}

impl Seen {
    /// Tells whether nothing has happened between two looks. Time has passed, so an overdue order is more overdue.
    pub fn is_unchanged(&self, later: &Seen) -> bool {
        self.versions == later.versions && self.words == later.words && self.obstacle == later.obstacle
    }

    /// Its state in each service, for events that are to count only while it stays so.
    pub fn expectation(&self) -> String {
        let words = Database::OF_THE_SHOP.map(|database| {
            let service = database.publisher().name();
            format!("{service}={}", self.words.get(service).map_or(ABSENT, String::as_str))
        });
        words.join(",")
    }
}
