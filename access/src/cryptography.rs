//! Signatures, checked with the algorithm of the key.

use crate::{Fault, key::Key, token::Token};

/// Checks that the key has signed the token, with the one algorithm that the key is for.
pub(crate) fn verify(token: &Token<'_>, key: &Key) -> Result<(), Fault> {
    // The token's word is compared, never followed.
    let named = match token.head.alg.as_str() {
        "Ed25519" => "EdDSA",
        named => named,
    };
    if named != key.name {
        return Err(Fault::Algorithm);
    }
    let signed = token.signed.as_bytes();
    match jsonwebtoken::crypto::verify(token.signature, signed, &key.public, key.algorithm) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Fault::Signature),
    }
}
