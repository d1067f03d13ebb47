//! One run of a scenario: given, when, then, and the failures.

use std::sync::Arc;

use anyhow::Context;
use events::OrderId;
use operations::listener::Listener;
use serde_json::{Value, json};
use testbed::{
    Database,
    cast::{Good, Person},
};
use uuid::Uuid;

use crate::{check::Check, ending::Ending, judge, stage::Stage};

/// A running scenario. Collects all checks; none ends it early, so that every failure is reported.
pub struct Play {
    stage: Arc<Stage>,
    checks: Vec<Check>,
    /// Orders whose timelines are shown.
    shown: Vec<OrderId>,
    /// All orders of the scenario, for the audit.
    orders: Vec<OrderId>,
}

/// A request being put together.
#[derive(Debug, Clone)]
pub struct Wish {
    order_id: OrderId,
    data: Value,
}

impl Wish {
    /// `person` orders `quantity` pieces of each of `goods`, paying with the method of the same id.
    pub fn of(person: Person, goods: &[(Good, i64)]) -> Self {
        let items: Vec<Value> =
            goods.iter().map(|(good, quantity)| json!({ "product_id": good.id, "quantity": quantity })).collect();
        let order_id = OrderId(Uuid::now_v7());
        let data = json!({
            "user_id": person.id, "payment_method_id": person.id, "items": items, "order_id": order_id,
        });
        Wish { order_id, data }
    }

    pub fn shipped_to(mut self, place: &str) -> Self {
        self.data["ship_to"] = json!(place);
        self
    }

    /// Paid with another buyer's method, or one that does not exist.
    pub fn paid_with(mut self, method: i64) -> Self {
        self.data["payment_method_id"] = json!(method);
        self
    }

    pub fn order_id(&self) -> OrderId {
        self.order_id
    }

    pub fn data(&self) -> &Value {
        &self.data
    }
}

impl Play {
    pub fn new(stage: Arc<Stage>) -> Self {
        Play { stage, checks: Vec::new(), shown: Vec::new(), orders: Vec::new() }
    }

    pub fn stage(&self) -> Arc<Stage> {
        self.stage.clone()
    }

    /// Given: the person's balance is exactly `amount`. The difference is booked as a deposit, so that the books balance.
    pub async fn owns(&self, person: Person, amount: i64) -> anyhow::Result<()> {
        sqlx::query(
            "select deposit($1, $2, $3 - coalesce((select balance from balances where user_id = $1 and currency = $2), 0))",
        )
        .bind(person.id)
        .bind(person.currency.as_str())
        .bind(amount)
        .execute(self.stage.databases.of_operator(Database::ACCOUNTS))
        .await
        .with_context(|| format!("giving {} {amount} {}", person.name, person.currency))?;
        Ok(())
    }

    /// Given: exactly `pieces` are in stock. The difference is booked as a delivery.
    pub async fn in_stock(&self, good: Good, pieces: i64) -> anyhow::Result<()> {
        sqlx::query("select restock($1, $2 - coalesce((select stock_quantity from stock where product_id = $1), 0))")
            .bind(good.id)
            .bind(pieces)
            .execute(self.stage.databases.of_operator(Database::INVENTORY))
            .await
            .with_context(|| format!("putting {pieces} of {} in stock", good.name))?;
        Ok(())
    }

    /// When: the request is published, with an envelope.
    pub async fn publish(&mut self, wish: &Wish) -> anyhow::Result<OrderId> {
        self.stage.client.request(wish.order_id, &wish.data).await?;
        self.follow(wish.order_id);
        Ok(wish.order_id)
    }

    /// Shows this order's timeline, and counts the audit's findings about it against the scenario.
    pub fn follow(&mut self, order: OrderId) {
        if !self.shown.contains(&order) {
            self.shown.push(order);
        }
        self.include(order);
    }

    /// Counts the audit's findings about this order against the scenario.
    pub fn include(&mut self, order: OrderId) {
        if !self.orders.contains(&order) {
            self.orders.push(order);
        }
    }

    /// When: waits until `event_type` is published about the order; counts as a check.
    pub async fn reaches(&mut self, order: OrderId, event_type: &str) {
        let heard = |listener: &Listener| listener.of(order).iter().any(|event| event.event_type == event_type);
        let came = self.stage.listener.wait(self.stage.patience, heard).await;
        let seconds = self.stage.patience.as_secs();
        self.check(format!("{event_type} is said"), || {
            (!came).then(|| format!("{event_type} did not come within {seconds} s"))
        });
    }

    /// Then: the order has this end.
    pub async fn ends(&mut self, order: OrderId, ending: &Ending) -> anyhow::Result<()> {
        let checks = judge::order(&self.stage, order, ending).await?;
        self.checks.extend(checks);
        Ok(())
    }

    /// Then: the person's balance is `amount`, and none of it is held.
    pub async fn then_owns(&mut self, person: Person, amount: i64) -> anyhow::Result<()> {
        let came: Option<(i64, i64)> =
            sqlx::query_as("select balance, reserved_balance from balances where user_id = $1 and currency = $2")
                .bind(person.id)
                .bind(person.currency.as_str())
                .fetch_optional(self.stage.databases.of_service(Database::ACCOUNTS))
                .await?;
        self.same(
            &format!("{} owns {amount} {}, none of it held", person.name, person.currency),
            &Some((amount, 0)),
            &came,
        );
        Ok(())
    }

    /// Then: `pieces` are in stock, and none of them is held.
    pub async fn then_in_stock(&mut self, good: Good, pieces: i64) -> anyhow::Result<()> {
        let came: Option<(i64, i64)> =
            sqlx::query_as("select stock_quantity, reserved_quantity from stock where product_id = $1")
                .bind(good.id)
                .fetch_optional(self.stage.databases.of_service(Database::INVENTORY))
                .await?;
        self.same(&format!("{pieces} of {} in stock, none held", good.name), &Some((pieces, 0)), &came);
        Ok(())
    }

    /// Then: `what` holds, unless `failure` returns why not.
    pub fn check(&mut self, what: impl Into<String>, failure: impl FnOnce() -> Option<String>) {
        let check = Check { what: what.into(), failure: failure() };
        self.checks.push(check);
    }

    /// Then: both are equal.
    pub fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, expected: &T, came: &T) {
        self.check(what, || (expected != came).then(|| format!("expected {expected:?}, came {came:?}")));
    }

    /// Adds the checks of a nested play as a single check.
    pub fn adopt(&mut self, what: &str, inner: Play) {
        let failures: Vec<String> = inner.checks.into_iter().filter_map(|check| check.failure).collect();
        self.check(what, || (!failures.is_empty()).then(|| failures.join("; ")));
    }

    pub(crate) fn into_parts(self) -> (Vec<Check>, Vec<OrderId>, Vec<OrderId>) {
        (self.checks, self.shown, self.orders)
    }
}
