//! The product's own SQL without a broker: a service's unit of work, batch after batch.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use account::{Account, Ask, Command};
use anyhow::Context;
use events::{Currency, EventId, Item, Kind, Order, OrderId, PaymentMethodId, ProductId, UserId};
use futures::{TryStreamExt, future::try_join_all};
use saga::unit_of_work::{Incoming, Origin, UnitOfWork, Wake};
use serde::Serialize;
use sqlx::PgPool;
use testbed::{Database, seed::MANY_USERS};
use uuid::Uuid;

use crate::bench::ground::Ground;

/// Inbox, domain and outbox, with this many events per transaction, on this many connections.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Batches {
    pub batch: usize,
    pub connections: u32,
    pub events_per_second: f64,
}

/// Seeds buyers with more than any measurement spends.
pub async fn seed(ground: &Ground) -> anyhow::Result<()> {
    let accounts = ground.pool(Database::ACCOUNTS, 1)?;
    let (first, last) = (*MANY_USERS.start(), *MANY_USERS.end());
    for statement in [
        "insert into users (id, username) select id, 'user-' || id from generate_series($1::bigint, $2::bigint) id",
        "insert into balances (user_id, currency, balance)
         select id, 'JPY', 1000000000000 from generate_series($1::bigint, $2::bigint) id",
    ] {
        sqlx::query(statement).bind(first).bind(last).execute(&accounts).await.context("seeding accounts")?;
    }
    Ok(())
}

/// Processes batches for about `time`, alternately reserving for new orders and debiting the same ones, as a saga does.
pub async fn batches(ground: &Ground, batch: usize, connections: u32, time: Duration) -> anyhow::Result<Batches> {
    let pool = ground.pool(Database::ACCOUNTS, connections)?;
    let work = UnitOfWork::new(Arc::new(Account), pool.clone(), Wake::default());
    // The first transaction of each connection prepares its statements.
    try_join_all((0..connections).map(|_| carry(&work, batch, Duration::ZERO))).await?;
    let begun = Instant::now();
    let carried = try_join_all((0..connections).map(|_| carry(&work, batch, time))).await?;
    let events_per_second = carried.iter().sum::<usize>() as f64 / begun.elapsed().as_secs_f64();
    pool.close().await;
    Ok(Batches { batch, connections, events_per_second })
}

/// Number of events processed; at least one batch of each kind.
async fn carry(work: &UnitOfWork<Account>, batch: usize, time: Duration) -> anyhow::Result<usize> {
    let begun = Instant::now();
    let mut carried = 0;
    loop {
        let orders: Vec<Order> = (0..batch).map(|_| order()).collect();
        for ask in [Ask::Reserve, Ask::Debit] {
            let incoming: Vec<Incoming<Command>> = orders.iter().map(|order| event(order.clone(), ask)).collect();
            work.stage(&incoming).await.context("staging a batch")?.commit().await.context("committing a batch")?;
            carried += batch;
        }
        if begun.elapsed() >= time {
            return Ok(carried);
        }
    }
}

fn event(order: Order, ask: Ask) -> Incoming<Command> {
    let (origin, what) = (Origin::Event(EventId::new()), "bench".to_owned());
    Incoming { origin, event_id: None, what, traceparent: None, expects: None, command: Command::new(order, ask) }
}

fn order() -> Order {
    let user = rand::random_range(MANY_USERS);
    let item = Item { product_id: ProductId(1_001), quantity: 1, unit_price: 100, kind: Kind::Digital };
    Order {
        order_id: OrderId(Uuid::now_v7()),
        user_id: UserId(user),
        payment_method_id: PaymentMethodId(user),
        currency: Currency::JPY,
        total: 100,
        items: vec![item],
        ship_to: None,
    }
}

/// Rows per second that a plain reader gets from the outbox, in the relay's order and with all the columns it needs.
pub async fn read_outbox(accounts: &PgPool, most: Duration) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let (mut rows, mut last) = (0_u64, 0_i64);
    while begun.elapsed() < most {
        let mut page = sqlx::query_as::<_, (i64, Uuid, String, String, String, String)>(
            "select seq, id, aggregatetype, aggregateid, type, payload::text from outbox where seq > $1 order by seq limit 2000",
        )
        .bind(last)
        .fetch(accounts);
        let before = rows;
        while let Some((seq, ..)) = page.try_next().await.context("reading the outbox")? {
            rows += 1;
            last = seq;
        }
        if rows == before {
            break;
        }
    }
    Ok(rows as f64 / begun.elapsed().as_secs_f64())
}
