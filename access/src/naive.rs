//! Verification as it is often written, with a hole each: it shows that the tests of the real one can fail.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{DecodingKey, jwk::Jwk};
use sha2::Sha256;

use crate::{
    Fault,
    claims::{Lock, Rules},
    cryptography,
    key::{Key, KeySet},
    token::Token,
};

/// Verifies without the lock that `rules` lack.
pub(crate) fn verify(token: &Token<'_>, keys: &KeySet, rules: &Rules, now_ms: u64) -> Result<(), Fault> {
    match &token.head.jwk {
        Some(jwk) if !rules.holds(Lock::Key) => cryptography::verify(token, &brought_along(jwk)),
        _ => {
            let key = token.key(keys, now_ms).ok_or(Fault::UnknownKey)?;
            if rules.holds(Lock::Algorithm) { cryptography::verify(token, key) } else { as_the_token_says(token, key) }
        }
    }
}

/// Trusts the key in the token's own header.
fn brought_along(jwk: &serde_json::Value) -> Key {
    let jwk: Jwk = serde_json::from_value(jwk.clone()).expect("a key");
    let public = DecodingKey::from_jwk(&jwk).expect("usable");
    Key::unlisted(public)
}

/// Trusts the token's `alg`.
fn as_the_token_says(token: &Token<'_>, key: &Key) -> Result<(), Fault> {
    match token.head.alg.as_str() {
        "none" => Ok(()),
        "HS256" => {
            let public = key.public.try_get_as_bytes().expect("bytes");
            let mut mac = Hmac::<Sha256>::new_from_slice(public).expect("any length");
            mac.update(token.signed.as_bytes());
            let signature = URL_SAFE_NO_PAD.decode(token.signature).map_err(|_| Fault::Malformed)?;
            mac.verify_slice(&signature).map_err(|_| Fault::Signature)
        }
        _ => cryptography::verify(token, key),
    }
}
