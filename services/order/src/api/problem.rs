//! Errors on the wire: RFC 9457 problem details.

use axum::{
    Json,
    extract::rejection::JsonRejection,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use events::OrderId;
use saga::{StoreError, store::Remedy};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Status;

/// What went wrong, for programs (`type`) and for people (`title`, `detail`).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Tells one problem from another; never changes.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Problem { kind, title, status: status.as_u16(), detail: detail.into() }
    }

    /// It cannot be read.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "malformed", "The request cannot be read", detail)
    }

    /// It can be read, and makes no sense.
    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "order-refused", "The order cannot be placed", detail)
    }

    pub(super) fn unknown(order_id: OrderId) -> Self {
        let detail = format!("nobody has placed an order {order_id} here");
        Problem::new(StatusCode::NOT_FOUND, "order-unknown", "There is no such order", detail)
    }

    /// Too late to cancel.
    pub(super) fn ended(order_id: OrderId, status: Status) -> Self {
        let detail = format!("order {order_id} is {status}");
        Problem::new(StatusCode::CONFLICT, "order-ended", "The order can no longer be cancelled", detail)
    }

    pub(super) fn unknown_route() -> Self {
        let detail = "/openapi.json describes what there is";
        Problem::new(StatusCode::NOT_FOUND, "route-unknown", "There is nothing here", detail)
    }

    pub(super) fn method_not_allowed() -> Self {
        let detail = "/openapi.json describes what can be done";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This cannot be done here", detail)
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
                tracing::warn!(%error, "a request is answered with 503: the database does not take it");
                let detail = "the same request will do, under the same idempotency key";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again in a moment", detail)
            }
            Remedy::Park => {
                tracing::error!(%error, "a request is answered with 500");
                let detail = "nothing has been stored";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The order service failed", detail)
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
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(self)).into_response()
    }
}
