//! Order ids of requests without one, as the order service derives them.

use std::sync::LazyLock;

use events::order_id::Derivation;

/// Variable with the order service's key of derived ids, and with its former ones.
pub const ORDER_ID_KEY: &str = "ORDER_ID_KEY";
pub const ORDER_ID_FORMER_KEYS: &str = "ORDER_ID_FORMER_KEYS";

static OF_THE_PROCESS: LazyLock<Result<Derivation, String>> = LazyLock::new(|| {
    let [key, former] = [ORDER_ID_KEY, ORDER_ID_FORMER_KEYS].map(|name| std::env::var(name).unwrap_or_default());
    Derivation::with_keys(&key, &former)
});

/// The derivation with the keys in the process's environment.
///
/// # Errors
/// If a key is malformed; the error does not repeat it.
pub fn checked() -> anyhow::Result<&'static Derivation> {
    OF_THE_PROCESS.as_ref().map_err(|why| anyhow::anyhow!("{ORDER_ID_KEY}, {ORDER_ID_FORMER_KEYS}: {why}"))
}

/// As [`checked`]; without a key if one is malformed, which every command has refused by then.
pub(crate) fn derivation() -> Derivation {
    OF_THE_PROCESS.as_ref().cloned().unwrap_or_default()
}
