//! Serving HTTP.

use anyhow::Context;
use axum::Router;

use crate::{config::Http, shutdown::Shutdown};

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
