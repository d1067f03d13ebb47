//! `POST /orders/{order_id}/cancel`

use axum::{extract::State, http::HeaderMap};

use super::{
    Accepted, Api, Receipt, accepted,
    extract::{Named, traceparent},
    gate::Acting,
    problem::Problem,
};
use crate::{POST_CANCEL, Status, command::Command, store};

/// Requests the cancellation of an order. Inventory decides whether the request came in time, so an order that is CANCELLING
/// may still become COMPLETED.
#[utoipa::path(
    post,
    path = "/orders/{order_id}/cancel",
    params(
        ("order_id" = uuid::Uuid, Path),
        ("traceparent" = Option<String>, Header, description = "W3C trace context for the cancellation to continue"),
    ),
    responses(
        (status = 202, description = "the order is CANCELLING or CANCELLED", body = Receipt),
        (status = 400, description = "order_id is not a UUID", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such order", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the order is already COMPLETED or REJECTED", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "the database is unavailable; repeat the request", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel(
    State(Api { work, .. }): State<Api>,
    acting: Acting,
    Named(order_id): Named,
    headers: HeaderMap,
) -> Result<Accepted, Problem> {
    if !acting.may_act_for_all() {
        // An order never changes its buyer, so this need not be part of the decision.
        let buyer = store::buyer(work.sessions(), order_id).await?.ok_or_else(|| Problem::unknown(order_id))?;
        if !acting.may_act_for(buyer) {
            return Err(Problem::anothers(order_id));
        }
    }
    let says = work.submit(POST_CANCEL, Command::RequestCancel(order_id), traceparent(&headers)).await?;
    if says.ignored.is_none() {
        return Ok(accepted(order_id, Status::Cancelling));
    }
    let status = store::status(work.sessions(), order_id).await?;
    match status {
        Some(status @ (Status::Cancelling | Status::Cancelled)) => Ok(accepted(order_id, status)),
        Some(status @ (Status::Completed | Status::Rejected)) => Err(Problem::ended(order_id, status)),
        // PENDING: placed after the cancellation was refused.
        None | Some(Status::Pending) => Err(Problem::unknown(order_id)),
    }
}
