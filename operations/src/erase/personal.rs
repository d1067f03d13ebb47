//! The one place of an erasure that knows keys of users.

use events::UserId;
use personal_data::{Sealed, Vault};

/// Deletes the user's key, so that nobody can open what is sealed under it. Does nothing where there are no such keys.
pub(super) async fn delete_key(vault: &Vault, user: UserId) -> anyhow::Result<()> {
    if let Some(keeper) = vault.keeper() {
        keeper.erase(user.0).await?;
    }
    Ok(())
}

/// The plain texts of those that are sealed under the user's key, before it is deleted; others as they are. What can no longer be
/// opened is left out.
pub(super) async fn opened(vault: &Vault, user: UserId, texts: Vec<String>) -> anyhow::Result<Vec<String>> {
    let keys = vault.keys_of(&[user.0]).await?;
    Ok(texts.into_iter().map(|text| keys.shown(&text)).filter(|text| !Sealed::claims(text)).collect())
}
