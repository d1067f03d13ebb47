//! Tokens of a secured system: a development issuer, and the key of derived order ids.

use access::Issuer;
use base64::{Engine, prelude::BASE64_STANDARD};
use operations::{
    credentials::{Credentials, JWT_AUDIENCE, JWT_ISSUER, JWT_SIGNING_KEY_FILE},
    order_ids::{self, ORDER_ID_KEY},
};

use super::{Program, Setting, state::StateDir};

/// Settings of the order service and of those who request.
#[derive(Debug, Default)]
pub(super) struct Tokens(Vec<(&'static str, String)>);

impl Tokens {
    /// Makes the issuer's key and that of derived ids; the runner derives ids by the same from then on.
    ///
    /// # Errors
    /// If the key's file cannot be written.
    pub(super) fn issue(state: &StateDir) -> anyhow::Result<Self> {
        let file = state.signing_key();
        Issuer::open_or_create(&file)?;
        let key = BASE64_STANDARD.encode(rand::random::<[u8; 32]>());
        order_ids::adopt(&key)?;
        Ok(Tokens(vec![
            (JWT_SIGNING_KEY_FILE, file.display().to_string()),
            (JWT_ISSUER, "https://issuer.localhost".to_owned()),
            (JWT_AUDIENCE, "shop".to_owned()),
            ("JWT_JWKS_FILE", Issuer::key_set_file(&file).display().to_string()),
            (ORDER_ID_KEY, key),
        ]))
    }

    /// Credentials of the runner: those of the process where the system asks for none of its own.
    ///
    /// # Errors
    /// If a key cannot be read.
    pub(super) fn credentials(&self) -> anyhow::Result<Credentials> {
        if self.0.is_empty() {
            return Credentials::from_process();
        }
        Credentials::from_variables(|name| {
            self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        })
    }

    /// Settings of the order service: everything but the issuer's private key.
    pub(super) fn settings(&self) -> impl Iterator<Item = Setting> {
        let own = self.0.iter().filter(|(name, _)| *name != JWT_SIGNING_KEY_FILE);
        own.map(|(name, value)| Setting { program: Program::ORDER, name: (*name).to_owned(), value: value.clone() })
    }

    /// The key of derived ids, for whoever derives them in a process of his own.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let key = self.0.iter().filter(|(name, _)| *name == ORDER_ID_KEY);
        key.map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }
}
