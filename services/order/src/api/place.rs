//! `POST /orders`

use axum::{
    extract::State,
    http::{HeaderMap, header::LOCATION},
    response::{AppendHeaders, IntoResponse},
};
use events::{
    OrderId, PaymentMethodId, ProductId, UserId,
    order_id::Derivation,
    request::{OrderRequested, RequestedItem},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Api, Receipt, accepted,
    extract::{Body, header, traceparent},
    gate::Acting,
    problem::Problem,
};
use crate::{
    POST_ORDERS,
    command::{Command, Door, Placement},
    store,
};

/// A request to buy, as on the topic order.requests.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrder {
    user_id: i64,
    payment_method_id: i64,
    /// 1 to 100 lines; quantities of the same product are added up.
    items: Vec<NewItem>,
    /// Chosen by the client: the same request with the same id is the same order. If an idempotency key is given too, this has
    /// to be the order id that follows from the key.
    order_id: Option<Uuid>,
    /// Identifies the order together with user_id, if no order_id is given. 1 to 500 characters; may be sent as a header instead.
    idempotency_key: Option<String>,
    /// Address; required if the order has physical goods.
    ship_to: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewItem {
    product_id: i64,
    /// At least 1; all lines of one product together at most 1,000,000.
    quantity: i64,
}

/// Places an order and starts its saga. `Location` shows how the order stands.
#[utoipa::path(
    post,
    path = "/orders",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "same meaning as idempotency_key in the body"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context for the saga to continue"),
    ),
    request_body = NewOrder,
    responses(
        (status = 202, description = "the order was placed now or by an earlier request, or rejected because of an unknown product", body = Receipt,
            headers(("Location" = String, description = "URL of the order"))),
        (status = 400, description = "not JSON, wrong types, or unknown fields", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "the user's data has been erased", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "body over 256 KiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "content-type is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid order, or the same order was requested before with other content", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "the database is unavailable; repeat the request with the same idempotency key", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn place(
    State(Api { work, ids, .. }): State<Api>,
    acting: Acting,
    headers: HeaderMap,
    Body(order): Body<NewOrder>,
) -> Result<impl IntoResponse, Problem> {
    let mut request = OrderRequested::from(order);
    if !acting.may_act_for(request.user_id) {
        return Err(Problem::not_for_others("orders:any"));
    }
    request.idempotency_key = one_key(header(&headers, "idempotency-key")?, request.idempotency_key)?;
    let order_id = one_order(&request, &ids)?.unwrap_or_else(|| OrderId(Uuid::now_v7()));
    let user = request.user_id;
    let formers = request.former_orders(&ids);
    let command = Command::Place(Placement { order_id, request, door: Door::Api, former: None });
    let says = work.submit(POST_ORDERS, command, traceparent(&headers)).await?;
    if let Some(why) = says.refused {
        if store::is_erased(work.sessions(), user).await? {
            return Err(Problem::erased(why));
        }
        return Err(Problem::refused(why));
    }
    // Read rather than derived from the decision: the order of an earlier request has moved on since.
    let (order_id, status) =
        store::first_placed(work.sessions(), order_id, &formers).await?.ok_or_else(|| Problem::unknown(order_id))?;
    Ok((AppendHeaders([(LOCATION, format!("/orders/{order_id}"))]), accepted(order_id, status)))
}

/// The key may be given twice, but only with the same value.
fn one_key(header: Option<&str>, body: Option<String>) -> Result<Option<String>, Problem> {
    let key = match (header, body) {
        (Some(header), Some(body)) if header != body => {
            return Err(Problem::refused("the header Idempotency-Key and idempotency_key in the body differ"));
        }
        (Some(header), _) => Some(header.to_owned()),
        (None, body) => body,
    };
    match key {
        // An empty key would not prevent a second order.
        Some(key) if key.is_empty() => Err(Problem::refused("the idempotency key is empty; omit it or give a value")),
        key => Ok(key),
    }
}

/// The order id that the request gives, if any. An id and a key have to identify the same order.
fn one_order(request: &OrderRequested, ids: &Derivation) -> Result<Option<OrderId>, Problem> {
    let key = request.idempotency_key.as_deref();
    let by_key = key.map(|key| ids.from_idempotency_key(request.user_id, key));
    match (request.order_id, by_key) {
        (Some(order_id), Some(by_key)) if order_id != by_key => Err(Problem::refused(format!(
            "order_id is {order_id}, but the idempotency key identifies the order {by_key}; give one of the two"
        ))),
        (order_id, by_key) => Ok(order_id.or(by_key)),
    }
}

impl From<NewOrder> for OrderRequested {
    fn from(order: NewOrder) -> Self {
        let NewOrder { user_id, payment_method_id, items, order_id, idempotency_key, ship_to } = order;
        let item = |item: NewItem| RequestedItem { product_id: ProductId(item.product_id), quantity: item.quantity };
        OrderRequested {
            user_id: UserId(user_id),
            payment_method_id: PaymentMethodId(payment_method_id),
            items: items.into_iter().map(item).collect(),
            order_id: order_id.map(OrderId),
            idempotency_key,
            ship_to,
        }
    }
}
