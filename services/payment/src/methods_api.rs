//! `POST /payment-methods`: adds payment methods. The service encrypts their details, so nobody else needs its keys.
//!
//! It takes the caller's word for who owns a method, so it is served to operators, at `OPS_ADDR`: it is for programs that put
//! data in place, not for buyers.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use events::{PaymentMethodId, UserId};
use saga::sessions::Sessions;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    keys::store,
    method::MethodType,
    sealed_details::{Keys, Place},
};

/// Maximum number of methods in a request.
const MOST: usize = 1000;
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The route.
pub fn routes(sessions: Sessions, keys: Keys) -> Router {
    Router::new()
        .route("/payment-methods", post(add))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Api { sessions, keys })
}

#[derive(Clone)]
struct Api {
    sessions: Sessions,
    keys: Keys,
}

/// A method to add. Without `Debug`: it must not get into a log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMethod {
    id: i64,
    user_id: i64,
    method_type: String,
    /// Stands for the card at the gateway; only cards have one.
    token: Option<String>,
    /// The card number's last digits, to show to its owner.
    last4: Option<String>,
}

/// Columns of methods to insert.
#[derive(Default)]
struct Columns {
    ids: Vec<i64>,
    users: Vec<i64>,
    types: Vec<&'static str>,
    details: Vec<Option<String>>,
}

/// Number of methods added, and of those that were there already.
#[derive(Debug, Serialize)]
struct Added {
    added: u64,
    present: u64,
}

async fn add(State(api): State<Api>, body: Bytes) -> Result<Json<Added>, Problem> {
    // A parser's own message may quote the value.
    let methods: Vec<NewMethod> = serde_json::from_slice(&body).map_err(|error| {
        Problem::malformed(format!("not a list of payment methods, at line {} column {}", error.line(), error.column()))
    })?;
    if methods.len() > MOST {
        return Err(Problem::malformed(format!("more than {MOST} payment methods")));
    }
    let columns = api.columns(&methods)?;
    let total = columns.ids.len() as u64;
    let added = api.sessions.bounded(api.insert(&columns)).await?;
    tracing::info!(added, present = total - added, "payment methods added");
    Ok(Json(Added { added, present: total - added }))
}

impl Api {
    /// The columns of the methods, with sealed details. The same method twice is one.
    fn columns(&self, methods: &[NewMethod]) -> Result<Columns, Problem> {
        let mut columns = Columns::default();
        let by_id: BTreeMap<i64, &NewMethod> = methods.iter().map(|method| (method.id, method)).collect();
        for (id, method) in by_id {
            let refused = |why: &str| Problem::refused(format!("payment method {id}: {why}"));
            let method_type: MethodType = method.method_type.parse().map_err(|_| refused("its type is unknown"))?;
            let details = details(method_type, method).map_err(refused)?;
            let place = Place { method: PaymentMethodId(id), owner: UserId(method.user_id), method_type };
            let sealed = details.map(|details| self.keys.seal(&place, &details)).transpose();
            columns.details.push(sealed.map_err(|why| Problem::unavailable(why.to_string()))?);
            columns.ids.push(id);
            columns.users.push(method.user_id);
            columns.types.push(method_type.as_str());
        }
        Ok(columns)
    }

    /// Inserts the methods that are not there, all or none, and returns their number.
    async fn insert(&self, columns: &Columns) -> Result<u64, Problem> {
        let mut db = self.sessions.begin().await?;
        let insert = sqlx::query(
            "insert into payment_methods (id, user_id, method_type, method_details)
             select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) on conflict (id) do nothing",
        );
        let Columns { ids, users, types, details } = columns;
        let inserted = insert.bind(ids).bind(users).bind(types).bind(details).execute(&mut *db).await?;
        let erased: Option<i64> =
            sqlx::query_scalar("select user_id from erased_users where user_id = any($1) limit 1")
                .bind(users)
                .fetch_optional(&mut *db)
                .await?;
        if let Some(user) = erased {
            return Err(Problem::erased(user));
        }
        let others: Vec<i64> = sqlx::query_scalar(
            "select m.id from payment_methods m
             join unnest($1::bigint[], $2::bigint[], $3::text[]) n (id, user_id, method_type) using (id)
             where (m.user_id, m.method_type) is distinct from (n.user_id, n.method_type) order by m.id",
        )
        .bind(ids)
        .bind(users)
        .bind(types)
        .fetch_all(&mut *db)
        .await?;
        if let Some(id) = others.first() {
            return Err(Problem::taken(*id));
        }
        db.commit().await?;
        Ok(inserted.rows_affected())
    }
}

/// The details to seal; None for a method without.
fn details(method_type: MethodType, method: &NewMethod) -> Result<Option<String>, &'static str> {
    match (method_type, &method.token) {
        (MethodType::Card, Some(token)) if is_card_number(token) => Err("a card number instead of a token"),
        (MethodType::Card, Some(token)) if (1..=255).contains(&token.len()) => {
            let last4 = method.last4.as_deref();
            if last4.is_some_and(|last4| last4.len() != 4 || !last4.bytes().all(|byte| byte.is_ascii_digit())) {
                return Err("last4 is not four digits");
            }
            Ok(Some(json!({ "token": token, "last4": last4 }).to_string()))
        }
        (MethodType::Card, _) => Err("a card needs a token of at most 255 bytes"),
        (MethodType::Wallet | MethodType::Points, None) if method.last4.is_none() => Ok(None),
        (MethodType::Wallet | MethodType::Points, _) => Err("only a card has a token"),
    }
}

/// Returns whether this is a card's number, which is never to be stored: 12 to 19 digits with a valid check digit.
fn is_card_number(text: &str) -> bool {
    let digits: Vec<u32> =
        text.chars().filter(|char| !" -".contains(*char)).map_while(|char| char.to_digit(10)).collect();
    let is_number = text.chars().all(|char| char.is_ascii_digit() || " -".contains(char));
    let doubled = |digit: u32| digit * 2 - if digit > 4 { 9 } else { 0 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 1 { doubled(*digit) } else { *digit })
        .sum();
    is_number && (12..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

/// An error on the wire (RFC 9457). Repeats nothing of the request but ids.
struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
}

impl Problem {
    fn malformed(detail: String) -> Self {
        Problem { status: StatusCode::BAD_REQUEST, kind: "malformed", detail }
    }

    fn refused(detail: String) -> Self {
        Problem { status: StatusCode::UNPROCESSABLE_ENTITY, kind: "payment-method-refused", detail }
    }

    fn taken(id: i64) -> Self {
        let detail = format!("payment method {id} is there, and of another user or type; nothing has been added");
        Problem { status: StatusCode::CONFLICT, kind: "payment-method-exists", detail }
    }

    fn erased(user: i64) -> Self {
        let detail = format!("user {user} is erased; nothing has been added");
        Problem { status: StatusCode::GONE, kind: "user-erased", detail }
    }

    fn unavailable(detail: String) -> Self {
        tracing::error!(error = detail, "payment methods cannot be added; answering 503");
        Problem { status: StatusCode::SERVICE_UNAVAILABLE, kind: "unavailable", detail }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if store::is_reference(&error) {
            return Problem::unavailable("the active key is retired or not registered: payment keys list".to_owned());
        }
        Problem::unavailable(format!("the database did not accept it: {}", saga::store::told(&error)))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Problem { status, kind, detail } = self;
        let body = json!({ "type": kind, "title": status.to_string(), "status": status.as_u16(), "detail": detail });
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_no_token() {
        for number in ["4242424242424242", "4242 4242 4242 4242", "3782-822463-10005", "6011000990139424"] {
            assert!(is_card_number(number), "{number}");
        }
        for token in ["tok_visa", "4242424242424241", "42", "4242424242424242x", "", "pm_4242424242424242"] {
            assert!(!is_card_number(token), "{token}");
        }
    }
}
