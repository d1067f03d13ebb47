//! The relay: publishes the events that services have written to their outboxes. Nothing else publishes them.
//!
//! One [`Relay`] serves one database. It guarantees:
//! - **No loss**: every row committed to `outbox` reaches Kafka.
//! - **At-least-once delivery**: after a crash, the rows of the last 20 ms, or of fifty times the time that it takes to write the
//!   cursor (`cursor.rs`), are published again. The consumer's inbox drops duplicates.
//! - **Order per key**, as long as the topic's number of partitions does not change: the first occurrences of a key's events are
//!   on its partition in the order of `seq`. This holds even if a relay that was presumed dead comes back, because every relay
//!   gives each partition its rows in the order of `seq`, starts at or before the first unpublished row, and never skips one:
//!   two such streams, however they interleave, repeat records but never reorder them.
//! - **Independent partitions**: one that accepts nothing, for want of a leader or of in-sync replicas, holds up the others for
//!   a few seconds only.
//! - **One topic per database**: a row that names a publisher other than the one that the database belongs to
//!   ([`Settings::publisher`]) is not published, and no later row passes it.
//!
//! ```no_run
//! use outbox::kafka::Cluster;
//! use outbox_relay::{BATCH_ROWS, Relay, Settings, Timing};
//! use process::shutdown::Shutdown;
//!
//! async fn publish(kafka: Cluster) -> anyhow::Result<()> {
//!     let relay = Relay::new(Settings {
//!         database: "hotel".to_owned(),
//!         options: "postgres://hotel:secret@localhost/hotel".parse()?,
//!         kafka,
//!         publisher: Some("hotel".to_owned()),
//!         timing: Timing::default(),
//!         batch_max: BATCH_ROWS,
//!     });
//!     relay.run(&Shutdown::on_signals()?).await;
//!     Ok(())
//! }
//! ```
//!
//! # Order
//! A service locks the aggregate's row, then draws `seq`, then commits. So for one aggregate the order of `seq` is the order of
//! commits, and publishing strictly by `seq` is enough. But the numbers of *different* transactions become visible in any
//! order, and the number of a transaction that rolls back never does. So a cursor alone (`where seq > $1`) loses rows: it
//! passes a number that becomes visible a moment later. The relay stops at a missing number and finds out what became of it
//! (`gap.rs`, `writers.rs`): a transaction that draws a number holds a row-exclusive lock on `outbox` from before the draw until
//! it ends. The relay notes which transactions hold that lock; once all of them have ended, a number that a new read still does
//! not show was rolled back, and is passed. A gap that lasts is logged together with the session that holds it open.
//!
//! Transaction ids cannot tell this as well. A snapshot's `xmax` is one past the last id that *ended*, so a running
//! transaction may have a higher one, and `xmin >= xmax` says that all have ended while it still holds a number. Windows
//! of transaction ids get the order wrong: of two transactions on one aggregate, the later may have the lower id. And both
//! wait for every transaction on the server, in any database; the lock is held only by those that matter.
//!
//! # Leadership
//! One relay leads, any number stand by (`leadership.rs`). The row in `relay_cursor` carries an `epoch`, which every change of
//! leader increments; the leader holds a session lock named after its epoch, and a lease in that row. If the session lock is
//! free, the leader's session is gone, and a standby takes over at once. If the lease has expired, the leader is frozen, and a
//! standby takes over regardless of the lock. A relay that finds an epoch other than its own in the row stops leading. A leader
//! whose database connection falls silent discards the connection and may take over from itself at once.
//!
//! The order does not depend on the lease, since no relay skips a row; the lease bounds what is repeated. When the lease ends by
//! a monotonic clock, a thread takes back what the client has not sent, whatever the relay is waiting for (`client.rs`). A
//! process that was frozen for longer may send what it held before that thread runs: rows that the successor has published as
//! well, in the same order.
//!
//! # No gaps in what a producer sends
//! - No record expires by itself: those behind it would be sent. What a broker has not acknowledged in time
//!   ([`Timing::acknowledged_within`]) is taken back together with everything after it.
//! - A partition that has never seen a producer id accepts any sequence number as the first. So a new producer gives each
//!   partition one record, and no more until that one has been accepted (`partition.rs`).
//! - A record counts as published when the broker has reported its offset. librdkafka also reports a record as delivered because
//!   a later one was; that may be wrong, so a delivery report without an offset counts as a refusal.
//!
//! # Checks before and while leading
//! - New rows get numbers ahead of the cursor: `outbox_seq` is not behind it, as it would be after a restore or a
//!   switch-over that omitted sequences, and is not cached (`sequence.rs`). Otherwise the relay stops, is not ready, and says
//!   what to do.
//! - No number was used twice. A sequence that was set back and has caught up by the next check, a fifth of a lease later, gives
//!   new rows the numbers of old ones. Every renewal of the lease looks for such numbers, from 10,000 before the previous check
//!   up to the cursor, as long as the old rows are retained (`used_once.rs`). The rows that were passed over are then found and
//!   named, but later events of their keys may have been published by then. A check that the server cancels stops nothing and
//!   is logged as a warning.
//!   Not found: numbers that were reused when their first rows are gone or were never written, if the sequence has caught up
//!   with the cursor before a relay checks.
//! - Reads are bounded by bytes and time (`portion.rs`): a read that the server cancels is retried with half the rows.
//! - Every wait for the database, the broker and the network has a bound, except for closing a Kafka client, whose queue
//!   is purged first: nothing may follow until it can send no more. `/readyz` reports what [`Relay::trouble`] returns.
//! - Within one process, a publisher that two databases declare belongs to neither; between processes only
//!   [`Settings::publisher`] says which is right.
//!
//! # Common mistakes, and what the relay does instead
//! - `NOTIFY` inside the writing transaction serializes all commits of the database. Here it is sent after the commit, on
//!   another connection, coalesced; and it only makes the next poll come sooner.
//! - `for update skip locked` with several readers, or `delete … returning`: order is lost, or every row is written twice.
//!   Here the outbox is insert-only and the cursor is the only row that changes.
//! - Deleting or flagging a row when the broker has acknowledged it: a broker acknowledges before it has written to disk. Here
//!   rows are retained for a while, and [`replay()`] publishes them again.
//! - Continuing after a failed send: the next record of the key overtakes the failed one. Here a failure discards the producer
//!   with everything in it, and the relay reads again from after the last acknowledged row, one row at a time at first
//!   (`recovery.rs`).
//!
//! # An event that cannot be published
//! The broker refuses it, or it names another publisher. Neither should happen: `outbox` refuses an event over the size limit
//! when it is written, topics are created before anything is written, and the table has a constraint. If it does happen, the
//! event is neither dropped nor overtaken: the relay stops before it, is not ready, logs an error that names it, counts it in
//! `relay_refused_total`, and retries until it succeeds.
//!
//! # A partition that accepts nothing
//! A partition that has acknowledged nothing for a quarter of [`Timing::acknowledged_within`], although the cluster answers,
//! is left behind (`suspicion.rs`): the relay reads on without its rows, is not ready, names it, and counts it in
//! `relay_partitions_behind`. What it was given before stays with the client and goes first when the partition acknowledges
//! again; then the rows that were left out are read again and given to it, one read at a time, until it has received what the
//! others have (`behind.rs`). One that is away for so long that it may have forgotten the producer gets a new producer. The
//! cursor stays before the first row that it has not acknowledged, so a successor begins there: after a crash meanwhile, the
//! other partitions receive again what they have received since then.
//!
//! Catching up reads all rows since then; they are still there, since upkeep deletes no row that the cursor has not passed.

#![warn(missing_docs)]

mod behind;
mod candidate;
mod claims;
mod client;
mod context;
mod cursor;
mod gap;
mod in_flight;
mod leadership;
mod lease;
mod lost;
mod meters;
mod pace;
mod partition;
mod partitioner;
mod portion;
mod program;
mod progress;
mod publisher;
mod record;
mod recovery;
mod relay;
mod replay;
mod sequence;
mod settings;
mod slots;
mod span;
mod stall;
mod store;
mod suspicion;
mod tenure;
mod timing;
mod topic;
mod used_once;
mod wake;
mod writers;

pub use candidate::{Candidacy, Candidate};
pub use lost::Lost;
pub use partitioner::partition_of;
pub use progress::Standing;
pub use relay::Relay;
pub use replay::replay;
pub use settings::{BATCH_ROWS, Settings};
pub use span::Span;
pub use tenure::{Drained, Outcome, Tenure};
pub use timing::Timing;
