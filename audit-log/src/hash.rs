//! The hashes of the chain.

use std::fmt;

use anyhow::Context;
use sha2::{Digest, Sha256};

/// First bytes of what an entry's hash is of.
const ENTRY: &[u8] = b"audit-log entry 1";

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Hash(Sha256::digest(bytes).into())
    }

    /// # Errors
    /// If these are not 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> anyhow::Result<Self> {
        Ok(Hash(bytes.try_into().context("a hash has 32 bytes")?))
    }

    /// # Errors
    /// If this is not 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> anyhow::Result<Self> {
        let digits = text.as_bytes();
        anyhow::ensure!(digits.len() == 64, "a hash has 64 hexadecimal digits");
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).context("not hexadecimal")?;
            anyhow::ensure!(pair.bytes().all(|digit| digit.is_ascii_hexdigit()), "not hexadecimal");
            *byte = u8::from_str_radix(pair, 16).context("not hexadecimal")?;
        }
        Ok(Hash(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The hash of an entry: of the previous hash, its number and the digest of each field. All parts have a fixed width, so that no
/// two entries give the same bytes.
pub(crate) fn of_entry(previous: &Hash, seq: i64, digests: &[Hash]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(ENTRY);
    hash.update(previous.0);
    hash.update(seq.to_be_bytes());
    digests.iter().for_each(|digest| hash.update(digest.0));
    Hash(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = Hash::of(b"abc");
        assert_eq!(hash.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Hash::from_hex(&hash.to_string()).ok(), Some(hash));
        for wrong in ["", "ab", &"+f".repeat(32), &"é".repeat(32)] {
            assert!(Hash::from_hex(wrong).is_err(), "{wrong}");
        }
    }
}
