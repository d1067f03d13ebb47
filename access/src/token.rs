//! A token in compact form: what it says of itself, before anything of it is believed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Caller, Fault,
    claims::{Claims, Lock, Rules},
    cryptography,
    key::{Key, KeySet},
};

/// Maximum size of a token in bytes. Real ones have one or two thousand.
const MAX_BYTES: usize = 8 * 1024;

/// A token, taken apart.
pub(crate) struct Token<'a> {
    pub(crate) head: Head,
    /// The bytes that are signed.
    pub(crate) signed: &'a str,
    pub(crate) claims: &'a str,
    pub(crate) signature: &'a str,
}

/// The parts of the header that count. A key or a key's address in it is never looked at.
#[derive(Debug, Deserialize)]
pub(crate) struct Head {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    crit: Option<serde_json::Value>,
    #[cfg(test)]
    pub(crate) jwk: Option<serde_json::Value>,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    pub(crate) fn of(text: &'a str) -> Result<Self, Fault> {
        if text.len() > MAX_BYTES {
            return Err(Fault::TooLarge);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Fault::Malformed)?;
        let (head, claims) = signed.split_once('.').ok_or(Fault::Malformed)?;
        let head: Head = decoded(head)?;
        if head.crit.is_some() {
            return Err(Fault::Critical);
        }
        Ok(Token { head, signed, claims, signature })
    }

    /// The caller, if a key of the set has signed the token and its claims hold at this time, in milliseconds since 1970.
    pub(crate) fn judge(&self, keys: &KeySet, rules: &Rules, now_ms: u64) -> Result<Caller, Fault> {
        #[cfg(test)]
        if !rules.holds(Lock::Algorithm) || !rules.holds(Lock::Key) {
            crate::naive::verify(self, keys, rules, now_ms)?;
            return decoded::<Claims>(self.claims)?.judge(rules, now_ms);
        }
        debug_assert!(rules.holds(Lock::Algorithm) && rules.holds(Lock::Key));
        let key = self.key(keys, now_ms).ok_or(Fault::UnknownKey)?;
        cryptography::verify(self, key)?;
        // Read only now: everything before is about the signature.
        decoded::<Claims>(self.claims)?.judge(rules, now_ms)
    }

    pub(crate) fn key<'k>(&self, keys: &'k KeySet, now_ms: u64) -> Option<&'k Key> {
        keys.get(self.head.kid.as_deref()?, now_ms)
    }
}

pub(crate) fn decoded<T: DeserializeOwned>(part: &str) -> Result<T, Fault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Fault::Malformed)
}
