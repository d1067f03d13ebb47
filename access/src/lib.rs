//! Callers of an API and what they may do. Knows no service and no route.
//!
//! | part | does |
//! |---|---|
//! | [`Jwt`] | settings: issuer, audience, source of the keys, rate |
//! | [`Verifier`] | makes a [`Caller`] of a bearer token, or says why not |
//! | [`Caller`] | subject and scopes |
//! | [`Rate`] | a rate for each subject, in bounded memory |
//! | [`Issuer`] | a development issuer: signs tokens with a key in a file |
//!
//! A token is believed only if the key that its `kid` names is in the issuer's key set, is of the algorithm that the token names
//! (EdDSA, RS256 or ES256: taken from the key, never from the token alone), and has signed it; if `iss` and `aud` are the
//! expected ones; and if the time is between `nbf` and `exp`.

#![warn(missing_docs)]

mod bearer;
mod caller;
mod claims;
mod cryptography;
mod issuer;
mod key;
mod keys;
mod rate;
mod refusal;
mod settings;
mod source;
mod token;
mod verifier;

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

pub use bearer::bearer;
pub use caller::{Caller, Scopes};
pub use issuer::{Grant, Issuer};
pub use rate::Rate;
pub use refusal::{Fault, Refusal};
pub use settings::Jwt;
pub use source::client;
pub use verifier::Verifier;
