//! `scenarios publish`: publishes requests as a client would.

use std::{io::Read, path::PathBuf, process::ExitCode};

use anyhow::{Context, ensure};
use clap::Args;
use events::{
    OrderId, PaymentMethodId, ProductId, UserId,
    request::{OrderRequested, RequestedItem},
};
use operations::{credentials::Credentials, order_ids, requests::Client};
use uuid::Uuid;

/// Publishes OrderRequested and prints each order id.
#[derive(Debug, Args)]
pub struct Publish {
    /// File with one or more requests as JSON; `-` reads standard input.
    #[arg(conflicts_with_all = ["user", "product"], required_unless_present = "user")]
    file: Option<PathBuf>,
    /// User id of the buyer.
    #[arg(long, requires = "product", requires = "payment_method")]
    user: Option<i64>,
    /// Product id of the item.
    #[arg(long, requires = "user")]
    product: Option<i64>,
    /// Number of pieces.
    #[arg(long, default_value_t = 1, allow_negative_numbers = true)]
    quantity: i64,
    /// Payment method id.
    #[arg(long)]
    payment_method: Option<i64>,
    /// Delivery address for physical goods.
    #[arg(long)]
    ship_to: Option<String>,
    /// Identifies the order together with the user: the same key is the same order.
    #[arg(long)]
    idempotency_key: Option<String>,
    /// Kafka brokers as host:port, separated by commas.
    #[arg(long, env = "KAFKA_BROKERS", hide_env_values = true)]
    brokers: String,
}

impl Publish {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let requests = self.requests()?;
        let cluster = operations::cluster_of_the_process(&self.brokers)?;
        let client = Client::new(&cluster)?.with(Credentials::from_process()?);
        let ids = order_ids::checked()?;
        for mut request in requests {
            let order = request.named_order(&ids).unwrap_or_else(|| OrderId(Uuid::now_v7()));
            // Set here, so that the printed id is the order's, however the request is processed.
            request.order_id = Some(order);
            client.request(order, &serde_json::to_value(&request)?).await?;
            println!("{order}");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn requests(&self) -> anyhow::Result<Vec<OrderRequested>> {
        let Some(file) = &self.file else { return Ok(vec![self.the_one_asked_for()?]) };
        let mut text = String::new();
        if file.as_os_str() == "-" {
            std::io::stdin().read_to_string(&mut text).context("reading standard input")?;
        } else {
            text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        }
        let requests: Vec<OrderRequested> =
            serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>().with_context(|| {
                format!(
                    "{} contains something that is not a request; a request looks like {}",
                    file.display(),
                    r#"{"user_id":1,"payment_method_id":1,"items":[{"product_id":1,"quantity":1}]}"#
                )
            })?;
        ensure!(!requests.is_empty(), "{} contains no request", file.display());
        Ok(requests)
    }

    fn the_one_asked_for(&self) -> anyhow::Result<OrderRequested> {
        let need = |value: Option<i64>, option: &str| value.with_context(|| format!("{option} is missing"));
        Ok(OrderRequested {
            user_id: UserId(need(self.user, "--user")?),
            payment_method_id: PaymentMethodId(need(self.payment_method, "--payment-method")?),
            items: vec![RequestedItem {
                product_id: ProductId(need(self.product, "--product")?),
                quantity: self.quantity,
            }],
            order_id: None,
            idempotency_key: self.idempotency_key.clone(),
            ship_to: self.ship_to.clone(),
        })
    }
}
