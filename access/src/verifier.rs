//! From a bearer token to a caller.

use std::sync::Arc;

use axum::http::HeaderMap;

use crate::{
    Caller, Fault, Refusal,
    bearer::{bearer, of_value},
    claims::Rules,
    keys::{Keys, Times, now_ms},
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
    /// If there is no token, it is not valid now, or no keys are available to tell. A token with an unknown key waits for the
    /// keys to be read again, if that is due.
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

    /// The caller whose token came with a message, `Bearer …`, as of the time at which it was sent, in milliseconds since 1970.
    /// The verdict is the same however late the message is read, and however often: a key that the issuer has withdrawn counts
    /// for what was sent before, as long as this process remembers it. Does not wait.
    ///
    /// # Errors
    /// If the token was not valid then, or no keys of that time or later are available to tell; they are read again then. Keys
    /// that were read up to a pause earlier count as those of that time: issuers publish a key before they use it, and whoever
    /// sends one unknown key after the other would hold up all others for as long as each is waited for. For an unknown key, the
    /// time at which the message was first seen here counts if it is earlier, so that no clock that is ahead holds it up.
    pub fn verify_as_of(&self, authorization: &[u8], sent_ms: u64, seen_ms: u64) -> Result<Caller, Refusal> {
        let token = Token::of(of_value(authorization)?)?;
        let judged = self.judge(&token, sent_ms);
        let is_older = || self.keys.current().is_none_or(|keys| keys.has_keys_until_ms() <= sent_ms.min(seen_ms));
        match judged {
            Err(Refusal::Token(Fault::UnknownKey)) if is_older() => {
                self.keys.want();
                Err(Refusal::KeysAway)
            }
            Err(Refusal::KeysAway) => {
                self.keys.want();
                judged
            }
            judged => judged,
        }
    }

    fn judge(&self, token: &Token<'_>, now_ms: u64) -> Result<Caller, Refusal> {
        let keys = self.keys.current().ok_or(Refusal::KeysAway)?;
        Ok(token.judge(&keys.set, &self.rules, now_ms)?)
    }
}
