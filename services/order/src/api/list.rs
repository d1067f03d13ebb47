//! `GET /orders`

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use events::UserId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Api, gate::Acting, problem::Problem};
use crate::store::{self, Listed, Position};

/// Maximum number of orders in a page.
const MAX: i64 = 100;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Number of orders in the page, 1 to 100; 20 by default.
    limit: Option<i64>,
    /// `next` of the page before.
    after: Option<String>,
    /// Another user, for a token with a scope for anyone's orders.
    user_id: Option<i64>,
}

/// Some of a user's orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page {
    orders: Vec<Summary>,
    /// `after` of the next page; null if this is the last one.
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Summary {
    order_id: Uuid,
    /// PENDING, CANCELLING, COMPLETED, CANCELLED or REJECTED.
    status: String,
    /// Reason for which the order was rejected or cancelled, or is being cancelled.
    reason: Option<String>,
    /// ISO 4217 code, or PTS for points; XXX if the order could not be priced.
    currency: String,
    /// In whole minor units of the currency.
    total: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Lists the caller's own orders, newest first, by pages. An order that is placed meanwhile moves no other one between pages.
#[utoipa::path(
    get,
    path = "/orders",
    params(Asked),
    responses(
        (status = 200, description = "a page of the orders", body = Page),
        (status = 400, description = "limit is no number from 1 to 100, or after is no `next` of a page", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "the database is unavailable; repeat the request", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(api): State<Api>,
    acting: Acting,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let misfit = "the query has an unknown field, or a value that is no whole number";
    let Query(Asked { limit, after, user_id }) = asked.map_err(|_| Problem::malformed(misfit))?;
    let buyer = user_id.map(UserId).or(acting.user()).ok_or_else(Problem::without_rule)?;
    if !acting.may_act_for(buyer) {
        return Err(Problem::not_for_others("orders:read:any"));
    }
    let limit = limit.unwrap_or(20);
    if !(1..=MAX).contains(&limit) {
        return Err(Problem::malformed(format!("limit is {limit}, not a number from 1 to {MAX}")));
    }
    let after = after.as_deref().map(Position::parse).transpose()?;
    // One more than asked for tells whether there is a next page.
    let mut orders = store::page(api.work.sessions(), buyer, after, limit + 1).await?;
    let more = orders.len() as i64 > limit;
    orders.truncate(limit as usize);
    let next = orders.last().filter(|_| more).map(|last| Position::of(last).to_string());
    Ok(Json(Page { orders: orders.into_iter().map(Summary::from).collect(), next }))
}

impl From<Listed> for Summary {
    fn from(listed: Listed) -> Self {
        let Listed { id, status, reason, currency, total_amount, created_at, updated_at } = listed;
        Summary { order_id: id, status, reason, currency, total: total_amount, created_at, updated_at }
    }
}

/// A position as clients see it: opaque. It tells nothing of the owner, who comes from the token each time.
impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = [&self.created_at.timestamp_micros().to_be_bytes()[..], self.id.as_bytes()].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl Position {
    fn of(listed: &Listed) -> Self {
        Position { created_at: listed.created_at, id: listed.id }
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let parsed = || {
            let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
            let (micros, id) = (bytes.first_chunk::<8>()?, bytes.last_chunk::<16>()?);
            let created_at = DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?;
            // Within what the database has.
            let known = DateTime::UNIX_EPOCH..=DateTime::from_timestamp(253_402_300_799, 0)?;
            known.contains(&created_at).then_some(Position { created_at, id: Uuid::from_bytes(*id) })
        };
        parsed().ok_or_else(|| Problem::malformed("after is not the `next` of a page"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_nothing_else_is_one() {
        let created_at = DateTime::from_timestamp_micros(1_800_000_000_123_456).expect("a time");
        let position = Position { created_at, id: Uuid::now_v7() };
        assert_eq!(Position::parse(&position.to_string()).expect("a position"), position);
        let far = Position { created_at: DateTime::<Utc>::MAX_UTC, id: Uuid::nil() }.to_string();
        for odd in [
            "",
            "x",
            "AAAA",
            "'; drop table orders",
            &position.to_string()[1..],
            &far,
            &URL_SAFE_NO_PAD.encode([255; 24]),
        ] {
            assert!(Position::parse(odd).is_err(), "{odd}");
        }
    }
}
