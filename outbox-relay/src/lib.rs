//! The relay: publishes what services have written into their outboxes, and is the only one that does.
//!
//! One [`Relay`] serves one database. It promises:
//! - **Nothing is skipped**: every row that was committed to `outbox` reaches Kafka.
//! - **At least once**: after a crash the last rows, 20 ms' worth or fifty times what writing the cursor takes (`cursor.rs`),
//!   are published again. The inbox of whoever consumes them drops what it has seen.
//! - **In order per key**, as long as the topic keeps its number of partitions: the first occurrences of a key's events are
//!   on its partition in the order of `seq`. That holds even if a relay that was thought dead comes back, because every
//!   relay gives each partition its rows in the order of `seq`, starts at or before the first row that nobody has published,
//!   and never leaves one out: two such streams, however they interleave, repeat but never overtake.
//! - **Each partition by itself**: one that takes nothing, for want of a leader or of replicas in sync, holds up the others for
//!   seconds only.
//! - **To its own topic**: a row that names another publisher than the one that the database belongs to
//!   ([`Settings::publisher`]) goes nowhere, and nothing passes it.
//!
//! ```no_run
//! use outbox::kafka::Kafka;
//! use outbox_relay::{BATCH_ROWS, Relay, Settings, Timing};
//! use process::shutdown::Shutdown;
//!
//! async fn publish(kafka: Kafka) -> anyhow::Result<()> {
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
//! # How it keeps the order
//! A service locks the aggregate's row, then draws `seq`, then commits. So for one aggregate the order of `seq` is the order of
//! commits, and it is enough to publish strictly by `seq`. But numbers of *different* transactions become visible in any
//! order, and a transaction that rolls back never shows its number. So a cursor alone (`where seq > $1`) loses rows: it
//! passes a number that becomes visible a moment later. The relay stops at a missing number and finds out what it is
//! (`gap.rs`, `writers.rs`): whoever draws a number holds a row-exclusive lock on `outbox` from before the draw until the
//! end of the transaction. The relay notes who holds that lock; when all of them have ended, what a new read still does
//! not show was rolled back and is passed. A gap that lasts is reported together with the session that holds it open.
//!
//! Transaction ids cannot tell this as well. A snapshot's `xmax` is one past the last id that *ended*, so a running
//! transaction may have a higher one, and `xmin >= xmax` says "all over" while it still holds a number. Windows
//! of transaction ids get the order wrong: of two transactions on one aggregate, the later may have the lower id. And both
//! wait for every transaction of the server, in whichever database; the lock is held by those alone that matter.
//!
//! # Who publishes
//! One relay leads, any number stand by (`leadership.rs`). The row in `relay_cursor` carries an `epoch` that each change of
//! hands raises; the leader holds a session lock named by its epoch and a lease in that row. The session lock free: the
//! leader's session is gone, a standby takes over at once. The lease over: the leader is frozen, a standby takes over
//! without it. Whoever finds another epoch than its own in the row stops. A leader whose database falls silent throws the
//! connection away and may take over from itself at once.
//!
//! The order does not depend on the lease, since no relay leaves anything out; the lease bounds what is repeated. By a
//! monotonic clock, and whatever the relay waits for, a thread takes back what the client has not sent when the lease ends
//! (`client.rs`). A process that was frozen for longer may send what it held before that thread wakes up: rows that the
//! successor has published as well, in the same order.
//!
//! # How a producer leaves nothing out
//! - No record expires by itself: those behind it would be sent. What a broker has not acknowledged in time
//!   ([`Timing::acknowledged_within`]) is taken back together with all that follows it.
//! - A partition that has never met a producer id takes whatever it accepts first for the beginning. So a new producer
//!   gives each partition one record, and nothing more until that one has been accepted (`partition.rs`).
//! - A record counts as published when the broker has told its offset. librdkafka also reports records as delivered because
//!   a later one was; that may be wrong, and counts as refused.
//!
//! # What it checks before it leads, and while it does
//! - New rows get numbers ahead of the cursor: `outbox_seq` is not behind it, as it would be after a restore or a
//!   switch-over that left sequences out, and is not cached (`sequence.rs`). Else it stops, is not ready, and says what to do.
//! - No number was used twice: a sequence that was set back and has caught up by the next look, a fifth of a lease later,
//!   gives numbers to new rows that old rows have, as long as these are kept. It is looked for from 10,000 numbers before
//!   the last look up to the cursor, with every renewal of the lease (`used_once.rs`): rows that were passed over are found and
//!   named then, not before others of their key have been published. A look that the server gives up stops nothing and is
//!   warned of.
//!   What this does not find: numbers that were used again when their first rows are gone or were never written, if the
//!   sequence has caught up with the cursor before a relay looks.
//! - Reads are bounded by bytes and time (`portion.rs`): a read that the server gives up is tried again with half the rows.
//! - Every wait for the database, the broker and the network has a bound, but for the end of a Kafka client, which has been
//!   emptied before: nothing may follow it while it can still send. What [`Relay::trouble`] says is what `/readyz` says.
//! - In one process, a publisher that two databases declare is neither's; between processes only
//!   [`Settings::publisher`] says which is right.
//!
//! # What others get wrong
//! - `NOTIFY` inside the writing transaction serializes all commits of the database. Here it is sent after the commit, on
//!   another connection, coalesced; and it only makes the next poll come sooner.
//! - `for update skip locked` with several readers, or `delete … returning`: order is lost, or every row is written twice.
//!   Here the outbox is insert-only and the cursor is the only row that changes.
//! - Deleting or flagging a row when the broker has acknowledged it: a broker acknowledges before its disk does. Here rows
//!   stay for a while, and [`replay()`] publishes them again.
//! - Going on after a failed send: the next record of the key overtakes it. Here a failure discards the producer with all
//!   that it holds, and reading begins again after the last row that was acknowledged, row by row until it goes through
//!   (`recovery.rs`).
//!
//! # An event that cannot be published
//! The broker refuses it, or it names another publisher. It cannot happen: `outbox` refuses an event over the size limit when
//! it is written to the outbox, topics are made before anything is written, and the table has a constraint. Should it happen
//! all the same, the event is neither dropped nor overtaken: the relay stops before it, is not ready, logs an error that
//! names it, counts it in `relay_refused_total`, and tries again until it goes through.
//!
//! # A partition that takes nothing
//! A partition that has acknowledged nothing for a quarter of [`Timing::acknowledged_within`], although the cluster answers,
//! is left behind (`suspicion.rs`): reading goes on without its rows, the relay is not ready and names it, and
//! `relay_partitions_behind` counts it. What it was given before stays with the client and goes first when the partition
//! acknowledges again; then what was left out is read again and given to it, a read at a time, until it has what all have
//! (`behind.rs`). One that is away for so long that it may have forgotten the producer gets a new one. The cursor stays
//! before the first row that it has not acknowledged, so a successor begins there: after a crash meanwhile, other partitions
//! get again what they got since then.
//!
//! Reading again goes through all rows since then; they are there, since upkeep deletes nothing that the cursor has not passed.

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
pub use tenure::{Drained, Step, Tenure};
pub use timing::Timing;
