//! A whole system with buyers whose names, addresses and mail addresses can be told from all else.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::Context;
use events::OrderId;
use scenarios::{
    cast::Person,
    databases::Databases,
    requests::Client,
    stack::{Database, Environment, Stack, until},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::process::Command;
use uuid::Uuid;

pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) struct Shop<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) environment: &'a Environment,
    pub(crate) databases: Databases,
}

/// The texts that name a person, each with the user's number.
pub(crate) fn texts(user: i64) -> [String; 4] {
    [name(user), address(user), contact(user), key(user)]
}

pub(crate) fn name(user: i64) -> String {
    format!("Käte Canary-{user}")
}

pub(crate) fn address(user: i64) -> String {
    format!("{user} Canary Road, Ålesund")
}

pub(crate) fn contact(user: i64) -> String {
    format!("kate-{user}@canary.test")
}

pub(crate) fn key(user: i64) -> String {
    format!("canary-cart-{user}")
}

impl<'a> Shop<'a> {
    pub(crate) fn of(stack: &'a Stack) -> anyhow::Result<Self> {
        let environment = stack.environment();
        Ok(Shop { stack, environment, databases: Databases::of(environment)? })
    }

    pub(crate) fn pool(&self, database: Database) -> &PgPool {
        self.databases.of_operator(database)
    }

    /// Gives a buyer a name and a mail address, the latter in place of another.
    pub(crate) async fn names(&self, user: i64) -> anyhow::Result<()> {
        let accounts = self.pool(Database::ACCOUNTS);
        sqlx::query("update users set username = $2 where id = $1")
            .bind(user)
            .bind(name(user))
            .execute(accounts)
            .await?;
        let contacts = self.pool(Database::NOTIFICATIONS);
        let insert =
            "insert into contacts values ($1, $2) on conflict (user_id) do update set address = excluded.address";
        for address in [format!("former-{}", contact(user)), contact(user)] {
            sqlx::query(insert).bind(user).bind(address).execute(contacts).await?;
        }
        Ok(())
    }

    /// Asks for a product on the topic, and gives the order's id.
    pub(crate) async fn requests(&self, buyer: &Person, product: i64, more: Value) -> anyhow::Result<OrderId> {
        let order = OrderId(Uuid::now_v7());
        let items = json!([{ "product_id": product, "quantity": 1 }]);
        let mut request =
            json!({ "order_id": order, "user_id": buyer.id, "payment_method_id": buyer.id, "items": items });
        request.as_object_mut().context("an object")?.extend(more.as_object().context("an object")?.clone());
        Client::of(self.environment)?.request(order, &request).await?;
        Ok(order)
    }

    /// Asks for a product over HTTP; gives the status and the answer.
    pub(crate) async fn posts(&self, buyer: &Person, product: i64, more: Value) -> anyhow::Result<(u16, Value)> {
        let items = json!([{ "product_id": product, "quantity": 1 }]);
        let mut request = json!({ "user_id": buyer.id, "payment_method_id": buyer.id, "items": items });
        request.as_object_mut().context("an object")?.extend(more.as_object().context("an object")?.clone());
        let url = format!("{}/orders", self.environment.order_api()?);
        let answer = self.environment.transport.http()?.build()?.post(url).json(&request).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Waits until an order has this status and its buyer has been told.
    pub(crate) async fn ends(&self, order: OrderId, status: &str) -> anyhow::Result<()> {
        let (orders, letters) = (self.pool(Database::ORDERS), self.pool(Database::NOTIFICATIONS));
        let ended = async || {
            let is: Option<String> = sqlx::query_scalar("select status from orders where id = $1")
                .bind(order.0)
                .fetch_optional(orders)
                .await
                .ok()?;
            let told: i64 = sqlx::query_scalar("select count(sent_at) from notifications where order_id = $1")
                .bind(order.0)
                .fetch_one(letters)
                .await
                .ok()?;
            (is.as_deref() == Some(status) && told == 1).then_some(())
        };
        let Err(error) = until(&format!("order {order} is {status}"), BOUND, ended).await else { return Ok(()) };
        let is = "select concat_ws(' ', status, reason) from orders where id = $1";
        let is: String = sqlx::query_scalar(is).bind(order.0).fetch_one(orders).await?;
        Err(error.context(format!("it is {is}")))
    }

    /// Publishes bytes on the topic of requests, as anybody may.
    pub(crate) async fn publishes(&self, bytes: &str) -> anyhow::Result<()> {
        Client::of(self.environment)?.bare(None, Some(bytes.as_bytes())).await?;
        Ok(())
    }

    /// Runs `scenarios erase`; gives its success and what it said.
    pub(crate) async fn erase(&self, user: i64, more: &[&str]) -> anyhow::Result<(bool, String)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
        command.envs(self.stack.variables()).env("USER", "ophelia").kill_on_drop(true).stdin(Stdio::null());
        command.args(["erase", "--user", &user.to_string(), "--why", "asked for by letter"]).args(more);
        let output = tokio::time::timeout(2 * BOUND, command.output()).await.context("erase ends")??;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// As [`erase`](Self::erase), looking for all that names the user, in the logs too.
    pub(crate) async fn erase_and_find(&self, user: i64, logs: &Path) -> anyhow::Result<(bool, String)> {
        let logs = logs.display().to_string();
        let texts = texts(user);
        let mut arguments = vec!["--logs", &logs];
        arguments.extend(texts.iter().flat_map(|text| ["--find", text.as_str()]));
        self.erase(user, &arguments).await
    }
}
