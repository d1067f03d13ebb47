//! Texts about a person, sealed under a key of his own, so that erasing the key erases every copy of them.
//!
//! A name or an address travels in events, and is kept in tables, topics and backups of several services. Removing each copy is
//! hopeless. So each is sealed under its person's key, and the key lies in one place: a small database that the services ask.
//! Once the key is erased, no copy can be read again (*crypto-shredding*).
//!
//! - A text is sealed as `sealed:v1:<person>:<place>:<base64>`, with AES-256-GCM-SIV (RFC 8452). The place says what the text is
//!   and where it belongs, such as `order/<id>/ship_to`; it is authenticated with the person and the version. So a text that was
//!   moved to another row does not open there.
//! - Sealing is deterministic: the same text at the same place gives the same bytes. So a decision that is taken again says the
//!   same, and what is seen by comparing is only that a text of one place has not changed.
//! - A person's key is wrapped by a key of a keyring ([`sealing::KeyringFile`]): the database alone opens nothing.
//! - Keys are asked for whenever they are needed and never kept, so an erasure counts at once. An erased person stays erased:
//!   no new key is made for him.
//!
//! ```
//! use personal_data::{Held, PersonKey, PersonKeys};
//!
//! let keys = PersonKeys::sealing([(7, Held::Key(PersonKey::generate()))]);
//! let sealed = keys.seal(7, "order/1/ship_to", "10 Downing Street")?;
//! assert!(sealed.starts_with("sealed:v1:7:order/1/ship_to:"));
//! assert_eq!(keys.open(7, "order/1/ship_to", &sealed)?, "10 Downing Street");
//! assert!(keys.open(7, "order/2/ship_to", &sealed).is_err());
//!
//! let erased = PersonKeys::sealing([(7, Held::Erased)]);
//! assert!(erased.open(7, "order/1/ship_to", &sealed).is_err());
//! # Ok::<(), personal_data::Unsealed>(())
//! ```
#![warn(missing_docs)]

mod key;
mod keys;
mod migration;
mod sealed;
mod settings;
mod store;
mod together;
#[cfg(feature = "saga")]
mod units_of_work;

pub use key::PersonKey;
pub use keys::{Held, PersonKeys, Unsealed, Unusable};
pub use migration::{MIGRATIONS, Roles, prepare};
pub use sealed::{Malformed, Sealed};
pub use settings::{PERSONAL_KEYRING, PERSONAL_KEYS_URL, Settings};
pub use store::{Keeper, KeysError, Rewrapped, Vault};
