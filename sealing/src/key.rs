//! Keys and their ids.

use std::{fmt, str::FromStr};

use aes_gcm::{Aes256Gcm, aead::Generate};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use zeroize::Zeroizing;

/// Name of a key: 1 to 64 lower-case letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        match text.len() {
            1..=64 if text.bytes().all(fits) => Ok(KeyId(text.to_owned())),
            // Not repeated: it may be a key in the wrong place.
            _ => Err("a key's id is 1 to 64 lower-case letters, digits, `.`, `_` and `-`".to_owned()),
        }
    }
}

/// A key of 32 bytes. Never shown, and cleared from memory when dropped.
pub struct Key(SecretBox<[u8; 32]>);

impl Key {
    /// A new random key.
    pub fn generate() -> Self {
        Key::filled(|bytes| *bytes = aes_gcm::Key::<Aes256Gcm>::generate().into())
    }

    /// A key with these bytes.
    pub(crate) fn filled(fill: impl FnOnce(&mut [u8; 32])) -> Self {
        Key(SecretBox::init_with_mut(fill))
    }

    /// A key with these bytes; `None` if they are not 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let given: &[u8; 32] = bytes.try_into().ok()?;
        Some(Key::filled(|key| key.copy_from_slice(given)))
    }

    /// The key in base64, for a keyring.
    pub fn to_base64(&self) -> SecretString {
        BASE64.encode(self.bytes()).into()
    }

    /// The key itself.
    pub fn bytes(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The error must not contain the text itself.
        let bytes = BASE64.decode(text.trim()).map(Zeroizing::new).map_err(|_| "the key is not base64")?;
        Key::from_bytes(&bytes).ok_or_else(|| format!("the key has {} bytes instead of 32", bytes.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_32_bytes_and_is_never_shown() {
        for text in ["", "secret!", "c2VjcmV0"] {
            let error = text.parse::<Key>().expect_err("no key");
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
        let key = Key::generate();
        assert_eq!(format!("{key:?}"), "Key(..)");
        assert_eq!(key.to_base64().expose_secret().parse::<Key>().expect("a key").bytes(), key.bytes());
        assert_ne!(Key::generate().bytes(), key.bytes());
    }

    #[test]
    fn an_id_fits_between_colons_and_on_a_line() {
        assert_eq!("2026-11_a.b".parse::<KeyId>().expect("an id").as_str(), "2026-11_a.b");
        for bad in ["", "a:b", "a b", "A", "ä", "a\n", &"a".repeat(65)] {
            assert!(bad.parse::<KeyId>().is_err(), "{bad:?}");
        }
    }
}
