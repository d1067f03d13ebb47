//! Settings of the service's doors: tokens of its callers, their rate, the record of those who are turned away, and the key of
//! derived ids.

use std::{num::NonZeroU32, time::Duration};

use access::{Jwt, Rate, Verifier};
use anyhow::{Context, ensure};
use audit_log::Recorder;
use clap::Args;
use events::order_id::Derivation;
use secrecy::{ExposeSecret, SecretString};
use transport::Transport;

use crate::api::Gate;

/// Settings of the service's doors.
#[derive(Debug, Clone, Args)]
pub struct Doors {
    #[command(flatten)]
    pub jwt: Jwt,
    /// Requests per second that each subject may make in the long run. Counts only where tokens are asked for.
    #[arg(long, env = "API_RATE_PER_SECOND", hide_env_values = true, default_value = "50")]
    pub api_rate_per_second: NonZeroU32,
    /// Requests that each subject may make at once.
    #[arg(long, env = "API_RATE_BURST", hide_env_values = true, default_value = "100")]
    pub api_rate_burst: NonZeroU32,
    /// Key of the order ids that are derived from idempotency keys and records: 32 bytes in base64. Without it they can be
    /// computed by anyone who knows what they are derived from.
    #[arg(long, env = "ORDER_ID_KEY", hide_env_values = true, default_value = "")]
    pub order_id_key: SecretString,
    /// Keys of before, separated by commas: repeated requests of their time find their orders.
    #[arg(long, env = "ORDER_ID_FORMER_KEYS", hide_env_values = true, default_value = "")]
    pub order_id_former_keys: SecretString,
    /// The audit log's database, for a role that may only append: denied requests are recorded there.
    #[arg(long, env = "AUDIT_DATABASE_URL", hide_env_values = true, default_value = "")]
    pub audit_database_url: SecretString,
    /// Interval in seconds at which denied requests are recorded: one entry for each caller, route and reason.
    #[arg(long, env = "AUDIT_DENIALS_SECONDS", hide_env_values = true, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub audit_denials_seconds: u64,
}

impl Doors {
    /// Verifier of tokens; `None` where none are asked for. `required` refuses to go without. `client` makes the HTTP client for
    /// the issuer's keys. Call it within a runtime.
    ///
    /// # Errors
    /// A setting that is missing or malformed; the error names it.
    pub fn verifier(
        &self,
        required: bool,
        client: impl FnOnce() -> anyhow::Result<reqwest::Client>,
    ) -> anyhow::Result<Option<Verifier>> {
        self.jwt.verifier(required, client)
    }

    /// Recorder of denied requests. Where none is set although security is required, says so.
    ///
    /// # Errors
    /// A malformed URL, or one that the transport does not allow.
    pub fn recorder(&self, transport: &Transport) -> anyhow::Result<Recorder> {
        if !self.audit_database_url.expose_secret().is_empty() {
            return Recorder::without_heads(transport, &self.audit_database_url);
        }
        if transport.is_required() {
            tracing::warn!("AUDIT_DATABASE_URL is not set: denied requests are counted in metrics alone");
        }
        Ok(Recorder::Nowhere)
    }

    /// Interval at which denied requests are recorded.
    pub fn recorded_every(&self) -> Duration {
        Duration::from_secs(self.audit_denials_seconds)
    }

    /// The guard of the API.
    pub fn gate(&self, verifier: Verifier) -> Gate {
        Gate::new(verifier, Rate::new(self.api_rate_per_second, self.api_rate_burst))
    }

    /// Derivation of order ids.
    ///
    /// # Errors
    /// A key that is malformed, or missing although it is required.
    pub fn ids(&self, required: bool) -> anyhow::Result<Derivation> {
        let (key, former) = (self.order_id_key.expose_secret(), self.order_id_former_keys.expose_secret());
        let ids = Derivation::with_keys(key, former);
        let ids = ids.map_err(anyhow::Error::msg).context("ORDER_ID_KEY, ORDER_ID_FORMER_KEYS")?;
        ensure!(ids.is_keyed() || !required, "ORDER_ID_KEY is not set: SECURITY=required");
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        doors: Doors,
    }

    fn doors(arguments: &[&str]) -> Doors {
        let arguments = std::iter::once("order").chain(arguments.iter().copied());
        Arguments::try_parse_from(arguments).expect("arguments").doors
    }

    fn refused(arguments: &[&str]) -> String {
        let doors = doors(arguments);
        let verifier = doors.verifier(true, || anyhow::bail!("no client")).map(drop);
        format!("{:#}", verifier.and_then(|()| doors.ids(true).map(drop)).expect_err("refused"))
    }

    #[tokio::test]
    async fn without_settings_the_doors_are_open_and_ids_as_before() {
        let open = doors(&[]);
        assert!(open.verifier(false, || anyhow::bail!("no client")).expect("none").is_none());
        assert!(!open.ids(false).expect("ids").is_keyed());
    }

    #[tokio::test]
    async fn where_security_is_required_the_service_does_not_start_without_its_settings() {
        let jwt = ["--jwt-issuer", "i", "--jwt-audience", "a", "--jwt-jwks-file", "/none"];
        assert!(refused(&[]).contains("JWT_ISSUER is not set"));
        assert!(refused(&jwt).contains("ORDER_ID_KEY is not set"));
        let malformed = refused(&[&jwt[..], &["--order-id-key", "c2VjcmV0"]].concat());
        assert!(malformed.contains("ORDER_ID_KEY") && !malformed.contains("c2VjcmV0"), "{malformed}");
        assert!(!format!("{:?}", doors(&["--order-id-key", "c2VjcmV0"])).contains("c2VjcmV0"));
    }
}
