//! The key of one person.

use std::{cmp::Ordering, fmt, hash};

use aes_gcm_siv::{
    Aes256GcmSiv, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use sealing::{Binding, Key};
use std::sync::Arc;
use zeroize::Zeroizing;

use crate::sealed::Sealed;

/// The key of one person. Never shown, and cleared from memory when the last copy is dropped.
#[derive(Clone)]
pub struct PersonKey(Arc<Key>);

impl PersonKey {
    /// A new random key.
    pub fn generate() -> Self {
        PersonKey(Arc::new(Key::generate()))
    }

    pub(crate) fn of(key: Key) -> Self {
        PersonKey(Arc::new(key))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// AES-256-GCM-SIV under a constant nonce: deterministic. RFC 8452 allows a repeated nonce at the price of showing that the
    /// same text was sealed with the same authenticated data, which is what sealing promises.
    pub(crate) fn seal(&self, person: i64, place: &str, text: &str) -> Sealed {
        let aad = authenticated(person, place);
        let bytes = Aes256GcmSiv::new(self.bytes().into())
            .encrypt(&Nonce::default(), Payload { msg: text.as_bytes(), aad: &aad })
            .expect("AES-GCM-SIV encrypts anything below 64 GiB");
        Sealed { person, place: place.to_owned(), bytes }
    }

    /// The text; `None` if it was sealed with another key or for another place, or has been tampered with.
    pub(crate) fn open(&self, sealed: &Sealed) -> Option<String> {
        let aad = authenticated(sealed.person, &sealed.place);
        let payload = Payload { msg: &sealed.bytes, aad: &aad };
        let opened = Aes256GcmSiv::new(self.bytes().into()).decrypt(&Nonce::default(), payload).ok()?;
        let opened = Zeroizing::new(opened);
        std::str::from_utf8(&opened).ok().map(str::to_owned)
    }
}

fn authenticated(person: i64, place: &str) -> Vec<u8> {
    Binding::of("personal text v1").and(&person.to_be_bytes()).and(place.as_bytes()).as_bytes().to_vec()
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonKey(..)")
    }
}

// Keys are among the rows that a decision is taken on, and those are compared and hashed.
impl PartialEq for PersonKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for PersonKey {}

impl PartialOrd for PersonKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PersonKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl hash::Hash for PersonKey {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}
