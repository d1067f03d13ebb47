//! Envelope encryption of single values, such as a column of a table.
//!
//! Each value is encrypted with a data key of its own; the data key is *wrapped*, that is encrypted, by a key with an id. The
//! text is `v2:<key id>:<wrapped data key>:<nonce and ciphertext>`, both parts in base64 and both AES-256-GCM.
//!
//! Both are authenticated together with the [`Binding`], which says where the value belongs: its purpose, row, owner and so
//! on. The wrapped data key is bound to the id of its key as well. The value is not, so that a key can be replaced by wrapping
//! the data key again ([`Envelope::rewrap`]) without decrypting the value. The version and the part's role are in both.
//!
//! Keys come from a [`KeyringFile`], or from whatever else implements [`KeyEncryption`], such as a key management service.
//!
//! ```
//! use sealing::{Binding, Envelope, Keyring};
//!
//! let keys: Keyring = "2026-11 b25seS1mb3ItdHJ5aW5nLW9ubHktZm9yLXRyeWluZyE= active".parse()?;
//! let place = Binding::of("people.address").and(&1_i64.to_be_bytes());
//! let text = Envelope::seal(&keys, &place, b"10 Downing Street")?.to_string();
//!
//! let envelope: Envelope = text.parse()?;
//! assert_eq!(*envelope.open(&keys, &place)?, b"10 Downing Street");
//! let elsewhere = Binding::of("people.address").and(&2_i64.to_be_bytes());
//! assert!(envelope.open(&keys, &elsewhere).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

mod binding;
mod cipher;
mod envelope;
mod key;
mod key_encryption;
mod keyring;
mod keyring_file;

pub use binding::Binding;
pub use envelope::{Envelope, Malformed};
pub use key::{Key, KeyId};
pub use key_encryption::{KeyEncryption, KeyError};
pub use keyring::{Keyring, State};
pub use keyring_file::KeyringFile;
