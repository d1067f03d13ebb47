//! The claims of a token, and the rules for them. Without I/O and without a clock.

use serde::Deserialize;

use crate::{Caller, Fault, Scopes};

/// A rule for tokens. Each can be taken out in a test, which shows that the test of it can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// The algorithm is the key's.
    Algorithm,
    /// The key is one of the issuer's, not one that the token brings along.
    Key,
    Issuer,
    Audience,
    Expiry,
    NotBefore,
}

/// What a token has to say to be believed.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    /// Tolerated difference between the issuer's clock and ours, in seconds.
    pub(crate) leeway: u32,
    #[cfg(test)]
    pub(crate) without: Option<Lock>,
}

impl Rules {
    pub(crate) fn new(issuer: &str, audience: &str, leeway: u32) -> Self {
        Rules {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            leeway,
            #[cfg(test)]
            without: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn holds(&self, lock: Lock) -> bool {
        self.without != Some(lock)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "only a test takes a lock out")]
    pub(crate) fn holds(&self, _lock: Lock) -> bool {
        true
    }
}

/// Registered claims (RFC 7519) and scopes (RFC 9068; `scp` as some issuers name them).
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: Words,
    exp: f64,
    nbf: Option<f64>,
    sub: String,
    scope: Option<Words>,
    scp: Option<Words>,
}

/// One string, or a list of strings.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
}

impl Words {
    fn list(&self) -> &[String] {
        match self {
            Words::One(word) => std::slice::from_ref(word),
            Words::Many(words) => words,
        }
    }
}

impl Claims {
    /// The caller, if the claims hold at this time, in milliseconds since 1970.
    pub(crate) fn judge(self, rules: &Rules, now_ms: u64) -> Result<Caller, Fault> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact up to 2^53")]
        let (now, leeway) = (now_ms as f64 / 1000.0, f64::from(rules.leeway));
        if rules.holds(Lock::Issuer) && self.iss != rules.issuer {
            return Err(Fault::Issuer);
        }
        if rules.holds(Lock::Audience) && !self.aud.list().contains(&rules.audience) {
            return Err(Fault::Audience);
        }
        if rules.holds(Lock::Expiry) && self.exp + leeway <= now {
            return Err(Fault::Expired);
        }
        if rules.holds(Lock::NotBefore) && self.nbf.is_some_and(|nbf| now + leeway < nbf) {
            return Err(Fault::NotYetValid);
        }
        let words = [&self.scope, &self.scp].into_iter().flatten().flat_map(Words::list);
        let scopes: Scopes = words.flat_map(|words| words.split_ascii_whitespace()).collect();
        Ok(Caller { subject: self.sub, scopes })
    }
}
