//! An audit log in a database of its own: who did what, on what, why, and how it ended.
//!
//! - **Insert-only.** A writer may execute one function, [which](prepare) appends an entry. It cannot read, change or remove one,
//!   and chooses neither number, time, role nor hash.
//! - **Recorded first.** [`Recorder::audited`] records that an act begins, carries it out, and records how it ended. If the log
//!   cannot be written, the act does not happen.
//! - **Chained.** Each entry has the SHA-256 of its fields, its number and the hash of the entry before. One entry is written at
//!   a time, under a lock on the end of the chain, so the chain cannot fork.
//! - **Signed outside.** After each entry its number and hash are signed with Ed25519 and published on a Kafka [topic](TOPIC).
//!   [`Reader::verify`] names the row that a superuser of the database changed, took, moved, wrote anew or cut off.
//!
//! The library knows no program: actions and objects are words of whoever records them.
//!
//! ```no_run
//! use audit_log::{Act, Actor, Ended, Known, Recorder};
//!
//! # async fn example(cluster: outbox::kafka::Cluster) -> anyhow::Result<()> {
//! let recorder = Recorder::of_the_process(&cluster)?;
//! let actor = Actor { name: "ophelia".to_owned(), known: Known::Certificate };
//! let act = Act::new(actor, "keys.rotate", "key", "payments-2026").because("yearly");
//! let rotate = async { anyhow::Ok(3) };
//! let rows = recorder.audited(&act, rotate, |rows| Ended::done(format!("{rows} rows encrypted anew"))).await?;
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

mod act;
mod denials;
mod entry;
mod hash;
mod head;
mod key;
mod log;
mod migration;
mod reader;
mod recorder;
mod store;
mod text;
mod topic;
pub mod verify;

pub use act::{Act, Actor, Ended, Known, Outcome};
pub use denials::{Denial, Denials, EVERY};
pub use entry::{Bytes, Entry};
pub use hash::Hash;
pub use head::{Head, SignedHead};
pub use key::{PublicKey, SigningKey};
pub use log::{AuditLog, Receipt};
pub use migration::{MIGRATIONS, Roles, prepare};
pub use reader::{Reader, Wanted};
pub use recorder::{
    AUDIT_DATABASE_URL, AUDIT_PUBLIC_KEYS_FILE, AUDIT_READER_URL, AUDIT_SIGNING_KEY_FILE, Begun, Recorder,
};
pub use store::Chain;
pub use text::escaped;
pub use topic::{Announced, TOPIC, Topic};
