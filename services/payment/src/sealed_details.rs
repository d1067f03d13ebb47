//! The details of a payment method, encrypted at rest with AES-256-GCM under a random nonce, and bound to the method's id, so
//! that one method's details cannot replace another's.
//!
//! The text is `v1:` and the base64 of nonce and ciphertext; another cipher would get another version.

use std::{fmt, str::FromStr};

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, Generate, KeyInit, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use events::PaymentMethodId;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::Deserialize;

const VERSION: &str = "v1:";
const NONCE_BYTES: usize = 12;

/// The 32-byte key for all details.
pub struct DetailsKey(SecretBox<[u8; 32]>);

impl fmt::Debug for DetailsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DetailsKey(..)")
    }
}

impl FromStr for DetailsKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The error must not contain the text itself.
        let bytes = BASE64.decode(text.trim()).map_err(|_| "the key is not base64")?;
        let length = bytes.len();
        let key: [u8; 32] = bytes.try_into().map_err(|_| format!("the key has {length} bytes instead of 32"))?;
        Ok(DetailsKey(SecretBox::new(Box::new(key))))
    }
}

/// The reason why details could not be decrypted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    #[error("they are not of the form {VERSION}<base64>")]
    NotSealed,
    #[error("they were encrypted with another key or for another method, or have been tampered with")]
    Forged,
    #[error("they are not the details of a card")]
    NotACard,
}

#[derive(Deserialize)]
struct Card {
    token: String,
}

/// Encrypts the details of a method.
pub fn seal(key: &DetailsKey, method: PaymentMethodId, details: &str) -> String {
    let nonce = Nonce::generate();
    let ciphertext = cipher(key)
        .encrypt(&nonce, payload(details.as_bytes(), &method.0.to_be_bytes()))
        .expect("AES-GCM encrypts anything below 64 GiB");
    let mut sealed = nonce.to_vec();
    sealed.extend(ciphertext);
    format!("{VERSION}{}", BASE64.encode(sealed))
}

/// Decrypts what [`seal`] encrypted for this method.
pub fn open(key: &DetailsKey, method: PaymentMethodId, sealed: &str) -> Result<SecretString, Unopened> {
    let encoded = sealed.strip_prefix(VERSION).ok_or(Unopened::NotSealed)?;
    let bytes = BASE64.decode(encoded).map_err(|_| Unopened::NotSealed)?;
    let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(Unopened::NotSealed)?;
    let details = cipher(key)
        .decrypt(&Nonce::from(*nonce), payload(ciphertext, &method.0.to_be_bytes()))
        .map_err(|_| Unopened::Forged)?;
    String::from_utf8(details).map(SecretString::from).map_err(|_| Unopened::NotACard)
}

/// Decrypts the part of a card's details that the gateway needs: its token.
pub fn open_token(key: &DetailsKey, method: PaymentMethodId, sealed: &str) -> Result<SecretString, Unopened> {
    let details = open(key, method, sealed)?;
    let card: Card = serde_json::from_str(details.expose_secret()).map_err(|_| Unopened::NotACard)?;
    Ok(SecretString::from(card.token))
}

fn cipher(key: &DetailsKey) -> Aes256Gcm {
    Aes256Gcm::new(key.0.expose_secret().into())
}

fn payload<'a>(msg: &'a [u8], aad: &'a [u8]) -> Payload<'a, 'a> {
    Payload { msg, aad }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICES: PaymentMethodId = PaymentMethodId(1);
    const DETAILS: &str = r#"{"token":"tok_visa","last4":"4242"}"#;

    fn key(byte: u8) -> DetailsKey {
        BASE64.encode([byte; 32]).parse().expect("32 bytes")
    }

    #[test]
    fn what_was_sealed_is_opened() {
        let sealed = seal(&key(1), ALICES, DETAILS);
        assert!(sealed.starts_with("v1:") && !sealed.contains("visa"));
        assert_eq!(open(&key(1), ALICES, &sealed).expect("opens").expose_secret(), DETAILS);
        assert_eq!(open_token(&key(1), ALICES, &sealed).expect("a card").expose_secret(), "tok_visa");
        assert_ne!(seal(&key(1), ALICES, DETAILS), sealed, "the nonce is random");
    }

    #[test]
    fn another_key_another_method_and_a_changed_byte_do_not_open_it() {
        let sealed = seal(&key(1), ALICES, DETAILS);
        let mut bytes = BASE64.decode(&sealed[VERSION.len()..]).expect("base64");
        *bytes.last_mut().expect("bytes") ^= 1;
        let tampered = format!("{VERSION}{}", BASE64.encode(bytes));
        for (key, method, sealed) in
            [(key(2), ALICES, &sealed), (key(1), PaymentMethodId(2), &sealed), (key(1), ALICES, &tampered)]
        {
            assert_eq!(open(&key, method, sealed).err(), Some(Unopened::Forged));
        }
    }

    #[test]
    fn what_was_never_sealed_is_not_opened() {
        for text in ["", "{}", "v1:", "v1:%", "v1:AAAA", "v2:AAAA"] {
            assert_eq!(open(&key(1), ALICES, text).err(), Some(Unopened::NotSealed), "{text:?}");
        }
        let sealed = seal(&key(1), ALICES, "{}");
        assert_eq!(open_token(&key(1), ALICES, &sealed).err(), Some(Unopened::NotACard));
    }

    #[test]
    fn a_key_has_32_bytes_and_is_never_shown() {
        for text in ["", "secret!", "c2VjcmV0"] {
            let error = text.parse::<DetailsKey>().expect_err("no key");
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
        assert_eq!(format!("{:?}", key(7)), "DetailsKey(..)");
    }
}
