//! `POST /users/{user_id}/erase`, for operators alone.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use events::UserId;
use saga::unit_of_work::UnitOfWork;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::{Orders, POST_ERASE, command::Command};

/// Closes a user without orders under way, and says so to every service that keeps personal data. May be repeated.
pub(super) async fn erase(
    State(work): State<UnitOfWork<Orders>>,
    user: Result<Path<i64>, axum::extract::rejection::PathRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Path(user) = user.map_err(|_| Problem::malformed("the user id in the path is no whole number"))?;
    let says = work.submit(POST_ERASE, Command::Erase(UserId(user)), None).await?;
    match says.refused {
        Some(why) => Err(Problem::under_way(why)),
        None => Ok((StatusCode::ACCEPTED, Json(json!({ "user_id": user, "events": says.events.len() })))),
    }
}
