//! The order API for buyers' programs: the same decisions as for requests from Kafka, over HTTP.

mod cancel;
mod extract;
mod look;
mod place;
mod problem;

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    routing::{get, post},
};
use events::{OrderId, envelope::MAX_VALUE_BYTES};
use saga::unit_of_work::UnitOfWork;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::{Orders, Status};
use problem::Problem;

/// The description that `/openapi.json` serves.
#[derive(OpenApi)]
#[openapi(
    info(title = "Order API", description = "Places, cancels and shows orders."),
    paths(place::place, look::look, cancel::cancel)
)]
pub struct Description;

/// All routes of the order API.
pub fn routes(work: UnitOfWork<Orders>) -> Router {
    Router::new()
        .route("/orders", post(place::place))
        .route("/orders/{order_id}", get(look::look))
        .route("/orders/{order_id}/cancel", post(cancel::cancel))
        .route("/openapi.json", get(async || Json(Description::openapi())))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::unknown_route())
        .layer(DefaultBodyLimit::max(MAX_VALUE_BYTES))
        .with_state(work)
}

/// An accepted request: the order and its current status.
#[derive(Debug, Serialize, ToSchema)]
struct Receipt {
    order_id: Uuid,
    /// PENDING, CANCELLING, COMPLETED, CANCELLED or REJECTED.
    status: &'static str,
}

type Accepted = (StatusCode, Json<Receipt>);

fn accepted(order_id: OrderId, status: Status) -> Accepted {
    (StatusCode::ACCEPTED, Json(Receipt { order_id: order_id.0, status: status.as_str() }))
}
