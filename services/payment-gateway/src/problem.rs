//! Errors on the wire: RFC 9457 problem details.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::payment::Refusal;

/// A problem, for programs (`type`, `reason`) and for people (`title`, `detail`).
#[derive(Debug, Serialize)]
pub struct Problem {
    /// Identifies the kind of problem; never changes.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The reason why the card refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl Problem {
    pub fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Problem {
        Problem { kind, title, status: status.as_u16(), detail: None, reason: None }
    }

    pub fn detail(self, detail: impl Into<String>) -> Problem {
        Problem { detail: Some(detail.into()), ..self }
    }

    /// The request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "invalid-request", "The request is not understood").detail(detail)
    }

    pub fn not_found() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here")
    }

    /// Another request used the same key first.
    pub fn key_reused() -> Problem {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "This idempotency key belongs to another request",
        )
    }

    /// The provider failed on this request.
    pub fn internal() -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The provider failed").detail("nothing was booked")
    }

    /// The provider is failing; the request may have been carried out.
    pub fn unavailable() -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The provider is in trouble")
            .detail("try again with the same idempotency key")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let conflict = |kind, title| Problem::new(StatusCode::CONFLICT, kind, title);
        match refusal {
            Refusal::UnknownPayment => {
                Problem::new(StatusCode::NOT_FOUND, "payment-unknown", "There is no such payment")
            }
            Refusal::PaymentExists => conflict("payment-exists", "The payment was authorized before"),
            Refusal::PaymentVoided => conflict("payment-voided", "The payment was voided"),
            Refusal::PaymentDeclined => conflict("payment-declined", "The payment was declined"),
            Refusal::PaymentRefunded => conflict("payment-refunded", "The payment was refunded"),
            Refusal::NotCaptured => conflict("payment-not-captured", "Nothing was captured; void it instead"),
            Refusal::AlreadyCaptured => conflict("payment-captured", "The payment was captured; refund it instead"),
            Refusal::CardDeclined => {
                let declined = Problem::new(StatusCode::PAYMENT_REQUIRED, "card-declined", "The card was declined");
                Problem { reason: Some("card_declined"), ..declined }
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(self)).into_response()
    }
}
