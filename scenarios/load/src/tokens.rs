//! The buyers' tokens, each used for many requests, as a client does that has signed in.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use events::UserId;
use operations::credentials::Credentials;

/// Time for which a token is used: well below the validity of those that are signed here.
const USED: Duration = Duration::from_secs(120);

/// Tokens that have been obtained; none where none is asked for.
pub(super) struct Tokens {
    credentials: Credentials,
    of_users: HashMap<UserId, (Instant, Vec<u8>)>,
}

impl Tokens {
    pub(super) fn of(credentials: Credentials) -> Self {
        Tokens { credentials, of_users: HashMap::new() }
    }

    /// The value of the header `authorization` of this buyer's requests.
    ///
    /// # Errors
    /// If a token cannot be signed.
    pub(super) fn authorization(&mut self, user: UserId) -> anyhow::Result<Option<&[u8]>> {
        let used = self.of_users.get(&user).is_some_and(|(since, _)| since.elapsed() < USED);
        if !used {
            let Some(token) = self.credentials.of_user(user.0)? else { return Ok(None) };
            self.of_users.insert(user, (Instant::now(), format!("Bearer {token}").into_bytes()));
        }
        Ok(self.of_users.get(&user).map(|(_, authorization)| &**authorization))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buyers_token_is_used_again_and_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        drop(access::Issuer::open_or_create(&file).unwrap());
        let signing = Credentials::from_variables(|name| match name {
            "ORDER_TOKEN" => None,
            "JWT_SIGNING_KEY_FILE" => Some(file.display().to_string()),
            _ => Some("ours".to_owned()),
        });
        let mut tokens = Tokens::of(signing.unwrap());
        let mut of = |user| tokens.authorization(UserId(user)).unwrap().unwrap().to_vec();
        let first = of(1);
        assert!(first.starts_with(b"Bearer "));
        assert_ne!(first, of(2));
        assert_eq!(first, of(1));
        assert_eq!(Tokens::of(Credentials::default()).authorization(UserId(1)).unwrap(), None);
    }
}
