//! A development issuer: signs tokens with a key in a file. A real system has an identity provider instead.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, ThumbprintHash},
};
use serde_json::{Value, json};

/// Start of an Ed25519 private key in PKCS #8 (RFC 8410); the 32 bytes of the seed follow.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// An Ed25519 key that signs tokens.
pub struct Issuer {
    key: EncodingKey,
    public: Jwk,
    kid: String,
}

/// What a token says.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// `aud`.
    pub audience: &'a str,
    /// `sub`.
    pub subject: &'a str,
    /// `scope`.
    pub scopes: &'a [String],
    /// Time from now to `exp`.
    pub ttl: Duration,
}

impl Issuer {
    /// Reads a key, in PEM (PKCS #8).
    ///
    /// # Errors
    /// If the file cannot be read, others than its owner may read it, or it is no Ed25519 key.
    pub fn open(file: &Path) -> anyhow::Result<Self> {
        let named = || format!("the signing key {}", file.display());
        let mode = file.metadata().with_context(named)?.permissions().mode();
        ensure!(mode & 0o077 == 0, "others may read the signing key {}: chmod 600 it", file.display());
        Self::of_pem(&std::fs::read(file).with_context(named)?).with_context(named)
    }

    /// As [`open`](Self::open); makes a missing key first, which only its owner may read, and beside it the public key set, for
    /// `JWT_JWKS_FILE`.
    ///
    /// # Errors
    /// As [`open`](Self::open), or if a file cannot be written.
    pub fn open_or_create(file: &Path) -> anyhow::Result<Self> {
        let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
        let issuer = match new {
            Ok(new) => Self::create(new, file)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Self::open(file)?,
            Err(error) => return Err(error).with_context(|| format!("creating the signing key {}", file.display())),
        };
        let public = Self::key_set_file(file);
        if !public.exists() {
            // Renamed into place: a program that reads it never sees a part of it.
            let part = public.with_extension("part");
            std::fs::write(&part, format!("{:#}\n", issuer.key_set()))
                .and_then(|()| std::fs::rename(&part, &public))
                .with_context(|| format!("writing {}", public.display()))?;
        }
        Ok(issuer)
    }

    fn create(mut new: File, file: &Path) -> anyhow::Result<Self> {
        let seed: [u8; 32] = rand::random();
        let der = STANDARD.encode([&PKCS8[..], &seed].concat());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
        new.write_all(pem.as_bytes()).with_context(|| format!("writing the signing key {}", file.display()))?;
        Self::of_pem(pem.as_bytes())
    }

    fn of_pem(pem: &[u8]) -> anyhow::Result<Self> {
        let key = EncodingKey::from_ed_pem(pem).context("not an Ed25519 key in PEM")?;
        let mut public = Jwk::from_encoding_key(&key, Algorithm::EdDSA).context("deriving the public key")?;
        let kid = public.thumbprint(ThumbprintHash::SHA256).context("deriving the key's id")?;
        public.common.key_id = Some(kid.clone());
        Ok(Issuer { key, public, kid })
    }

    /// File with the public key set that belongs to a key's file: `key.pem` has `key.jwks.json`.
    pub fn key_set_file(file: &Path) -> PathBuf {
        file.with_extension("jwks.json")
    }

    /// The public key set.
    pub fn key_set(&self) -> Value {
        json!({ "keys": [self.public] })
    }

    /// A token, valid from now on.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn grant(&self, grant: &Grant<'_>) -> anyhow::Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
        let claims = json!({
            "iss": grant.issuer, "aud": grant.audience, "sub": grant.subject, "scope": grant.scopes.join(" "),
            "iat": now, "nbf": now, "exp": now + grant.ttl.as_secs(),
        });
        self.sign(&claims)
    }

    /// A token with these claims, whatever they are.
    pub(crate) fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.key).context("signing the token")
    }
}

#[cfg(test)]
impl Issuer {
    /// A token with the issuer's own public key in its header.
    pub(crate) fn sign_with_own_key(&self, claims: &Value) -> String {
        let header = Header { jwk: Some(self.public.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.key).expect("signed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_is_made_for_its_owner_alone_and_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key.pem");
        let made = Issuer::open_or_create(&file).expect("made");
        assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o600);
        let written = std::fs::read(Issuer::key_set_file(&file)).expect("the public part");
        assert_eq!(serde_json::from_slice::<Value>(&written).expect("JSON"), made.key_set());
        assert!(!String::from_utf8_lossy(&written).contains("\"d\""), "no private part");
        assert_eq!(Issuer::open_or_create(&file).expect("found").key_set(), made.key_set());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("changed");
        let error = Issuer::open(&file).err().expect("refused").to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
