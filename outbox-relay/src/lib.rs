//! The relay: publishes what services have written into their outboxes, and is the only one that does.
//!
//! One [`Relay`] serves one database. It promises:
//! - **Nothing is skipped**: every row that was committed to `outbox` reaches Kafka.
//! - **At least once**: after a crash the last rows, some 20 ms' worth, are published again. The inbox of whoever
//!   consumes them drops what it has seen.
//! - **In order per key**: the first occurrences of a key's events are on its partition in the order of `seq`. That holds
//!   even if a relay that was thought dead comes back, because every relay publishes in the order of `seq` and starts at or
//!   before the first row that nobody has published: two such streams, however they interleave, repeat but never overtake.
//!
//! # How it keeps the order
//! A service locks the order's row, then draws `seq`, then commits. So for one order the order of `seq` is the order of
//! commits, and it is enough to publish strictly by `seq`. But numbers of *different* transactions become visible in any
//! order, and a transaction that rolls back never shows its number. So a cursor alone (`where seq > $1`) loses rows: it
//! passes a number that becomes visible a moment later. The relay stops at a missing number and finds out what it is
//! (`gap.rs`, `writers.rs`): whoever draws a number holds a row-exclusive lock on `outbox` from before the draw until the
//! end of the transaction. The relay notes who holds that lock; when all of them have ended, what a new read still does
//! not show was rolled back and is passed. A gap that lasts is reported together with the session that holds it open.
//!
//! Transaction ids cannot tell this as well. A snapshot's `xmax` is one past the last id that *ended*, so a running
//! transaction may have a higher one, and `xmin >= xmax` says "all over" while it still holds a number. Windows
//! of transaction ids get the order wrong: of two transactions on one order, the later may have the lower id. And both
//! wait for every transaction of the server, in whichever database; the lock is held by those alone that matter.
//!
//! # Who publishes
//! One relay leads, any number stand by (`leadership.rs`). The row in `relay_cursor` carries an `epoch` that each change of
//! hands raises; the leader holds a session lock named by its epoch and a lease in that row. The session lock free: the
//! leader's session is gone, a standby takes over at once. The lease over: the leader is frozen, a standby takes over
//! without it. Whoever finds another epoch than its own in the row stops. Before each send the leader makes sure, by a
//! monotonic clock, that the client will have given the record up before the lease ends (`lease.rs`), so a relay
//! that was stopped and resumes fails what it had queued rather than sending it late. (A suspended virtual machine stops
//! that clock too: then a few rows are repeated.)
//!
//! # What others get wrong
//! - `NOTIFY` inside the writing transaction serializes all commits of the database. Here it is sent after the commit, on
//!   another connection, coalesced; and it only makes the next poll come sooner.
//! - `for update skip locked` with several readers, or `delete … returning`: order is lost, or every row is written twice.
//!   Here the outbox is insert-only and the cursor is the only row that changes.
//! - Deleting or flagging a row when the broker has acknowledged it: a broker acknowledges before its disk does. Here rows
//!   stay for a while, and [`replay()`] publishes them again.
//! - Going on after a failed send: the next record of the key overtakes it. Here a failure discards the producer with all
//!   that it holds, and reading begins again after the last row that was acknowledged, row by row until it goes through.
//!
//! # An event that the broker refuses
//! It cannot happen: the kit refuses an event over the size limit when it is written to the outbox, and topics are made
//! before anything is written. Should it happen all the same, the event is neither dropped nor overtaken: the relay stops
//! before it, logs an error that names it, counts it in `relay_refused_total`, and tries again until the broker takes it.

mod candidate;
mod client;
mod gap;
mod in_flight;
mod leadership;
mod lease;
mod lost;
mod meters;
mod outbox;
mod pace;
mod program;
mod publisher;
mod record;
mod relay;
mod replay;
mod span;
mod stall;
mod tenure;
mod timing;
mod wake;
mod writers;

pub use candidate::{Candidacy, Candidate};
pub use lost::Lost;
pub use relay::{BATCH_ROWS, Relay, Standing};
pub use replay::replay;
pub use span::Span;
pub use tenure::{Drained, Step, Tenure};
pub use timing::Timing;
