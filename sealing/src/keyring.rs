//! A keyring: keys by id, from text.

use std::{collections::BTreeMap, fmt, str::FromStr};

use zeroize::Zeroizing;

use crate::{
    cipher,
    key::{Key, KeyId},
    key_encryption::{KeyEncryption, KeyError},
};

/// Use of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Opens what it sealed. The default.
    Readable,
    /// Seals new values as well; at most one key.
    Active,
    /// Not used; kept for backups alone.
    Retired,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Readable => "readable",
            State::Active => "active",
            State::Retired => "retired",
        })
    }
}

/// Keys by id. As text, one line for each: `id base64 [active|retired]`; empty lines and those that begin with `#` are ignored.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: BTreeMap<KeyId, (Key, State)>,
}

impl Keyring {
    /// All keys' ids, with their use.
    pub fn ids(&self) -> impl Iterator<Item = (&KeyId, State)> {
        self.keys.iter().map(|(id, (_, state))| (id, *state))
    }

    /// A key and its use.
    pub fn key(&self, id: &KeyId) -> Option<(&Key, State)> {
        self.keys.get(id).map(|(key, state)| (key, *state))
    }

    fn usable(&self, id: &KeyId) -> Result<&Key, KeyError> {
        match self.key(id) {
            Some((_, State::Retired)) => Err(KeyError::Retired(id.clone())),
            Some((key, State::Readable | State::Active)) => Ok(key),
            None => Err(KeyError::Unknown(id.clone())),
        }
    }
}

impl FromStr for Keyring {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut keys = BTreeMap::new();
        let mut active = 0;
        for (number, line) in text.lines().enumerate() {
            // The error must not contain the line itself.
            let at = |error: String| format!("line {}: {error}", number + 1);
            let Some((id, key, state)) = entry(line).map_err(at)? else { continue };
            active += usize::from(state == State::Active);
            if keys.insert(id.clone(), (key, state)).is_some() {
                return Err(at(format!("the id `{id}` is used twice")));
            }
        }
        if active > 1 {
            return Err(format!("{active} keys are active instead of one"));
        }
        Ok(Keyring { keys })
    }
}

/// The key of a line; None if it has none.
fn entry(line: &str) -> Result<Option<(KeyId, Key, State)>, String> {
    let mut words = line.split_whitespace();
    let Some(id) = words.next().filter(|word| !word.starts_with('#')) else { return Ok(None) };
    let key = words.next().ok_or("the key is missing after its id")?.parse()?;
    let state = match (words.next(), words.next()) {
        (None, _) => State::Readable,
        (Some("active"), None) => State::Active,
        (Some("retired"), None) => State::Retired,
        _ => return Err("after the key comes `active`, `retired` or nothing".to_owned()),
    };
    Ok(Some((id.parse()?, key, state)))
}

impl KeyEncryption for Keyring {
    fn active(&self) -> Result<KeyId, KeyError> {
        let active = self.ids().find(|(_, state)| *state == State::Active);
        active.map(|(id, _)| id.clone()).ok_or(KeyError::NoneActive)
    }

    fn wrap(&self, key: &KeyId, data_key: &[u8; 32], context: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(cipher::encrypt(self.usable(key)?.bytes(), data_key, context))
    }

    fn unwrap(&self, key: &KeyId, wrapped: &[u8], context: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let bytes = cipher::decrypt(self.usable(key)?.bytes(), wrapped, context).ok_or(KeyError::Forged)?;
        let mut data_key = Zeroizing::new([0; 32]);
        if bytes.len() != data_key.len() {
            return Err(KeyError::Forged);
        }
        data_key.copy_from_slice(&bytes);
        Ok(data_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "b25seS1mb3ItdHJ5aW5nLW9ubHktZm9yLXRyeWluZyE=";

    #[test]
    fn a_keyring_has_a_line_for_each_key() {
        let text = format!("# ours\n\nold {KEY} retired\n a\t{KEY}\nb {KEY} active\r\n");
        let keyring: Keyring = text.parse().expect("a keyring");
        let ids: Vec<String> = keyring.ids().map(|(id, state)| format!("{id} {state}")).collect();
        assert_eq!(ids, ["a readable", "b active", "old retired"]);
        assert_eq!(keyring.active().expect("b").as_str(), "b");
        let old: KeyId = "old".parse().expect("an id");
        assert_eq!(keyring.wrap(&old, &[0; 32], b""), Err(KeyError::Retired(old)));
        assert_eq!(Keyring::default().active(), Err(KeyError::NoneActive));
    }

    #[test]
    fn what_is_wrong_with_a_keyring_is_said_without_its_keys() {
        for (text, why) in [
            (format!("a {KEY}\na {KEY}"), "line 2: the id `a` is used twice"),
            (format!("a {KEY} active\nb {KEY} active"), "2 keys are active instead of one"),
            (format!("a {KEY} {KEY}"), "line 1: after the key comes `active`, `retired` or nothing"),
            (format!("{KEY} a"), "line 1: the key is not base64"),
            (format!("{KEY} {KEY}"), "line 1: a key's id is 1 to 64 lower-case letters, digits, `.`, `_` and `-`"),
            ("\nKEY".to_owned(), "line 2: the key is missing after its id"),
            ("a c2VjcmV0".to_owned(), "line 1: the key has 6 bytes instead of 32"),
        ] {
            assert_eq!(text.parse::<Keyring>().expect_err("no keyring"), why);
        }
        let keyring: Keyring = format!("a {KEY}").parse().expect("a keyring");
        assert!(!format!("{keyring:?}").contains("b25s"));
    }
}
