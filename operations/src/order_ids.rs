//! Order ids of requests without one, as the order service derives them.

use std::sync::{PoisonError, RwLock};

use events::order_id::Derivation;

/// Variable with the order service's key of derived ids, and with its former ones.
pub const ORDER_ID_KEY: &str = "ORDER_ID_KEY";
pub const ORDER_ID_FORMER_KEYS: &str = "ORDER_ID_FORMER_KEYS";

/// The derivation of a system that this process has started.
static OF_OUR_SYSTEM: RwLock<Option<Derivation>> = RwLock::new(None);

/// The derivation of the system at hand: one that this process has started, else with the keys in its environment.
///
/// # Errors
/// If a key is malformed; the error does not repeat it.
pub fn checked() -> anyhow::Result<Derivation> {
    if let Some(own) = &*OF_OUR_SYSTEM.read().unwrap_or_else(PoisonError::into_inner) {
        return Ok(own.clone());
    }
    let [key, former] = [ORDER_ID_KEY, ORDER_ID_FORMER_KEYS].map(|name| std::env::var(name).unwrap_or_default());
    let keys = Derivation::with_keys(&key, &former);
    keys.map_err(|why| anyhow::anyhow!("{ORDER_ID_KEY}, {ORDER_ID_FORMER_KEYS}: {why}"))
}

/// Takes this key, in base64, for that of a system that this process starts; an empty one for no key.
///
/// # Errors
/// If it is malformed.
pub fn adopt(key: &str) -> anyhow::Result<()> {
    let keys = Derivation::with_keys(key, "").map_err(|why| anyhow::anyhow!("{ORDER_ID_KEY}: {why}"))?;
    *OF_OUR_SYSTEM.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    Ok(())
}

/// As [`checked`]; without a key if one is malformed, which every command has refused by then.
pub(crate) fn derivation() -> Derivation {
    checked().unwrap_or_default()
}
