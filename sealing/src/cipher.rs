//! AES-256-GCM under a random nonce, which precedes the ciphertext.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, Generate, KeyInit, Payload},
};
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;

/// Nonce and ciphertext.
pub(crate) fn encrypt(key: &[u8; 32], data: &[u8], bound_to: &[u8]) -> Vec<u8> {
    let nonce = Nonce::generate();
    let ciphertext = Aes256Gcm::new(key.into())
        .encrypt(&nonce, Payload { msg: data, aad: bound_to })
        .expect("AES-GCM encrypts anything below 64 GiB");
    let mut sealed = nonce.to_vec();
    sealed.extend(ciphertext);
    sealed
}

/// What [`encrypt`] encrypted with this key for this place; None for anything else.
pub(crate) fn decrypt(key: &[u8; 32], sealed: &[u8], bound_to: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg: ciphertext, aad: bound_to };
    Aes256Gcm::new(key.into()).decrypt(&Nonce::from(*nonce), payload).ok().map(Zeroizing::new)
}
