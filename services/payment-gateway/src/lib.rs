//! A stand-in for the payment provider outside: what a card processor offers over HTTP, with the troubles of a real one.
//!
//! | request | does |
//! |---|---|
//! | `POST /v1/payments/{id}/authorize` `{amount, currency, token}` | holds the amount on the card |
//! | `POST /v1/payments/{id}/capture` | collects what is held |
//! | `POST /v1/payments/{id}/void` | lets go of what is held, or sees to it that nothing ever will be |
//! | `POST /v1/payments/{id}/refund` | gives back what was collected |
//! | `GET /v1/payments/{id}` | the payment as it stands |
//! | `GET /v1/ledger`, `?payment_id=` | every booking, and the totals by currency |
//! | `GET`, `PUT /v1/settings` | delay, failure rate, which tokens are declined |
//!
//! The client chooses the id. Every `POST` needs an `Idempotency-Key`: the same request under the same key gets the
//! answer that was given first, whatever has happened since; another request under that key is refused (422). Errors are
//! RFC 9457 problems. An authorization of exactly [`BOMB`](ledger::BOMB) is answered with a 500 and books nothing.
//!
//! What may happen to a payment is in [`payment`], what has happened is in the [`ledger`] and, so that it outlives the
//! program, in the [`journal`]; [`http`] is all that knows the wire.

pub mod books;
pub mod http;
pub mod journal;
pub mod ledger;
pub mod payment;
pub mod problem;
pub mod request;
pub mod settings;
