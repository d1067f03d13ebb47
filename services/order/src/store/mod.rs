//! The order service's SQL: a file per table.

mod catalogue;
mod history;
mod items;
mod page;
mod purchases;
mod users;

use saga::StoreError;
use sqlx::PgConnection;

use crate::{Orders, command::Command, domain::Register, personal};

pub(crate) use history::timeline;
pub(crate) use page::{Listed, Position, page};
pub(crate) use purchases::{Dated, buyer, find, first_placed, status};
pub(crate) use users::is_erased;

pub(crate) async fn load(
    db: &mut PgConnection,
    commands: &[&Command],
    orders: &Orders,
) -> Result<Register, StoreError> {
    // First, before any row is locked: the keys are elsewhere.
    let keys = personal::keys(&orders.vault, commands).await?;
    let users = users::load(db, commands).await?;
    Ok(Register {
        keys,
        users,
        purchases: purchases::load(db, commands, &orders.ids).await?,
        catalogue: catalogue::load(db, commands).await?,
        history: Vec::new(),
    })
}

pub(crate) async fn save(db: &mut PgConnection, register: &Register) -> Result<(), StoreError> {
    users::save(db, &register.users).await?;
    let new = register.purchases.new_rows();
    purchases::insert(db, &new).await?;
    items::insert(db, &new).await?;
    purchases::update(db, &register.purchases.changed_rows()).await?;
    history::insert(db, &register.history).await
}
