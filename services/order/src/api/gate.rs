//! The guard of every route: who calls, what the route's owner rule allows, and how often.

use std::sync::Arc;

use access::{Caller, Rate, Refusal, Verifier};
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use events::UserId;
use uuid::Uuid;

use super::{
    problem::{Denial, Problem},
    routes::Owner,
};
use crate::denials::{Attempt, Denied};

/// Maximum size in bytes of all headers of a request, where there is a gate.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Maximum number of headers of a request, where there is a gate.
const MAX_HEADERS: usize = 64;

/// Asks every caller for a token, and bounds the rate of each subject.
#[derive(Debug, Clone)]
pub struct Gate {
    verifier: Verifier,
    rate: Arc<Rate>,
    denied: Denied,
}

impl Gate {
    pub fn new(verifier: Verifier, rate: Rate) -> Self {
        Gate { verifier, rate: rate.into(), denied: Denied::default() }
    }

    /// The same gate, which counts denials there.
    #[must_use]
    pub fn counting(self, denied: Denied) -> Self {
        Gate { denied, ..self }
    }

    /// Identifies the caller, and says for whom it acts.
    async fn admit(&self, owner: Owner, headers: &HeaderMap) -> (Option<String>, Result<Acting, Problem>) {
        if let Err(problem) = bounded(headers) {
            return (None, Err(problem));
        }
        let Owner::Subject { unless } = owner else { return (None, Ok(Acting::Anyone)) };
        match self.verifier.identify(headers).await {
            Ok(caller) => {
                let counted = self.rate.count(&caller.subject).map_err(Problem::too_often);
                let acting = counted.and_then(|()| Acting::of(&caller, unless).map_err(Problem::from));
                (Some(caller.subject), acting)
            }
            Err(refusal) => {
                tracing::debug!(%refusal, "a caller of the order API is turned away");
                (None, Err(Problem::from(refusal)))
            }
        }
    }
}

/// What the guard of a route knows.
#[derive(Debug, Clone)]
pub(super) struct Guarded {
    pub(super) gate: Option<Gate>,
    pub(super) owner: Owner,
    /// Method and path of the route, as the table has them.
    pub(super) route: String,
}

/// For whom a request acts. Handlers get it from the guard alone: a route without an owner rule has none, and fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acting {
    /// No tokens are asked for.
    Anyone,
    /// A user; with a scope that lifts the owner rule, for any.
    User { user: UserId, for_any: bool },
}

impl Acting {
    fn of(caller: &Caller, unless: &[&str]) -> Result<Self, Refusal> {
        let user = user_of(&caller.subject).ok_or(access::Fault::Subject)?;
        Ok(Acting::User { user, for_any: caller.scopes.any_of(unless) })
    }

    /// Tells whether it may see or change what belongs to this user.
    pub(super) fn may_act_for(self, owner: UserId) -> bool {
        match self {
            Acting::Anyone => true,
            Acting::User { user, for_any } => for_any || user == owner,
        }
    }

    /// Tells whether it may see and change everything.
    pub(super) fn may_act_for_all(self) -> bool {
        match self {
            Acting::Anyone => true,
            Acting::User { for_any, .. } => for_any,
        }
    }

    /// The user that it acts for by itself.
    pub(super) fn user(self) -> Option<UserId> {
        match self {
            Acting::Anyone => None,
            Acting::User { user, .. } => Some(user),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Acting>().copied().ok_or_else(Problem::without_rule)
    }
}

/// The user that a subject names: its id in decimal, in the one way to write it.
pub(crate) fn user_of(subject: &str) -> Option<UserId> {
    let id: i64 = subject.parse().ok()?;
    (id.to_string() == subject).then_some(UserId(id))
}

fn bounded(headers: &HeaderMap) -> Result<(), Problem> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > MAX_HEADER_BYTES || headers.len() > MAX_HEADERS {
        return Err(Problem::large_headers(format!(
            "more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes of them"
        )));
    }
    Ok(())
}

/// Middleware of each route, see [`routes`](super::routes).
pub(super) async fn guard(
    State(Guarded { gate, owner, route }): State<Guarded>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(gate) = gate else {
        request.extensions_mut().insert(Acting::Anyone);
        return next.run(request).await;
    };
    let order = request.uri().path().split('/').find_map(|part| Uuid::parse_str(part).ok());
    let (subject, admitted) = gate.admit(owner, request.headers()).await;
    let response = match admitted {
        Ok(acting) => {
            request.extensions_mut().insert(acting);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    // Also what a handler has denied.
    if let Some(Denial(why)) = response.extensions().get() {
        gate.denied.count(Attempt { subject: subject.as_deref(), object: ("route", &route), why, order });
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acting(subject: &str, scopes: &[&str], unless: &[&str]) -> Result<Acting, Refusal> {
        let scopes = scopes.iter().copied().collect();
        Acting::of(&Caller { subject: subject.to_owned(), scopes }, unless)
    }

    #[test]
    fn a_user_acts_for_itself_and_an_operator_for_all() {
        let buyer = acting("1", &["openid"], &["orders:any"]).expect("a user");
        assert!(buyer.may_act_for(UserId(1)) && !buyer.may_act_for(UserId(2)) && !buyer.may_act_for_all());
        let operator = acting("9", &["orders:any"], &["orders:any"]).expect("a user");
        assert!(operator.may_act_for(UserId(2)) && operator.may_act_for_all());
        let reader = acting("9", &["orders:read:any"], &["orders:any"]).expect("a user");
        assert!(!reader.may_act_for(UserId(2)));
    }

    #[test]
    fn a_subject_that_is_no_user_id_in_decimal_is_refused() {
        for subject in ["", " 1", "1 ", "+1", "01", "0x1", "1.0", "alice", "9223372036854775808", "\u{0661}"] {
            assert_eq!(acting(subject, &[], &[]), Err(access::Fault::Subject.into()), "{subject:?}");
        }
    }

    #[test]
    fn headers_are_bounded_in_number_and_size() {
        let headers = |count: usize, bytes: usize| -> HeaderMap {
            let name = |nth| axum::http::HeaderName::try_from(format!("x-{nth}")).expect("a name");
            (0..count).map(|nth| (name(nth), "x".repeat(bytes).parse().expect("a value"))).collect()
        };
        assert!(bounded(&headers(MAX_HEADERS, 8)).is_ok());
        assert!(bounded(&headers(MAX_HEADERS + 1, 8)).is_err());
        assert!(bounded(&headers(2, MAX_HEADER_BYTES)).is_err());
    }
}
