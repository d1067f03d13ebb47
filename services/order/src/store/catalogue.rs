//! SQL of `products`, which only operators change.

use events::ProductId;
use saga::{StoreError, store::parse};
use sqlx::PgConnection;

use crate::{
    command::Command,
    quote::{Catalogue, Product},
};

pub(super) async fn load(db: &mut PgConnection, commands: &[&Command]) -> Result<Catalogue, StoreError> {
    let wanted: Vec<i64> = commands.iter().flat_map(|command| products_of(command)).collect();
    if wanted.is_empty() {
        return Ok(Catalogue::new());
    }
    let rows: Vec<(i64, i64, String, String)> =
        sqlx::query_as("select id, price, currency, kind from products where id = any($1)")
            .bind(wanted)
            .fetch_all(db)
            .await?;
    rows.into_iter()
        .map(|(id, price, currency, kind)| {
            let product =
                Product { price, currency: parse("products", id, &currency)?, kind: parse("products", id, &kind)? };
            Ok((ProductId(id), product))
        })
        .collect()
}

fn products_of(command: &Command) -> Vec<i64> {
    match command {
        Command::Place(placement) => placement.request.items.iter().map(|item| item.product_id.0).collect(),
        Command::RequestCancel(_)
        | Command::TimeOut(_)
        | Command::Settle(..)
        | Command::Fulfil(..)
        | Command::Erase(_) => Vec::new(),
    }
}
