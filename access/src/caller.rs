//! A caller whose token has been verified.

use std::{collections::BTreeSet, convert::Infallible};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, request::Parts},
};

/// Subject of a valid token, and what the token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `sub`.
    pub subject: String,
    /// `scope` or `scp`.
    pub scopes: Scopes,
}

/// Scopes of a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Tells whether one of these scopes is among them.
    pub fn any_of(&self, wanted: &[&str]) -> bool {
        wanted.iter().any(|scope| self.0.contains(*scope))
    }
}

impl<S: Into<String>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        Scopes(scopes.into_iter().map(Into::into).collect())
    }
}

/// The caller that a guard has put into the request's extensions. A route that asks for one without such a guard answers 401.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, StatusCode> {
        parts.extensions.get::<Caller>().cloned().ok_or(StatusCode::UNAUTHORIZED)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Caller>().cloned())
    }
}
