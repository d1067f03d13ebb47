//! Settings of whoever seals or opens texts.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, ensure};
use sealing::KeyringFile;
use transport::Transport;

use crate::store::{Keeper, Vault};

/// Variable with the URL of the database of personal keys.
pub const PERSONAL_KEYS_URL: &str = "PERSONAL_KEYS_URL";
/// Variable with the keyring that wraps them.
pub const PERSONAL_KEYRING: &str = "PERSONAL_KEYRING";

/// Where the keys of persons are; both or neither.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct Settings {
    /// Database with the keys of persons, postgres://user:password@host/personal. Without it, addresses and letters are neither
    /// sealed nor opened.
    #[cfg_attr(feature = "clap", arg(long, env = PERSONAL_KEYS_URL, hide_env_values = true, value_name = "URL"))]
    pub personal_keys_url: Option<String>,
    /// File with the keys that wrap those of persons, a keyring like that of `payment keys add`. Only its owner may read it. It
    /// is read again when it changes.
    #[cfg_attr(feature = "clap", arg(long, env = PERSONAL_KEYRING, hide_env_values = true, value_name = "FILE"))]
    pub personal_keyring: Option<PathBuf>,
}

impl Settings {
    /// The settings of these variables.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        Settings {
            personal_keys_url: variable(PERSONAL_KEYS_URL),
            personal_keyring: variable(PERSONAL_KEYRING).map(PathBuf::from),
        }
    }

    /// Where the keys are, if they are set. Connects when it is first asked. Empty settings, as Compose passes them
    /// on, count as unset.
    ///
    /// # Errors
    /// If only one is set, none is although security is required, the URL is not allowed, or the keyring cannot be read or can be
    /// read by others. No error repeats a password or a key.
    pub fn open(&self, transport: &Transport) -> anyhow::Result<Vault> {
        let vault = self.open_if_set(transport)?;
        ensure!(
            vault.keeper().is_some() || !transport.is_required(),
            "{PERSONAL_KEYS_URL} and {PERSONAL_KEYRING} are not set, and SECURITY=required: addresses would travel in plain text"
        );
        Ok(vault)
    }

    /// As [`open`](Self::open), for those who can do without, such as operators' tools: without keys they see what is stored.
    ///
    /// # Errors
    /// As there, but for settings that are missing.
    pub fn open_if_set(&self, transport: &Transport) -> anyhow::Result<Vault> {
        let url = self.personal_keys_url.as_deref().filter(|url| !url.is_empty());
        let keyring = self.personal_keyring.as_deref().filter(|path| !path.as_os_str().is_empty());
        let (url, keyring) = match (url, keyring) {
            (Some(url), Some(keyring)) => (url, keyring),
            (None, None) => return Ok(Vault::default()),
            (Some(_), None) => {
                anyhow::bail!("{PERSONAL_KEYS_URL} is set, but {PERSONAL_KEYRING} is not: set both or neither")
            }
            (None, Some(_)) => {
                anyhow::bail!("{PERSONAL_KEYRING} is set, but {PERSONAL_KEYS_URL} is not: set both or neither")
            }
        };
        let options = transport.postgres(PERSONAL_KEYS_URL, url)?;
        let keyring = KeyringFile::open(keyring).map_err(anyhow::Error::msg).context(PERSONAL_KEYRING)?;
        Ok(Keeper::new(options, Arc::new(keyring)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: Option<&str>, keyring: Option<&str>) -> String {
        let settings =
            Settings { personal_keys_url: url.map(str::to_owned), personal_keyring: keyring.map(PathBuf::from) };
        format!("{:#}", settings.open(&Transport::plain()).expect_err("refused"))
    }

    #[test]
    fn both_or_neither_and_nothing_secret_is_repeated() {
        assert!(Settings::default().open(&Transport::plain()).expect("none").keeper().is_none());
        let empty = Settings { personal_keys_url: Some(String::new()), personal_keyring: Some(PathBuf::new()) };
        assert!(empty.open(&Transport::plain()).expect("none").keeper().is_none());
        assert!(refused(Some("postgres://h/d"), None).contains("PERSONAL_KEYRING is not"));
        assert!(refused(None, Some("/k")).contains("PERSONAL_KEYS_URL is not"));
        assert!(refused(Some("postgres://h/d"), Some("/nowhere")).contains("PERSONAL_KEYRING: reading"));
        let error = refused(Some("mysql://u:s3cret@h/d"), Some("/nowhere"));
        assert!(error.contains("PERSONAL_KEYS_URL") && !error.contains("s3cret"), "{error}");
    }
}
