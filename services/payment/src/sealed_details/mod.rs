//! The details of a payment method, encrypted at rest and bound to their row, its owner and its type, so that neither can be
//! exchanged between rows.
//!
//! The text is `v2:<key id>:<wrapped data key>:<nonce and ciphertext>`, see [`sealing`]. The [first format](v1) is bound to the
//! row alone; it is readable until `payment keys rotate` has replaced it everywhere.

pub mod v1;

use std::sync::Arc;

use events::{PaymentMethodId, UserId};
use sealing::{Binding, Envelope, Key, KeyEncryption, KeyError, KeyId};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::method::MethodType;

/// The row that details belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub method: PaymentMethodId,
    pub owner: UserId,
    pub method_type: MethodType,
}

impl Place {
    /// The place as authenticated data. Never changes: what is stored could not be opened any more.
    pub fn binding(&self) -> Binding {
        Binding::of(PURPOSE)
            .and(&self.method.0.to_be_bytes())
            .and(&self.owner.0.to_be_bytes())
            .and(self.method_type.as_str().as_bytes())
    }
}

const PURPOSE: &str = "payment_methods.method_details";

/// The reason why details could not be decrypted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    #[error("they are not of the form v2:<key id>:<base64>:<base64>")]
    NotSealed,
    #[error("they were encrypted with another key or for another method, or have been tampered with")]
    Forged,
    #[error("they are of the first format, and PAYMENT_DETAILS_KEY is not set")]
    NoFirstKey,
    #[error("they need the key `{0}`, and PAYMENT_KEYRING is not set")]
    NoKeyring(KeyId),
    #[error(transparent)]
    Key(KeyError),
    #[error("they are not the details of a card")]
    NotACard,
}

impl From<KeyError> for Unopened {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Forged => Unopened::Forged,
            other => Unopened::Key(other),
        }
    }
}

#[derive(Deserialize)]
struct Card {
    token: SecretToken,
}

/// Cleared from memory, also if the rest of the details cannot be read.
struct SecretToken(SecretString);

impl<'de> Deserialize<'de> for SecretToken {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|token| SecretToken(token.into()))
    }
}

/// The keys that seal details: a keyring, the key of the first format, or both.
#[derive(Clone, Default)]
pub struct Keys {
    keyring: Option<Arc<dyn KeyEncryption>>,
    first: Option<Arc<Key>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl Keys {
    /// Keys from a keyring, or from a key management service.
    pub fn of(keyring: Arc<dyn KeyEncryption>) -> Self {
        Keys { keyring: Some(keyring), first: None }
    }

    /// The same, which open the first format as well. Without a keyring, they seal in the first format.
    #[must_use]
    pub fn with_first(self, key: Key) -> Self {
        Keys { first: Some(Arc::new(key)), ..self }
    }

    /// Encrypts details for this row.
    ///
    /// # Errors
    /// If there is no key for it.
    pub fn seal(&self, place: &Place, details: &str) -> Result<String, Unopened> {
        match (&self.keyring, &self.first) {
            (Some(keys), _) => Ok(Envelope::seal(&**keys, &place.binding(), details.as_bytes())?.to_string()),
            (None, Some(first)) => Ok(v1::seal(first, place.method, details)),
            (None, None) => Err(Unopened::NoFirstKey),
        }
    }

    /// Decrypts the details of this row.
    ///
    /// # Errors
    /// If they were encrypted for another row, or their key is missing.
    pub fn open(&self, place: &Place, sealed: &str) -> Result<SecretString, Unopened> {
        let mut details = if sealed.starts_with(v1::VERSION) {
            v1::open(self.first.as_ref().ok_or(Unopened::NoFirstKey)?, place.method, sealed)?
        } else {
            let envelope: Envelope = sealed.parse().map_err(|_| Unopened::NotSealed)?;
            let keys = self.keyring.as_ref().ok_or_else(|| Unopened::NoKeyring(envelope.key().clone()))?;
            envelope.open(&**keys, &place.binding())?
        };
        String::from_utf8(std::mem::take(&mut *details)).map(SecretString::from).map_err(|_| Unopened::NotACard)
    }

    /// Decrypts the part of a card's details that the gateway needs: its token.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and if they are not a card's.
    pub fn open_token(&self, place: &Place, sealed: &str) -> Result<SecretString, Unopened> {
        let details = self.open(place, sealed)?;
        let card: Card = serde_json::from_str(details.expose_secret()).map_err(|_| Unopened::NotACard)?;
        Ok(card.token.0)
    }

    /// The same details under the active key of the keyring; None if they are under it already. Those of the first format are
    /// decrypted and encrypted again; of others only the data key is wrapped again.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and if no key is active.
    pub fn renew(&self, place: &Place, sealed: &str) -> Result<Option<String>, Unopened> {
        if sealed.starts_with(v1::VERSION) {
            let details = self.open(place, sealed)?;
            return self.seal(place, details.expose_secret()).map(Some);
        }
        let envelope: Envelope = sealed.parse().map_err(|_| Unopened::NotSealed)?;
        let keys = self.keyring.as_ref().ok_or_else(|| Unopened::NoKeyring(envelope.key().clone()))?;
        if keys.active()? == *envelope.key() {
            return Ok(None);
        }
        Ok(Some(envelope.rewrap(&**keys, &place.binding())?.to_string()))
    }

    /// The id of the key that seals new details; None without a keyring.
    ///
    /// # Errors
    /// If no key of the keyring is active.
    pub fn active(&self) -> Result<Option<KeyId>, KeyError> {
        self.keyring.as_ref().map(|keys| keys.active()).transpose()
    }
}

/// Returns whether sealed details may be copied into an attempt. Those of the first format are, so that a replica of an earlier
/// version can make the call; all others are read from their row when the call is made.
pub(crate) fn travels(sealed: &str) -> bool {
    !sealed.starts_with("v2:")
}
