//! A stand-in for the outside payment provider: the HTTP API of a card processor, with the failures of a real one.
//!
//! | request | does |
//! |---|---|
//! | `POST /v1/payments/{id}/authorize` `{amount, currency, token}` | holds the amount on the card |
//! | `POST /v1/payments/{id}/capture` | collects what is held |
//! | `POST /v1/payments/{id}/void` | releases what is held, or prevents anything from ever being held |
//! | `POST /v1/payments/{id}/refund` | returns what was collected |
//! | `GET /v1/payments/{id}` | the payment and its state |
//! | `GET /v1/ledger`, `?payment_id=` | every booking, and the totals by currency |
//! | `GET`, `PUT /v1/settings` | delay, failure rate, which tokens are declined |
//!
//! The client chooses the id. Every `POST` needs an `Idempotency-Key`: the same request under the same key gets the first answer
//! again, whatever has happened since; another request under that key is refused (422). Errors are RFC 9457 problems. An
//! authorization of exactly [`BOMB`](ledger::BOMB) is answered with a 500 and books nothing.
//!
//! The books keep a [`fingerprint`] of each card, and no token.
//!
//! [`payment`] defines what may happen to a payment, the [`ledger`] has what happened, and the [`journal`] makes it durable. Only
//! [`http`] knows HTTP.

pub mod books;
pub mod fingerprint;
pub mod http;
pub mod journal;
pub mod ledger;
pub mod payment;
pub mod problem;
pub mod request;
pub mod settings;
