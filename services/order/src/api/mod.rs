//! The order API for buyers' programs: the same decisions as for requests from Kafka, over HTTP.

mod cancel;
mod erase;
mod extract;
mod gate;
mod list;
mod look;
mod place;
mod problem;
mod routes;

use axum::{Json, Router, extract::DefaultBodyLimit, http::StatusCode};
use events::{OrderId, envelope::MAX_VALUE_BYTES, order_id::Derivation};
use personal_data::Vault;
use saga::unit_of_work::UnitOfWork;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::{Orders, Status};
pub use gate::Gate;
pub(crate) use gate::user_of;
use problem::Problem;
pub(crate) use routes::ANY;

/// The handlers' descriptions. `/openapi.json` adds the owner rules.
#[derive(OpenApi)]
#[openapi(
    info(title = "Order API", description = "Places, cancels, shows and lists orders."),
    paths(place::place, list::list, look::look, cancel::cancel, routes::show)
)]
struct Description;

/// What handlers work with.
#[derive(Clone)]
struct Api {
    work: UnitOfWork<Orders>,
    ids: Derivation,
    has_gate: bool,
    vault: Vault,
}

/// All routes of the order API. Without a gate they ask for no token. `vault` has the keys of the addresses that are shown.
pub fn routes(work: UnitOfWork<Orders>, ids: Derivation, gate: Option<&Gate>, vault: Vault) -> Router {
    routes::router(gate)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::unknown_route())
        .layer(DefaultBodyLimit::max(MAX_VALUE_BYTES))
        .with_state(Api { work, ids, has_gate: gate.is_some(), vault })
}

/// The routes for operators. They ask for no token: their listener knows who calls.
pub fn for_operators(work: UnitOfWork<Orders>) -> Router {
    routes::of_operators().with_state(work)
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
