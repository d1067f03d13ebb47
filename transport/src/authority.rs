//! A certificate authority of one's own, for trying out and for tests.
//!
//! In real use certificates come from where others of the organisation do (cert-manager, Vault, step-ca): a program needs nothing
//! but the three files of its directory.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// An authority's key, and its certificate in PEM.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A leaf to be made.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// Common name: what the program is called.
    pub name: String,
    /// Names and addresses at which it is reached.
    pub hosts: Vec<String>,
    /// False for programs and people who are clients alone: their certificates count at no server.
    pub serves: bool,
    /// Validity.
    pub from: SystemTime,
    pub until: SystemTime,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

/// Validity of an authority.
const AUTHORITY_LASTS: Duration = Duration::from_secs(3650 * 24 * 3600);
/// Clocks differ: certificates are valid a little earlier than they are made.
const CLOCKS_DIFFER: Duration = Duration::from_secs(300);

impl Leaf {
    /// A leaf of a program that is reached on this machine and by its own name.
    pub fn of(name: &str, lasts: Duration) -> Self {
        let hosts = [name, "localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let now = SystemTime::now();
        Leaf { name: name.to_owned(), hosts, serves: true, from: now - CLOCKS_DIFFER, until: now + lasts }
    }

    /// A leaf of a client that serves nobody.
    pub fn of_client(name: &str, lasts: Duration) -> Self {
        Leaf { hosts: vec![name.to_owned()], serves: false, ..Leaf::of(name, lasts) }
    }
}

impl Authority {
    /// A new authority.
    ///
    /// # Errors
    /// If the machine has no randomness.
    pub fn create(name: &str) -> io::Result<Self> {
        let now = SystemTime::now();
        let mut params = params(name, Vec::new(), now - CLOCKS_DIFFER, now + AUTHORITY_LASTS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certified = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        Self::of(&certified.pem(), &certified.key().serialize_pem())
    }

    fn of(certificate: &str, key: &str) -> io::Result<Self> {
        let key = KeyPair::from_pem(key).map_err(io::Error::other)?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key).map_err(io::Error::other)?;
        Ok(Authority { issuer, certificate: certificate.to_owned() })
    }

    /// The authority in a directory's `ca.crt` and `ca.key`; makes one if there is none.
    ///
    /// # Errors
    /// If the files cannot be read or written.
    pub fn in_directory(directory: &Path) -> io::Result<Self> {
        let (certificate, key) = (directory.join("ca.crt"), directory.join("ca.key"));
        match (fs::read_to_string(&certificate), fs::read_to_string(&key)) {
            (Ok(certificate), Ok(key)) => Self::of(&certificate, &key),
            // Both, lest a key that is there be lost with everything that it has signed.
            (Err(error), Err(other)) if [error.kind(), other.kind()] == [io::ErrorKind::NotFound; 2] => {
                fs::create_dir_all(directory)?;
                let new = Self::create("a certificate authority for trying out")?;
                replace(&key, new.issuer.key().serialize_pem().as_bytes(), 0o600)?;
                replace(&certificate, new.certificate.as_bytes(), 0o644)?;
                Ok(new)
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// The authority's certificate in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate, for both sides of a connection if the leaf serves.
    ///
    /// # Errors
    /// A host that is neither a name nor an address.
    pub fn issue(&self, leaf: &Leaf) -> io::Result<Issued> {
        let mut params = params(&leaf.name, leaf.hosts.clone(), leaf.from, leaf.until)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if leaf.serves {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Writes a leaf as a program's directory: `ca.crt`, `tls.crt`, `tls.key`, and `keystore.pem` with key and certificate for
    /// Kafka's broker. Each file is replaced as a whole.
    ///
    /// # Errors
    /// If the directory cannot be written.
    pub fn write(&self, leaf: &Leaf, directory: &Path) -> io::Result<()> {
        let Issued { certificate, key } = self.issue(leaf)?;
        fs::create_dir_all(directory)?;
        replace(&directory.join("ca.crt"), self.certificate.as_bytes(), 0o644)?;
        replace(&directory.join("tls.key"), key.as_bytes(), 0o600)?;
        replace(&directory.join("tls.crt"), certificate.as_bytes(), 0o644)?;
        replace(&directory.join("keystore.pem"), format!("{key}{certificate}").as_bytes(), 0o600)
    }
}

fn params(name: &str, hosts: Vec<String>, from: SystemTime, until: SystemTime) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(hosts).map_err(io::Error::other)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = from.into();
    params.not_after = until.into();
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Replaces a file at once: nobody reads half of it, and the key is never readable by others.
fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let new = path.with_extension("new");
    if let Err(error) = fs::remove_file(&new)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)
}
