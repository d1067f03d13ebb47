//! `scenarios token`: a development issuer of tokens.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use access::{Grant, Issuer};
use anyhow::Context;
use clap::Args;

/// Prints a token for a user, signed with a development key. A real system has an identity provider instead.
#[derive(Debug, Args)]
pub struct Token {
    /// User id: `sub` of the token.
    #[arg(long)]
    user: i64,
    /// Scope, such as orders:any or orders:read:any. May be repeated.
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// Validity in seconds.
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    ttl: u64,
    /// File of the key. A missing one is made, and beside it the public key set for JWT_JWKS_FILE.
    #[arg(
        long,
        env = "JWT_SIGNING_KEY_FILE",
        hide_env_values = true,
        default_value = ".scenarios/jwt-signing-key.pem"
    )]
    key: PathBuf,
    /// `iss` of the token.
    #[arg(long, env = "JWT_ISSUER", hide_env_values = true, default_value = "https://issuer.localhost")]
    issuer: String,
    /// `aud` of the token.
    #[arg(long, env = "JWT_AUDIENCE", hide_env_values = true, default_value = "shop")]
    audience: String,
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Token { user, scopes, ttl, key, issuer, audience } = self;
        if let Some(folder) = key.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        let is_new = !key.exists();
        let signing = Issuer::open_or_create(&key)?;
        if is_new {
            let public = Issuer::key_set_file(&key);
            eprintln!("a new key is in {}; the order service believes its tokens with", key.display());
            eprintln!("JWT_ISSUER={issuer} JWT_AUDIENCE={audience} JWT_JWKS_FILE={}", public.display());
        }
        let (subject, ttl) = (&*user.to_string(), Duration::from_secs(ttl));
        let token = signing.grant(&Grant { issuer: &issuer, audience: &audience, subject, scopes: &scopes, ttl })?;
        println!("{token}");
        Ok(ExitCode::SUCCESS)
    }
}
