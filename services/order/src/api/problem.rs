//! Errors on the wire: RFC 9457 problem details.

use std::time::Duration;

use access::Refusal;
use axum::{
    Json,
    extract::rejection::JsonRejection,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use events::OrderId;
use saga::{StoreError, store::Remedy};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Status;

/// An error, for programs (`type`) and for people (`title`, `detail`).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Identifies the kind of problem; never changes.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    /// A header that tells programs more.
    #[serde(skip)]
    header: Option<(HeaderName, String)>,
    /// True if the request is denied for its caller's sake. Clients are not told.
    #[serde(skip)]
    is_denial: bool,
}

/// Extension of a response that denies a request: the reason.
#[derive(Debug, Clone)]
pub(super) struct Denial(pub(super) String);

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Problem { kind, title, status: status.as_u16(), detail: detail.into(), header: None, is_denial: false }
    }

    fn denying(self) -> Self {
        Problem { is_denial: true, ..self }
    }

    /// Reason of a denial for the audit log: one of a few, with nothing that the client sent.
    fn why(&self) -> String {
        match self.kind {
            "order-unknown" => "another user's order".to_owned(),
            "not-yours" => "for another user".to_owned(),
            "too-often" => "too often".to_owned(),
            // What is wrong with the token.
            _ => self.detail.clone(),
        }
    }

    fn with(self, name: HeaderName, value: String) -> Self {
        Problem { header: Some((name, value)), ..self }
    }

    /// The request cannot be read.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "malformed", "The request cannot be read", detail)
    }

    /// The request can be read, but is not a valid order.
    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "order-refused", "The order cannot be placed", detail)
    }

    pub(super) fn unknown(order_id: OrderId) -> Self {
        let detail = format!("no order has the id {order_id}");
        Problem::new(StatusCode::NOT_FOUND, "order-unknown", "The order does not exist", detail)
    }

    /// The order is another's, which looks as if there was none.
    pub(super) fn anothers(order_id: OrderId) -> Self {
        Problem::unknown(order_id).denying()
    }

    /// The user is erased, and orders no more.
    pub(super) fn erased(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::GONE, "user-erased", "The user's data has been erased", detail)
    }

    /// The user cannot be erased yet.
    pub(super) fn under_way(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::CONFLICT, "orders-under-way", "The user has orders that have not ended", detail)
    }

    /// Too late to cancel.
    pub(super) fn ended(order_id: OrderId, status: Status) -> Self {
        let detail = format!("order {order_id} is {status}");
        Problem::new(StatusCode::CONFLICT, "order-ended", "The order can no longer be cancelled", detail)
    }

    /// The request is for another user, and the token has not the scope for that.
    pub(super) fn not_for_others(scope: &str) -> Self {
        let detail = format!("the token's subject is another user, and it has not the scope {scope}");
        Problem::new(StatusCode::FORBIDDEN, "not-yours", "The token does not allow this", detail)
            .with(header::WWW_AUTHENTICATE, format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""))
            .denying()
    }

    /// One request too many of this subject; the next may come after this time.
    pub(super) fn too_often(wait: Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        let detail = format!("wait for {seconds} s");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-often", "Too many requests", detail)
            .with(header::RETRY_AFTER, seconds.to_string())
            .denying()
    }

    pub(super) fn large_headers(detail: String) -> Self {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Problem::new(status, "headers-too-large", "The request's headers are too large", detail)
    }

    /// A route that no owner rule guards, which is a mistake here.
    pub(super) fn without_rule() -> Self {
        let detail = "nothing has been done";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The order service failed", detail)
    }

    pub(super) fn unknown_route() -> Self {
        let detail = "/openapi.json lists the routes";
        Problem::new(StatusCode::NOT_FOUND, "route-unknown", "The route does not exist", detail)
    }

    pub(super) fn method_not_allowed() -> Self {
        let detail = "/openapi.json lists the methods of each route";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed", detail)
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let detail = rejection.body_text();
        match rejection.status() {
            status @ StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(status, "too-large", "The request is too large", detail)
            }
            status @ StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Problem::new(status, "not-json", "The request is not JSON", detail)
            }
            _ => Problem::malformed(detail),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error.remedy() {
            Remedy::Again | Remedy::Later | Remedy::Suspect => {
                tracing::warn!(%error, "the database did not accept a request of the order API; answering 503");
                let detail = "repeat the request with the same idempotency key";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again in a moment", detail)
            }
            Remedy::Park => {
                tracing::error!(%error, "a request of the order API failed; answering 500");
                let detail = "nothing has been stored";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The order service failed", detail)
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (unauthorized, title) = (StatusCode::UNAUTHORIZED, "The request needs a valid token");
        match refusal {
            Refusal::Missing => Problem::new(unauthorized, "token-missing", title, refusal.to_string())
                .with(header::WWW_AUTHENTICATE, "Bearer".to_owned())
                .denying(),
            Refusal::Token(fault) => {
                let fault = fault.to_string();
                let described = fault.replace('`', "'");
                let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{described}\"");
                Problem::new(unauthorized, "token-refused", title, fault.as_str())
                    .with(header::WWW_AUTHENTICATE, challenge)
                    .denying()
            }
            Refusal::KeysAway => {
                let detail = "no token can be verified: the issuer's keys are not available";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again in a moment", detail)
                    .with(header::RETRY_AFTER, "10".to_owned())
            }
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (further, denial) = (self.header.clone(), self.is_denial.then(|| Denial(self.why())));
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(self)).into_response();
        if let Some((name, value)) = further.and_then(|(name, value)| Some((name, value.parse().ok()?))) {
            response.headers_mut().insert(name, value);
        }
        if let Some(denial) = denial {
            response.extensions_mut().insert(denial);
        }
        response
    }
}
