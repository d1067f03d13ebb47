//! Signed heads: the number and the hash of an entry, out of the reach of the log's own database.

use std::fmt;

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    hash::Hash,
    key::{PublicKey, SigningKey},
};

/// First bytes of what is signed.
const HEAD: &[u8] = b"audit-log head 1";

/// The end of the chain at some time. It stands for all entries up to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What the first entry names as its previous hash; identifies the log.
    pub genesis: Hash,
    /// Number of the entry.
    pub seq: i64,
    /// Hash of the entry.
    pub hash: Hash,
    /// Time of the entry in microseconds since 1970.
    pub micros: i64,
}

impl Head {
    fn bytes(&self) -> Vec<u8> {
        [HEAD, &self.genesis.0, &self.seq.to_be_bytes(), &self.hash.0, &self.micros.to_be_bytes()].concat()
    }

    /// Reads what `Display` writes.
    ///
    /// # Errors
    /// If this is no head.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let parts: Vec<&str> = text.split(' ').collect();
        let [genesis, seq, hash, micros] = parts[..] else { anyhow::bail!("a head has four parts") };
        let (genesis, hash) = (Hash::from_hex(genesis)?, Hash::from_hex(hash)?);
        Ok(Head { genesis, seq: seq.parse().context("no number")?, hash, micros: micros.parse().context("no time")? })
    }

    /// Signs the head.
    pub fn sign(&self, key: &SigningKey) -> SignedHead {
        SignedHead { head: *self, key: key.public().to_string(), signature: key.sign(&self.bytes()) }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { genesis, seq, hash, micros } = self;
        write!(f, "{genesis} {seq} {hash} {micros}")
    }
}

/// A head with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The head.
    pub head: Head,
    /// The public key of the signer, in base64; only a claim.
    pub key: String,
    /// Signature.
    pub signature: [u8; 64],
}

/// The form on the topic.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    log: String,
    seq: i64,
    hash: String,
    micros: i64,
    key: String,
    signature: String,
}

impl SignedHead {
    /// The form on the topic: JSON.
    pub fn to_json(&self) -> String {
        let Head { genesis, seq, hash, micros } = self.head;
        let (log, hash, signature) = (genesis.to_string(), hash.to_string(), BASE64_STANDARD.encode(self.signature));
        serde_json::json!(Wire { log, seq, hash, micros, key: self.key.clone(), signature }).to_string()
    }

    /// # Errors
    /// If these bytes are no signed head.
    pub fn from_json(bytes: &[u8]) -> anyhow::Result<Self> {
        let wire: Wire = serde_json::from_slice(bytes).context("not the JSON of a head")?;
        let head = Head {
            genesis: Hash::from_hex(&wire.log)?,
            seq: wire.seq,
            hash: Hash::from_hex(&wire.hash)?,
            micros: wire.micros,
        };
        let signature = BASE64_STANDARD.decode(&wire.signature).context("the signature is not base64")?;
        let signature = signature.as_slice().try_into().context("a signature has 64 bytes")?;
        Ok(SignedHead { head, key: wire.key, signature })
    }

    /// The trusted key that the head claims to be signed with.
    pub(crate) fn claimed<'a>(&self, trusted: &'a [PublicKey]) -> Option<&'a PublicKey> {
        trusted.iter().find(|key| key.to_string() == self.key)
    }

    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.signed(&self.head.bytes(), &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written_and_every_part_of_it_is_signed() {
        let key = SigningKey::generate();
        let head = Head { genesis: Hash::of(b"g"), seq: 7, hash: Hash::of(b"7"), micros: 1_700_000_000_000_000 };
        let signed = SignedHead::from_json(head.sign(&key).to_json().as_bytes()).unwrap();
        assert_eq!(signed, head.sign(&key));
        assert_eq!(Head::parse(&head.to_string()).ok(), Some(head));
        assert!(signed.is_signed_by(&key.public()) && signed.claimed(&[key.public()]).is_some());
        assert!(!signed.is_signed_by(&SigningKey::generate().public()));
        let others = [
            Head { genesis: Hash::of(b"h"), ..head },
            Head { seq: 8, ..head },
            Head { hash: Hash::of(b"8"), ..head },
            Head { micros: 0, ..head },
        ];
        for other in others {
            assert!(!SignedHead { head: other, ..signed.clone() }.is_signed_by(&key.public()), "{other:?}");
        }
    }
}
