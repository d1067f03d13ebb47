//! The first format: `v1:` and the base64 of nonce and ciphertext, all under one key, and bound to nothing but the method's id.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, Generate, KeyInit, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use events::PaymentMethodId;
use sealing::Key;
use zeroize::Zeroizing;

use super::Unopened;

pub(super) const VERSION: &str = "v1:";
const NONCE_BYTES: usize = 12;

/// Encrypts the details of a method.
pub fn seal(key: &Key, method: PaymentMethodId, details: &str) -> String {
    let nonce = Nonce::generate();
    let ciphertext = Aes256Gcm::new(key.bytes().into())
        .encrypt(&nonce, Payload { msg: details.as_bytes(), aad: &method.0.to_be_bytes() })
        .expect("AES-GCM encrypts anything below 64 GiB");
    let mut sealed = nonce.to_vec();
    sealed.extend(ciphertext);
    format!("{VERSION}{}", BASE64.encode(sealed))
}

/// Decrypts what [`seal`] encrypted for this method.
pub fn open(key: &Key, method: PaymentMethodId, sealed: &str) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    let encoded = sealed.strip_prefix(VERSION).ok_or(Unopened::NotSealed)?;
    let bytes = BASE64.decode(encoded).map_err(|_| Unopened::NotSealed)?;
    let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(Unopened::NotSealed)?;
    let payload = Payload { msg: ciphertext, aad: &method.0.to_be_bytes() };
    let details = Aes256Gcm::new(key.bytes().into()).decrypt(&Nonce::from(*nonce), payload);
    details.map(Zeroizing::new).map_err(|_| Unopened::Forged)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICES: PaymentMethodId = PaymentMethodId(1);
    const DETAILS: &str = r#"{"token":"tok_visa","last4":"4242"}"#;

    fn key(byte: u8) -> Key {
        BASE64.encode([byte; 32]).parse().expect("32 bytes")
    }

    #[test]
    fn what_was_sealed_is_opened() {
        let sealed = seal(&key(1), ALICES, DETAILS);
        assert!(sealed.starts_with("v1:") && !sealed.contains("visa"));
        assert_eq!(*open(&key(1), ALICES, &sealed).expect("opens"), DETAILS.as_bytes());
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
    }
}
