//! Every interleaving of the saga, on the services' own decisions.
//!
//! A decision is plain Rust, so all seven services run on an in-memory [`bus`]: their real tables route the events, their real
//! decisions work on the rows that they would load and save, the payment gateway keeps its real books. The bus promises no more
//! than Kafka: one publisher's events about one order come in order, everything else in any order. At any moment
//! - any service may read its next event, or read an earlier one again;
//! - the client may publish its request again, the buyer may cancel, the deadline may pass;
//! - a call to the gateway may be answered, be carried out without an answer, or be given up and still arrive later;
//! - where an exploration allows it, the payment provider may void, capture or refund on its own, operators may change
//!   catalogue, stock, payment methods and addresses, a service may park an event or never get it, a call may wait for an
//!   operator, and reconcile may act upon a picture that it has taken service by service.
//!
//! [`walkthrough`] shows three sagas step by step. The [`laws`] hold in every state or at rest; at rest the audit of
//! `scenarios verify` judges too. Every step makes an order older and none of them undoes another, so each run comes to rest: a
//! law about rest is a law about how every saga ends.
//!
//! | | |
//! |---|---|
//! | [`one_order`] | every kind of order with every one of the [`troubles`], exhaustively, and exactly the expected endings |
//! | [`changes`] | operators change the services' own data, the client reuses an id, orders of several items and for points |
//! | [`operators`] | a provider that acts on its own, operators who settle parked events and calls, and reconcile |
//! | [`two_orders`] | two that compete, exhaustively |
//! | [`crowd`] | up to six at once, at random; a failure can be replayed |
//! | [`mutants`] | a service with one fault: the laws must notice |
//!
//! `cargo test -p scenarios --test interleavings -- --ignored` explores larger ones, for many minutes; `PROPTEST_CASES=100000`
//! plays more crowds. `--nocapture` shows the endings of every case and the story of every mutant.

mod bus;
mod changes;
mod crowd;
mod laws;
mod model;
mod mutants;
mod one_order;
mod operators;
mod report;
mod rows;
mod shop;
mod story;
mod troubles;
mod two_orders;
mod walkthrough;
mod wish;
