//! The operations with keys that never leave their place.

use zeroize::Zeroizing;

use crate::key::KeyId;

/// Wraps and unwraps data keys with keys known by id: a keyring, or a client of a key management service.
///
/// Calls are short and block. A client of a remote service bounds each call, and its user calls it where blocking is allowed.
/// `context` has to be authenticated: a data key unwraps only with the same key and the same context.
pub trait KeyEncryption: Send + Sync {
    /// The key for new values.
    ///
    /// # Errors
    /// If there is none.
    fn active(&self) -> Result<KeyId, KeyError>;

    /// Encrypts a data key.
    ///
    /// # Errors
    /// If the key cannot be used.
    fn wrap(&self, key: &KeyId, data_key: &[u8; 32], context: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Decrypts a data key.
    ///
    /// # Errors
    /// If the key cannot be used, or `wrapped` is not a data key that was wrapped by it in this context.
    fn unwrap(&self, key: &KeyId, wrapped: &[u8], context: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError>;
}

/// The reason why a value cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key is not there.
    #[error("the key `{0}` is not in the keyring: it has been removed too early, or has not arrived yet")]
    Unknown(KeyId),
    /// The key must not be used any more.
    #[error("the key `{0}` is retired in the keyring")]
    Retired(KeyId),
    /// There is no key for new values.
    #[error("no key in the keyring is active")]
    NoneActive,
    /// Decryption failed.
    #[error("it was encrypted with another key or for another place, or has been tampered with")]
    Forged,
    /// The keys cannot be reached.
    #[error("the keys are out of reach: {0}")]
    Unavailable(String),
}
