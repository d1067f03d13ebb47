//! From a bearer token to a caller.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::http::HeaderMap;

use crate::{
    Caller, Fault, Refusal,
    bearer::bearer,
    claims::Rules,
    keys::{Keys, Times},
    source::Source,
    token::Token,
};

/// Verifies tokens of one issuer for one audience. Clones share the keys.
#[derive(Debug, Clone)]
pub struct Verifier {
    pub(crate) keys: Arc<Keys>,
    pub(crate) rules: Arc<Rules>,
}

impl Verifier {
    /// Reads the keys in the background, in the runtime in which this is called, until the last clone is gone.
    pub(crate) fn start(source: Source, times: Times, rules: Rules) -> Self {
        let keys = Keys::new(source, times);
        tokio::spawn(Keys::run(Arc::downgrade(&keys)));
        Verifier { keys, rules: Arc::new(rules) }
    }

    /// The caller of a request.
    ///
    /// # Errors
    /// If there is no token, it is not valid now, or no keys are available to tell. A token with an unknown key waits for the keys
    /// to be read again, if that is due.
    pub async fn identify(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        self.verify(bearer(headers)?).await
    }

    /// The caller whose token this is, judged by the clock.
    ///
    /// # Errors
    /// As [`identify`](Self::identify).
    pub async fn verify(&self, token: &str) -> Result<Caller, Refusal> {
        let token = Token::of(token)?;
        let first = self.judge(&token, now_ms());
        if !matches!(first, Err(Refusal::KeysAway | Refusal::Token(Fault::UnknownKey))) {
            return first;
        }
        self.keys.ask().await;
        self.judge(&token, now_ms())
    }

    fn judge(&self, token: &Token<'_>, now_ms: u64) -> Result<Caller, Refusal> {
        let keys = self.keys.current().ok_or(Refusal::KeysAway)?;
        Ok(token.judge(&keys.set, &self.rules, now_ms)?)
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
