//! Keys: one that signs heads, and those whose signatures count.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use zeroize::Zeroizing;

/// The private key that signs heads.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// A new key.
    pub fn generate() -> Self {
        SigningKey(ed25519_dalek::SigningKey::from_bytes(&Zeroizing::new(rand::random())))
    }

    /// Reads the key from a file that only its owner can read: 32 bytes in base64.
    ///
    /// # Errors
    /// If others can read the file, or if it holds no key. The error does not repeat what it holds.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let mode = fs::metadata(path).with_context(|| format!("reading the signing key {name}"))?.permissions().mode();
        anyhow::ensure!(mode & 0o077 == 0, "the signing key {name} can be read by others: chmod 600 {name}");
        let text = Zeroizing::new(fs::read(path).with_context(|| format!("reading the signing key {name}"))?);
        let bytes = BASE64_STANDARD.decode(text.trim_ascii()).map(Zeroizing::new).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()).map(Zeroizing::new);
        let bytes = bytes.with_context(|| format!("{name} holds no signing key: 32 bytes in base64"))?;
        Ok(SigningKey(ed25519_dalek::SigningKey::from_bytes(&bytes)))
    }

    /// Writes the key to a new file that only its owner can read.
    ///
    /// # Errors
    /// If the file exists: a key is never overwritten.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = file.with_context(|| format!("creating the signing key {}", path.display()))?;
        let text = Zeroizing::new(BASE64_STANDARD.encode(self.0.as_bytes()));
        writeln!(file, "{}", text.as_str()).context("writing the signing key")
    }

    /// The public key, for those who verify.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(of {})", self.public())
    }
}

/// A public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// # Errors
    /// If this is no key in base64.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let bytes = BASE64_STANDARD.decode(text.trim()).context("a public key is given in base64")?;
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).context("a public key has 32 bytes")?;
        Ok(PublicKey(VerifyingKey::from_bytes(&bytes).context("these bytes are no public key")?))
    }

    /// Reads keys from a file: one on each line, lines that start with `#` excepted. A key that is no longer used stays in the
    /// file for as long as its heads do.
    ///
    /// # Errors
    /// If the file cannot be read, or a line holds no key.
    pub fn load_all(path: &Path) -> anyhow::Result<Vec<Self>> {
        let name = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("reading the public keys {name}"))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Vec<Self> =
            lines.map(Self::parse).collect::<anyhow::Result<_>>().with_context(|| format!("the public keys {name}"))?;
        anyhow::ensure!(!keys.is_empty(), "{name} holds no public key");
        Ok(keys)
    }

    pub(crate) fn signed(&self, bytes: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok()
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_in_a_file_of_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let key = SigningKey::generate();
        key.save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SigningKey::load(&path).unwrap().public(), key.public());
        assert!(key.save(&path).is_err(), "a key is never overwritten");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(SigningKey::load(&path).unwrap_err().to_string().contains("chmod 600"));
        assert!(!format!("{key:?}").contains(fs::read_to_string(&path).unwrap().trim()), "it is never printed");
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "secret but short").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = format!("{:#}", SigningKey::load(&path).unwrap_err());
        assert!(error.contains("holds no signing key") && !error.contains("secret but"), "{error}");
        assert!(PublicKey::load_all(&path).is_err());
        let public = SigningKey::generate().public();
        fs::write(&path, format!("# of the first signer\n{public}\n\n")).unwrap();
        assert_eq!(PublicKey::load_all(&path).unwrap(), [public]);
    }
}
