//! Settings, from the environment or the command line.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail, ensure};
use clap::Args;
use reqwest::{Client, Url};

use crate::{
    Verifier,
    claims::Rules,
    keys::Times,
    source::{Reading, Source},
};

/// Issuer of the tokens that an API believes. Without an issuer the API asks for no token, unless security is required.
#[derive(Debug, Clone, Default, Args)]
pub struct Jwt {
    /// `iss` of the tokens to believe. With it, every caller needs a token.
    #[arg(long, env = "JWT_ISSUER", hide_env_values = true)]
    pub jwt_issuer: Option<String>,
    /// `aud` that a token has to be for.
    #[arg(long, env = "JWT_AUDIENCE", hide_env_values = true)]
    pub jwt_audience: Option<String>,
    /// Address of the issuer's public keys, a JSON Web Key Set: `jwks_uri` of its `/.well-known/openid-configuration`.
    #[arg(long, env = "JWT_JWKS_URL", hide_env_values = true)]
    pub jwt_jwks_url: Option<String>,
    /// File with the issuer's public keys, in place of their address. Read again when it changes.
    #[arg(long, env = "JWT_JWKS_FILE", hide_env_values = true)]
    pub jwt_jwks_file: Option<String>,
    /// Tolerated difference between the issuer's clock and this one, in seconds.
    #[arg(long, env = "JWT_LEEWAY_SECONDS", hide_env_values = true, default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=300))]
    pub jwt_leeway_seconds: u32,
    /// Interval at which the keys are read again from their address, in seconds: a key that the issuer withdraws counts for as
    /// long at most.
    #[arg(long, env = "JWT_JWKS_REFRESH_SECONDS", hide_env_values = true, default_value_t = 300, value_parser = clap::value_parser!(u64).range(10..=86_400))]
    pub jwt_jwks_refresh_seconds: u64,
    /// Age at which keys no longer count if their source has been away for so long, in seconds.
    #[arg(long, env = "JWT_JWKS_MAX_AGE_SECONDS", hide_env_values = true, default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(60..=2_592_000))]
    pub jwt_jwks_max_age_seconds: u64,
}

/// Bounds of one read of the keys: no honest key set is larger, and no caller waits longer.
const READING: Reading = Reading { within: Duration::from_secs(3), bytes: 256 * 1024 };
/// Minimum pause between two reads from an address, however many tokens name unknown keys.
const PAUSE: Duration = Duration::from_secs(10);
/// Interval at which a file is read again; it costs next to nothing.
const FILE_EVERY: Duration = Duration::from_secs(2);
const FILE_PAUSE: Duration = Duration::from_secs(1);

impl Jwt {
    /// Verifier for these settings; `None` if there are none and none are `required`. `client` makes the HTTP client for the
    /// keys' address, see [`client`](crate::client). Reads the keys in the background, so call it within a runtime.
    ///
    /// # Errors
    /// A setting that is missing or malformed; the error names it.
    pub fn verifier(
        &self,
        required: bool,
        client: impl FnOnce() -> anyhow::Result<Client>,
    ) -> anyhow::Result<Option<Verifier>> {
        let [issuer, audience, url, file] =
            [&self.jwt_issuer, &self.jwt_audience, &self.jwt_jwks_url, &self.jwt_jwks_file].map(given);
        if !required && [issuer, audience, url, file].iter().all(Option::is_none) {
            return Ok(None);
        }
        let why =
            if required { "SECURITY=required" } else { "the API verifies tokens, because others of JWT_… are set" };
        let issuer = issuer.with_context(|| format!("JWT_ISSUER is not set: {why}"))?;
        let audience = audience.with_context(|| format!("JWT_AUDIENCE is not set: {why}"))?;
        let source = match (url, file) {
            (Some(_), Some(_)) => bail!("JWT_JWKS_URL and JWT_JWKS_FILE are both set: set one of them"),
            (None, None) => bail!("neither JWT_JWKS_URL nor JWT_JWKS_FILE is set: {why}"),
            (None, Some(file)) => Source::File(PathBuf::from(file)),
            (Some(url), None) => Source::Url(client()?, address(url, required)?),
        };
        let rules = Rules::new(issuer, audience, self.jwt_leeway_seconds);
        Ok(Some(Verifier::start(source.clone(), self.times(&source), rules)))
    }

    fn times(&self, source: &Source) -> Times {
        let (every, pause) = match source {
            Source::Url(..) => (Duration::from_secs(self.jwt_jwks_refresh_seconds), PAUSE),
            Source::File(_) => (FILE_EVERY, FILE_PAUSE),
        };
        Times { every, pause, max_age: Duration::from_secs(self.jwt_jwks_max_age_seconds), reading: READING }
    }
}

/// An empty setting counts as none: that is what an unset variable becomes in a compose file.
fn given(setting: &Option<String>) -> Option<&str> {
    setting.as_deref().filter(|text| !text.is_empty())
}

fn address(url: &str, required: bool) -> anyhow::Result<Url> {
    let url: Url =
        url.parse().map_err(|error| anyhow::anyhow!("JWT_JWKS_URL is not of the form https://host/path: {error}"))?;
    match url.scheme() {
        "https" => {}
        "http" => ensure!(!required, "JWT_JWKS_URL begins with http://, and SECURITY=required asks for https://"),
        other => bail!("JWT_JWKS_URL begins with {other}://, not with https://"),
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(issuer: &str, audience: &str, url: &str, file: &str) -> Jwt {
        let [jwt_issuer, jwt_audience, jwt_jwks_url, jwt_jwks_file] =
            [issuer, audience, url, file].map(|text| Some(text.to_owned()));
        Jwt { jwt_issuer, jwt_audience, jwt_jwks_url, jwt_jwks_file, ..Jwt::default() }
    }

    fn verifier(settings: &Jwt, required: bool) -> Result<bool, String> {
        let made = settings.verifier(required, || bail!("no client here"));
        made.map(|verifier| verifier.is_some()).map_err(|error| format!("{error:#}"))
    }

    #[tokio::test]
    async fn without_settings_no_token_is_asked_for_unless_security_is_required() {
        for none in [Jwt::default(), set("", "", "", "")] {
            assert_eq!(verifier(&none, false), Ok(false));
            assert!(verifier(&none, true).expect_err("required").contains("JWT_ISSUER is not set: SECURITY=required"));
        }
    }

    #[tokio::test]
    async fn a_part_of_the_settings_is_refused_and_the_missing_one_named() {
        assert_eq!(verifier(&set("i", "a", "", "/none"), true), Ok(true));
        for (settings, required, word) in [
            (set("", "a", "", "/none"), false, "JWT_ISSUER"),
            (set("i", "", "", "/none"), false, "JWT_AUDIENCE"),
            (set("i", "a", "", ""), false, "JWT_JWKS_FILE"),
            (set("i", "a", "https://h/k", "/none"), false, "both"),
            (set("i", "a", "http://h/k", ""), true, "no client"),
            (set("i", "a", "https://h/k", ""), true, "no client"),
        ] {
            let error = verifier(&settings, required).expect_err(word);
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn where_security_is_required_the_keys_come_over_tls() {
        assert!(address("https://h/k", true).is_ok() && address("http://h/k", false).is_ok());
        for (url, required) in [("http://h/k", true), ("ftp://h/k", false), ("h/k", false)] {
            assert!(address(url, required).is_err(), "{url}");
        }
    }
}
