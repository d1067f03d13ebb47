//! `/livez`, `/readyz` and `/metrics`, the operational endpoints of every program.

use std::time::Instant;

use axum::{Router, http::StatusCode, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::health::Health;
pub use crate::{health::Readiness, http::serve};

/// Operational routes of a program. `health` is a [`Health`], or a [`Readiness`] that is set by hand.
pub fn routes(health: impl Into<Health>, metrics: PrometheusHandle) -> Router {
    let health = health.into();
    let (live, ready) = (health.clone(), health.clone());
    Router::new()
        .route("/livez", get(move || async move { answer("alive", "hung", live.report(Instant::now()).hung) }))
        .route(
            "/readyz",
            get(move || async move { answer("ready", "not ready", ready.report(Instant::now()).not_ready) }),
        )
        .route(
            "/metrics",
            get(move || async move {
                health.publish(Instant::now());
                metrics.run_upkeep();
                ([("content-type", "text/plain; version=0.0.4")], metrics.render())
            }),
        )
}

fn answer(good: &str, bad: &str, faults: Vec<String>) -> (StatusCode, String) {
    if faults.is_empty() {
        (StatusCode::OK, format!("{good}\n"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{bad}: {}\n", faults.join("; ")))
    }
}
