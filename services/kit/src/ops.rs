//! `/livez`, `/readyz` and `/metrics`: what an operator's machinery asks every program.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Context;
use axum::{Router, http::StatusCode, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{config::Http, shutdown::Shutdown};

/// Whether the program does its work: set once all it needs is there, unset while it is not.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The routes that every program serves.
pub fn routes(readiness: Readiness, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route(
            "/readyz",
            get(move || async move {
                if readiness.get() {
                    (StatusCode::OK, "ready\n")
                } else {
                    (StatusCode::SERVICE_UNAVAILABLE, "not ready: waiting for the database or the broker\n")
                }
            }),
        )
        .route(
            "/metrics",
            get(move || async move {
                metrics.run_upkeep();
                ([("content-type", "text/plain; version=0.0.4")], metrics.render())
            }),
        )
}

/// Serves `routes` until shutdown.
pub async fn serve(http: &Http, routes: Router, shutdown: Shutdown) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(http.http_addr)
        .await
        .with_context(|| format!("listening on HTTP_ADDR {}; is the port taken?", http.http_addr))?;
    tracing::info!(address = %http.http_addr, "serving HTTP");
    axum::serve(listener, routes)
        .with_graceful_shutdown(async move { shutdown.requested().await })
        .await
        .context("serving HTTP")
}
