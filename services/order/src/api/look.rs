//! `GET /orders/{order_id}`

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use events::Item;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Api, extract::Named, gate::Acting, problem::Problem};
use crate::{Money, personal, store};

/// An order as the order service knows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct View {
    order_id: Uuid,
    user_id: i64,
    /// PENDING, CANCELLING, COMPLETED, CANCELLED or REJECTED.
    status: &'static str,
    /// Reason for which the order was rejected or cancelled, or is being cancelled.
    reason: Option<String>,
    /// ISO 4217 code, or PTS for points; XXX if the order could not be priced.
    currency: String,
    /// In whole minor units of the currency, like all amounts.
    total: i64,
    /// Amount returned to the buyer.
    refunded: i64,
    items: Vec<ViewedItem>,
    ship_to: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Time at which the order is cancelled if it is still PENDING.
    deadline: Option<DateTime<Utc>>,
    /// Events that the order service consumed and published, in order.
    timeline: Vec<Moment>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ViewedItem {
    product_id: i64,
    quantity: i64,
    unit_price: i64,
    /// physical or digital.
    kind: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct Moment {
    time: DateTime<Utc>,
    event: String,
    /// The service that published the event.
    service: String,
}

/// Returns an order: its status, reason, amounts and timeline.
#[utoipa::path(
    get,
    path = "/orders/{order_id}",
    params(("order_id" = Uuid, Path)),
    responses(
        (status = 200, description = "the order", body = View),
        (status = 400, description = "order_id is not a UUID", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such order", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "the database is unavailable; repeat the request", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn look(
    State(Api { work, vault, .. }): State<Api>,
    acting: Acting,
    Named(order_id): Named,
) -> Result<Json<View>, Problem> {
    let sessions = work.sessions();
    let looking = async {
        let mut db = sessions.acquire().await?;
        // Another's order is as unknown as none: the same statement, the same answer.
        let mut dated = store::find(&mut db, order_id).await?.ok_or_else(|| Problem::unknown(order_id))?;
        if !acting.may_act_for(dated.purchase.facts.user_id) {
            return Err(Problem::anothers(order_id));
        }
        // Read second, so it may be ahead of the status but never lacks an event that led to it.
        let timeline = store::timeline(&mut db, order_id).await?;
        drop(db);
        let facts = &mut dated.purchase.facts;
        facts.ship_to = personal::opened(&vault, (facts.user_id, order_id), facts.ship_to.take()).await?;
        Ok(Json(View::new(dated, timeline)))
    };
    sessions.bounded(looking).await
}

impl View {
    fn new(dated: store::Dated, timeline: Vec<(DateTime<Utc>, String, String)>) -> Self {
        let store::Dated { purchase, created_at, updated_at } = dated;
        View {
            order_id: purchase.facts.order_id.0,
            user_id: purchase.facts.user_id.0,
            status: purchase.status.as_str(),
            reason: purchase.reason.map(|reason| reason.to_string()),
            currency: purchase.facts.currency.to_string(),
            total: purchase.facts.total,
            refunded: match purchase.money {
                Money::Open => 0,
                Money::Settled { refunded, .. } => refunded,
            },
            items: purchase.facts.items.iter().map(ViewedItem::from).collect(),
            ship_to: purchase.facts.ship_to,
            created_at,
            updated_at,
            deadline: purchase.deadline,
            timeline: timeline.into_iter().map(|(time, event, service)| Moment { time, event, service }).collect(),
        }
    }
}

impl From<&Item> for ViewedItem {
    fn from(item: &Item) -> Self {
        ViewedItem {
            product_id: item.product_id.0,
            quantity: item.quantity,
            unit_price: item.unit_price,
            kind: item.kind.as_str(),
        }
    }
}
