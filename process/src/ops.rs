//! `/livez`, `/readyz` and `/metrics`, the operational endpoints of every program.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::{Router, http::StatusCode, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use transport::Transport;

use crate::health::Health;
pub use crate::{
    health::Readiness,
    http::{Routes, serve},
};

/// Operational routes of a program. `health` is a [`Health`], or a [`Readiness`] that is set by hand. A program whose certificate
/// has expired is not ready: nobody lets it in.
pub fn routes(health: impl Into<Health>, metrics: PrometheusHandle, transport: &Transport) -> Router {
    let health = health.into();
    let (live, ready) = (health.clone(), health.clone());
    let (shown, published) = (transport.clone(), transport.clone());
    Router::new()
        .route("/livez", get(move || async move { answer("alive", "hung", live.report(Instant::now()).hung) }))
        .route(
            "/readyz",
            get(move || async move {
                let mut faults = ready.report(Instant::now()).not_ready;
                faults.extend(expired(&shown));
                answer("ready", "not ready", faults)
            }),
        )
        .route(
            "/metrics",
            get(move || async move {
                health.publish(Instant::now());
                publish_expiry(&published);
                metrics.run_upkeep();
                ([("content-type", "text/plain; version=0.0.4")], metrics.render())
            }),
        )
}

fn expired(transport: &Transport) -> Option<String> {
    let certificates = transport.identity()?.current();
    let is_past = certificates.not_after() <= SystemTime::now();
    is_past.then(|| "the certificate in TLS_DIR has expired: replace it".to_owned())
}

fn publish_expiry(transport: &Transport) {
    if let Some(identity) = transport.identity() {
        let until = identity.current().not_after().duration_since(UNIX_EPOCH).unwrap_or_default();
        metrics::gauge!("tls_certificate_expires_timestamp_seconds").set(until.as_secs_f64());
    }
}

fn answer(good: &str, bad: &str, faults: Vec<String>) -> (StatusCode, String) {
    if faults.is_empty() {
        (StatusCode::OK, format!("{good}\n"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{bad}: {}\n", faults.join("; ")))
    }
}
