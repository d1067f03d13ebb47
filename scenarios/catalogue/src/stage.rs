//! Everything that scenarios need: a running system, and the means to drive and inspect it.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use events::OrderId;
use operations::{
    databases::Databases,
    listener::{Listener, Since},
    requests::Client,
};
use testbed::Environment;

/// Shared by all scenarios of a run.
pub struct Stage {
    pub environment: Environment,
    pub databases: Databases,
    pub listener: Listener,
    pub client: Client,
    pub http: reqwest::Client,
    /// Maximum time for a saga to end.
    pub patience: Duration,
}

impl Stage {
    pub async fn new(environment: &Environment, patience: Duration) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Stage {
            environment: environment.clone(),
            databases: Databases::of(environment)?,
            listener: Listener::start(&environment.brokers, Since::Now).await?,
            client: Client::of(environment)?,
            http: environment
                .transport
                .http()?
                .timeout(Duration::from_secs(10))
                .build()
                .context("creating an HTTP client")?,
            patience,
        }))
    }

    /// Cancels an order as its buyer would, through the order API.
    pub async fn cancel(&self, order: OrderId) -> anyhow::Result<()> {
        let url = format!("{}/orders/{order}/cancel", self.environment.order_api()?);
        let request = self.environment.credentials.authorize(self.http.post(&url))?;
        let response = request.send().await.with_context(|| format!("POST {url}"))?;
        let status = response.status();
        ensure!(status == 202, "POST {url} answered {status}, not 202: {}", response.text().await.unwrap_or_default());
        Ok(())
    }
}
