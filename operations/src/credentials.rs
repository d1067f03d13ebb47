//! Tokens with which requests are made, where the order service asks for them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use access::{Grant, Issuer};
use anyhow::Context;
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};

/// Variable with a token for every request.
pub const ORDER_TOKEN: &str = "ORDER_TOKEN";
/// Variable with the file of a development issuer's key, which signs a token for each request.
pub const JWT_SIGNING_KEY_FILE: &str = "JWT_SIGNING_KEY_FILE";
/// Variables with `iss` and `aud` of these tokens, as the order service has them.
pub const JWT_ISSUER: &str = "JWT_ISSUER";
pub const JWT_AUDIENCE: &str = "JWT_AUDIENCE";

/// Validity of a token that is signed for one request.
const TTL: Duration = Duration::from_secs(300);
/// Scope of an operator's token.
const ANY: &str = "orders:any";

/// Means to obtain a token; none where none is asked for.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    token: Option<SecretString>,
    signing: Option<Arc<Signing>>,
}

struct Signing {
    issuer: Issuer,
    file: PathBuf,
    iss: String,
    aud: String,
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signing({})", self.file.display())
    }
}

impl Credentials {
    /// Credentials that `variable` names. A given token takes precedence over a key to sign one.
    ///
    /// # Errors
    /// If the key cannot be read, or `iss` or `aud` is missing.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let token = variable(ORDER_TOKEN).map(SecretString::from);
        let Some(file) = variable(JWT_SIGNING_KEY_FILE).map(PathBuf::from) else {
            return Ok(Credentials { token, signing: None });
        };
        let needed = |name: &str| {
            variable(name).with_context(|| {
                format!("{name} is not set: the tokens that {JWT_SIGNING_KEY_FILE} signs have to name it")
            })
        };
        let (issuer, iss, aud) = (Issuer::open(&file)?, needed(JWT_ISSUER)?, needed(JWT_AUDIENCE)?);
        Ok(Credentials { token, signing: Some(Arc::new(Signing { issuer, file, iss, aud })) })
    }

    /// Credentials that the process's environment names.
    ///
    /// # Errors
    /// As [`from_variables`](Self::from_variables).
    pub fn from_process() -> anyhow::Result<Self> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Returns whether there are none, so that requests go without a token.
    pub fn is_none(&self) -> bool {
        self.token.is_none() && self.signing.is_none()
    }

    /// A token with which a user requests; `None` where none is asked for.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn of_user(&self, user: i64) -> anyhow::Result<Option<String>> {
        self.token(user, &[])
    }

    /// Adds a token with the scope for anyone's orders to a request to the order API.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn authorize(&self, request: RequestBuilder) -> anyhow::Result<RequestBuilder> {
        let token = self.token(0, &[ANY.to_owned()])?;
        Ok(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    fn token(&self, user: i64, scopes: &[String]) -> anyhow::Result<Option<String>> {
        if let Some(token) = &self.token {
            return Ok(Some(token.expose_secret().to_owned()));
        }
        let Some(signing) = &self.signing else { return Ok(None) };
        let (issuer, audience, subject) = (&*signing.iss, &*signing.aud, &*user.to_string());
        signing.issuer.grant(&Grant { issuer, audience, subject, scopes, ttl: TTL }).map(Some)
    }

    /// The credentials as variables that [`from_variables`](Self::from_variables) can read.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let token = self.token.iter().map(|token| (ORDER_TOKEN, token.expose_secret().to_owned()));
        let signing = self.signing.iter().flat_map(|signing| {
            let file = signing.file.display().to_string();
            [(JWT_SIGNING_KEY_FILE, file), (JWT_ISSUER, signing.iss.clone()), (JWT_AUDIENCE, signing.aud.clone())]
        });
        token.chain(signing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_for_each_user_and_a_given_token_takes_precedence() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        drop(Issuer::open_or_create(&file).unwrap());
        let given = |token: &'static str, audience: &'static str| {
            let file = file.display().to_string();
            Credentials::from_variables(move |name| match name {
                ORDER_TOKEN => Some(token.to_owned()),
                JWT_SIGNING_KEY_FILE => Some(file.clone()),
                JWT_ISSUER => Some("i".to_owned()),
                _ => Some(audience.to_owned()),
            })
        };
        let signing = given("", "a").unwrap();
        assert_ne!(signing.of_user(1).unwrap(), signing.of_user(2).unwrap());
        assert_eq!(given("a.b.c", "a").unwrap().of_user(1).unwrap().as_deref(), Some("a.b.c"));
        assert!(given("", "").unwrap_err().to_string().contains("JWT_AUDIENCE is not set"));
        assert_eq!(Credentials::default().of_user(1).unwrap(), None);
        let again: std::collections::BTreeMap<_, _> = signing.variables().into_iter().collect();
        let again = Credentials::from_variables(|name| again.get(name).cloned()).unwrap();
        assert!(again.of_user(1).unwrap().is_some());
    }
}
