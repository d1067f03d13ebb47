//! The order service's SQL: a file per table.

mod catalogue;
mod history;
mod items;
mod page;
mod purchases;
mod users;

use events::order_id::Derivation;
use saga::StoreError;
use sqlx::PgConnection;

use crate::{command::Command, domain::Register};

pub(crate) use history::timeline;
pub(crate) use page::{Listed, Position, page};
pub(crate) use purchases::{Dated, buyer, find, first_placed, status};
pub(crate) use users::is_erased;

pub(crate) async fn load(
    db: &mut PgConnection,
    commands: &[&Command],
    derivation: &Derivation,
) -> Result<Register, StoreError> {
    let users = users::load(db, commands).await?;
    Ok(Register {
        users,
        purchases: purchases::load(db, commands, derivation).await?,
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
