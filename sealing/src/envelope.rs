//! A sealed value.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use zeroize::Zeroizing;

use crate::{
    binding::Binding,
    cipher,
    key::{Key, KeyId},
    key_encryption::{KeyEncryption, KeyError},
};

const VERSION: &str = "v2";

/// A sealed value with its wrapped data key. Its text is `v2:<key id>:<wrapped data key>:<nonce and ciphertext>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    key: KeyId,
    wrapped: Vec<u8>,
    data: Vec<u8>,
}

/// The text is not an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not of the form {VERSION}:<key id>:<base64>:<base64>")]
pub struct Malformed;

impl Envelope {
    /// Seals a value under a new data key, wrapped by the active key.
    ///
    /// # Errors
    /// If no key is active, or it cannot be used.
    pub fn seal(keys: &dyn KeyEncryption, place: &Binding, value: &[u8]) -> Result<Self, KeyError> {
        let key = keys.active()?;
        let data_key = Key::generate();
        let wrapped = keys.wrap(&key, data_key.bytes(), &key_context(&key, place))?;
        Ok(Envelope { wrapped, data: cipher::encrypt(data_key.bytes(), value, &data_context(place)), key })
    }

    /// The value.
    ///
    /// # Errors
    /// If its key cannot be used, or any part of it was sealed for another place or has been changed.
    pub fn open(&self, keys: &dyn KeyEncryption, place: &Binding) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let data_key = keys.unwrap(&self.key, &self.wrapped, &key_context(&self.key, place))?;
        cipher::decrypt(&data_key, &self.data, &data_context(place)).ok_or(KeyError::Forged)
    }

    /// The same value with its data key wrapped by the active key. The value is not decrypted, and hence not verified:
    /// [`open`](Self::open) still does that.
    ///
    /// # Errors
    /// If either key cannot be used, or the data key was wrapped for another place.
    pub fn rewrap(&self, keys: &dyn KeyEncryption, place: &Binding) -> Result<Self, KeyError> {
        let data_key = keys.unwrap(&self.key, &self.wrapped, &key_context(&self.key, place))?;
        let key = keys.active()?;
        let wrapped = keys.wrap(&key, &data_key, &key_context(&key, place))?;
        Ok(Envelope { key, wrapped, data: self.data.clone() })
    }

    /// The key that wraps the data key.
    pub fn key(&self) -> &KeyId {
        &self.key
    }
}

/// The authenticated data of a wrapped data key.
fn key_context(key: &KeyId, place: &Binding) -> Vec<u8> {
    let role = Binding::of("data key").and(VERSION.as_bytes()).and(key.as_str().as_bytes());
    role.and(place.as_bytes()).as_bytes().to_vec()
}

/// The authenticated data of a value. The key's id is not in it, so that the key can be replaced.
fn data_context(place: &Binding) -> Vec<u8> {
    Binding::of("value").and(VERSION.as_bytes()).and(place.as_bytes()).as_bytes().to_vec()
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}:{}:{}:{}", self.key, BASE64.encode(&self.wrapped), BASE64.encode(&self.data))
    }
}

impl FromStr for Envelope {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut parts = text.split(':');
        let (Some(VERSION), Some(key), Some(wrapped), Some(data), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed);
        };
        let bytes = |part| BASE64.decode(part).map_err(|_| Malformed);
        Ok(Envelope { key: key.parse().map_err(|_| Malformed)?, wrapped: bytes(wrapped)?, data: bytes(data)? })
    }
}
