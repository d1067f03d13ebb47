//! What becomes of an event whose decision needs a key that is not to be had.

use saga::StoreError;

use crate::{keys::Unusable, store::KeysError};

/// The batch is tried again later.
impl From<KeysError> for StoreError {
    fn from(error: KeysError) -> Self {
        StoreError::Elsewhere(error.to_string())
    }
}

/// The one event is parked: the others need not wait for a key that may never be mended.
impl From<Unusable> for StoreError {
    fn from(Unusable { person, why }: Unusable) -> Self {
        StoreError::Corrupt { table: "personal.keys", key: person.to_string(), error: why }
    }
}
