//! The provider's HTTP interface to its books.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        Path, Query, State,
        rejection::{BytesRejection, PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    books::{Answer, Books},
    ledger::{Payment, Statement},
    payment::{Operation, Refusal},
    problem::Problem,
    request::{Command, Request, Wanted},
    settings::{Settings, Trouble},
};

/// The provider: its books and its configured failures.
#[derive(Debug)]
pub struct Gateway {
    books: Books,
    settings: RwLock<Settings>,
}

impl Gateway {
    pub fn new(books: Books, settings: Settings) -> Gateway {
        Gateway { books, settings: RwLock::new(settings) }
    }

    fn settings(&self) -> Settings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Shared = State<Arc<Gateway>>;

/// The routes with which an operator or a test changes how the provider fails.
pub fn settings_routes(gateway: Arc<Gateway>) -> Router {
    Router::new().route("/v1/settings", get(settings).put(change_settings)).with_state(gateway)
}

/// The routes of payments and books.
pub fn routes(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/payments/{payment_id}/{operation}", post(operate))
        .route("/v1/payments/{payment_id}", get(payment))
        .route("/v1/ledger", get(ledger))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This cannot be done here")
        })
        .with_state(gateway)
}

async fn operate(
    State(gateway): Shared,
    path: Result<Path<(Uuid, Operation)>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Payment>, Problem> {
    let Path((payment_id, operation)) = path.map_err(|_| Problem::not_found())?;
    let body = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let request =
        Request { idempotency_key: idempotency_key(&headers)?, payment_id, command: command(operation, &body)? };

    let settings = gateway.settings();
    // The bank is consulted about new payments only; a voided one is refused without it.
    if let Command::Authorize(charge) = &request.command
        && gateway.books.payment(payment_id).is_none()
    {
        tokio::time::sleep(settings.bank_takes(&charge.card)).await;
    }
    let trouble = settings.failure_rate.draw();
    if trouble == Some(Trouble::BeforeBooking) {
        tokio::time::sleep(Duration::from_millis(settings.delay_ms)).await;
        return Err(Problem::unavailable());
    }
    let delay = Duration::from_millis(settings.delay_ms);
    // A task of its own: a client that disconnects does not cancel it.
    let answer = tokio::task::spawn_blocking(move || gateway.books.execute(request, &settings)).await;
    tokio::time::sleep(delay).await;
    if trouble == Some(Trouble::AfterBooking) {
        return Err(Problem::unavailable());
    }
    let answer = answer.map_err(anyhow::Error::from).flatten().map_err(|error| {
        tracing::error!(
            %payment_id,
            ?operation,
            error = format!("{error:#}"),
            "the ledger could not be written; answering 503"
        );
        Problem::unavailable()
    })?;
    match answer {
        Answer::Done(payment) => Ok(Json(payment)),
        Answer::Refused(refusal) => Err(refusal.into()),
        Answer::KeyReused => Err(Problem::key_reused()),
        Answer::Breakdown => Err(Problem::internal()),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let key = headers
        .get("idempotency-key")
        .ok_or_else(|| Problem::bad_request("the header Idempotency-Key is missing"))?
        .to_str()
        .map_err(|_| Problem::bad_request("the header Idempotency-Key is not plain ASCII"))?;
    match key.len() {
        1..=255 => Ok(key.to_owned()),
        _ => Err(Problem::bad_request("the header Idempotency-Key is empty or longer than 255 characters")),
    }
}

fn command(operation: Operation, body: &[u8]) -> Result<Command, Problem> {
    let plain = |command| match body.trim_ascii() {
        b"" | b"{}" => Ok(command),
        _ => Err(Problem::bad_request("this operation takes no body: it concerns the whole amount")),
    };
    match operation {
        Operation::Authorize => {
            // A parser's own message may quote the token.
            let wanted: Wanted = serde_json::from_slice(body).map_err(|error| {
                Problem::bad_request(format!("not a charge, at line {} column {}", error.line(), error.column()))
            })?;
            match wanted.fault() {
                None => Ok(Command::Authorize(wanted.charge())),
                Some(fault) => Err(Problem::bad_request(fault)),
            }
        }
        Operation::Capture => plain(Command::Capture),
        Operation::Void => plain(Command::Void),
        Operation::Refund => plain(Command::Refund),
    }
}

async fn payment(
    State(gateway): Shared,
    payment_id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Payment>, Problem> {
    let Path(payment_id) = payment_id.map_err(|_| Problem::not_found())?;
    gateway.books.payment(payment_id).map(Json).ok_or_else(|| Refusal::UnknownPayment.into())
}

#[derive(Deserialize)]
struct Filter {
    payment_id: Option<Uuid>,
}

async fn ledger(
    State(gateway): Shared,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Statement>, Problem> {
    let Query(filter) = filter.map_err(|_| Problem::bad_request("payment_id is no UUID"))?;
    Ok(Json(gateway.books.statement(filter.payment_id)))
}

async fn settings(State(gateway): Shared) -> Json<Settings> {
    Json(gateway.settings())
}

async fn change_settings(
    State(gateway): Shared,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Settings>, Problem> {
    let body = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let settings: Settings = serde_json::from_slice(&body).map_err(|error| {
        Problem::bad_request(format!("no settings, at line {} column {}", error.line(), error.column()))
    })?;
    *gateway.settings.write().unwrap_or_else(PoisonError::into_inner) = settings.clone();
    tracing::info!(settings.delay_ms, ?settings.failure_rate, settings.slow_ms, "the failure settings changed");
    Ok(Json(settings))
}
