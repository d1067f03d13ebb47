//! Addresses of buyers, sealed under their keys.

use events::{OrderId, UserId};
use personal_data::{PersonKeys, Unsealed, Vault};
use saga::StoreError;

use crate::command::Command;

/// The keys of all who ask for a parcel.
pub(crate) async fn keys(vault: &Vault, commands: &[&Command]) -> Result<PersonKeys, StoreError> {
    let requests = commands.iter().filter_map(|command| Some(&command.placement()?.request));
    let buyers: Vec<i64> =
        requests.filter(|request| request.ship_to.is_some()).map(|request| request.user_id.0).collect();
    Ok(vault.keys_for(&buyers).await?.usable()?)
}

/// The address that a buyer gave; `None` once he is erased.
pub(crate) async fn opened(
    vault: &Vault,
    (buyer, order): (UserId, OrderId),
    ship_to: Option<String>,
) -> Result<Option<String>, StoreError> {
    let Some(text) = ship_to else { return Ok(None) };
    let keys = vault.keys_of(&[buyer.0]).await?;
    match keys.open(buyer.0, &events::personal::ship_to(order), &text) {
        Ok(address) => Ok(Some(address)),
        Err(Unsealed::Erased) => Ok(None),
        Err(error) => Err(StoreError::Corrupt { table: "orders", key: order.to_string(), error: error.to_string() }),
    }
}
