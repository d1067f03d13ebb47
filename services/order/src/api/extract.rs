//! Extractors for handlers; a request that cannot be extracted is answered with a problem.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, request::Parts},
};
use events::OrderId;
use saga::outbox::unquoted;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::problem::Problem;

/// The order id in the path.
pub(super) struct Named(pub(super) OrderId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(id) = Path::<Uuid>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::malformed("the order id in the path is no UUID"))?;
        Ok(Named(OrderId(id)))
    }
}

/// A JSON body. An answer repeats nothing of one that cannot be read: a client logs it, or shows it to others.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Json(body) = Json::<Box<RawValue>>::from_request(request, state).await?;
        let body = serde_json::from_str(body.get()).map_err(|error| Problem::malformed(unquoted(&error)))?;
        Ok(Body(body))
    }
}

/// The value of a header; None without it. It may be repeated, but only with the same value.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.any(|other| other != first) {
        return Err(Problem::refused(format!("the header {name} is repeated with different values")));
    }
    let text = first.to_str();
    text.map(Some).map_err(|_| Problem::malformed(format!("the header {name} is not plain ASCII")))
}

/// The caller's trace context. One that cannot be read is ignored: no order fails because of it.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<String> {
    header(headers, "traceparent").ok().flatten().map(str::to_owned)
}
