//! KeySettings for the keys.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use sealing::{Key, KeyId, KeyringFile};
use secrecy::{ExposeSecret, SecretString};

use crate::sealed_details::Keys;

/// The key of the first format, in base64, as `.env.example` has it.
const EXAMPLE: &str = "b25seS1mb3ItdHJ5aW5nLW9ubHktZm9yLXRyeWluZyE=";

/// Name of the first format's key among the others. No key of a keyring has it.
pub const FIRST: &str = "v1";

/// Keys that encrypt the details of payment methods; at least one of the two.
#[derive(Debug, Clone, clap::Args)]
pub struct KeySettings {
    /// File with the keys that encrypt the details of payment methods, made by `payment keys add`. Only its owner may read it.
    /// It is read again when it changes.
    #[arg(long, env = "PAYMENT_KEYRING", hide_env_values = true, value_name = "FILE")]
    pub payment_keyring: Option<PathBuf>,
    /// Key of the first format, 32 bytes in base64: encrypts new details without a keyring; beside one, only decrypts those
    /// that have not been rotated yet.
    #[arg(long, env = "PAYMENT_DETAILS_KEY", hide_env_values = true)]
    pub payment_details_key: Option<SecretString>,
}

impl KeySettings {
    /// The keys.
    ///
    /// # Errors
    /// If there are none, or they cannot be read. No error repeats a key.
    pub fn keys(&self) -> anyhow::Result<Keys> {
        let keyring = self.keyring()?;
        let first = self.first()?;
        anyhow::ensure!(
            keyring.is_some() || first.is_some(),
            "neither PAYMENT_KEYRING nor PAYMENT_DETAILS_KEY is set: payment methods cannot be opened without their keys"
        );
        let keys = keyring.map_or_else(Keys::default, |keyring| Keys::of(Arc::new(keyring)));
        Ok(match first {
            Some(first) => keys.with_first(first),
            None => keys,
        })
    }

    /// The keyring, if it is set. Empty settings, as Compose passes them on, count as unset.
    ///
    /// # Errors
    /// If it cannot be read, others may read it, or it is not a keyring.
    pub fn keyring(&self) -> anyhow::Result<Option<KeyringFile>> {
        let path = self.payment_keyring.as_ref().filter(|path| !path.as_os_str().is_empty());
        let Some(path) = path else { return Ok(None) };
        let keyring = KeyringFile::open(path).map_err(anyhow::Error::msg).context("PAYMENT_KEYRING")?;
        let reserved: KeyId = FIRST.parse().map_err(anyhow::Error::msg)?;
        anyhow::ensure!(
            keyring.keyring().key(&reserved).is_none(),
            "PAYMENT_KEYRING: the id `{FIRST}` stands for PAYMENT_DETAILS_KEY: give the key another one"
        );
        Ok(Some(keyring))
    }

    fn first(&self) -> anyhow::Result<Option<Key>> {
        let text = self.payment_details_key.as_ref().map(ExposeSecret::expose_secret).filter(|text| !text.is_empty());
        text.map(str::parse).transpose().map_err(anyhow::Error::msg).context("PAYMENT_DETAILS_KEY")
    }

    /// Returns whether the key of the first format is the one that everyone knows.
    pub fn has_example_key(&self) -> bool {
        self.payment_details_key.as_ref().is_some_and(|key| is_example_key(key.expose_secret()))
    }
}

/// Returns whether this is the key of `.env.example`, which everyone knows.
pub fn is_example_key(text: &str) -> bool {
    let example: Key = EXAMPLE.parse().expect("32 bytes in base64");
    text.parse::<Key>().is_ok_and(|key| key.bytes() == example.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(keyring: Option<&str>, first: Option<&str>) -> KeySettings {
        KeySettings { payment_keyring: keyring.map(PathBuf::from), payment_details_key: first.map(SecretString::from) }
    }

    #[test]
    fn the_example_key_is_recognized_however_it_is_written() {
        let file = include_str!("../../../../.env.example");
        let line = file.lines().find_map(|line| line.strip_prefix("PAYMENT_DETAILS_KEY=")).expect("a line");
        assert!(is_example_key(line) && is_example_key(&format!(" {line}\n")));
        assert!(settings(None, Some(line)).has_example_key());
        for other in ["", "secret", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="] {
            assert!(!is_example_key(other), "{other}");
        }
    }

    #[test]
    fn no_key_at_all_is_refused_and_none_is_shown() {
        for nothing in [settings(None, None), settings(Some(""), Some(""))] {
            let error = nothing.keys().expect_err("no keys").to_string();
            assert!(error.contains("neither PAYMENT_KEYRING nor PAYMENT_DETAILS_KEY"), "{error}");
        }
        let short = settings(None, Some("c2VjcmV0"));
        let error = format!("{:#}", short.keys().expect_err("too short"));
        assert_eq!(error, "PAYMENT_DETAILS_KEY: the key has 6 bytes instead of 32");
        assert!(!format!("{short:?}{:?}", settings(None, Some(EXAMPLE)).keys()).contains("c2Vj"));
        let error = format!("{:#}", settings(Some("/nowhere/keyring"), None).keys().expect_err("no file"));
        assert!(error.starts_with("PAYMENT_KEYRING: reading the keyring /nowhere/keyring"), "{error}");
    }
}
