//! A program's certificates, as files that are replaced while it runs.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use rustls::{RootCertStore, crypto::CryptoProvider, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::settings::Refused;

/// Certificates of the authorities that are trusted, the program's own with its chain, and its private key. The names are those
/// of a Kubernetes secret of type `tls`.
const FILES: [&str; 3] = ["ca.crt", "tls.crt", "tls.key"];

/// Interval at which the files are looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The certificates of a directory, as they are now. Cheap to clone.
///
/// Nothing runs in the background: whoever needs them looks at the files, at most once a second. Files that do not belong
/// together, because somebody is replacing them, are left until they do.
#[derive(Debug, Clone)]
pub struct Identity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    current: ArcSwap<Certificates>,
    looked: Mutex<Looked>,
    versions: AtomicU64,
}

#[derive(Debug)]
struct Looked {
    at: Instant,
    state: Vec<FileState>,
    /// The last complaint, so that it is not repeated with every look.
    complaint: Option<String>,
}

/// What changes when a file is replaced or rewritten.
type FileState = Option<(u64, u64, i64, i64)>;

/// Certificates that belong together.
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "checked here, used by HTTP alone"))]
pub struct Certificates {
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) own: Arc<CertifiedKey>,
    files: [Vec<u8>; 3],
    name: String,
    not_after: SystemTime,
    version: u64,
}

/// The files' content, for libraries that read PEM themselves.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    /// Certificates of the trusted authorities.
    pub authorities: &'a [u8],
    /// The program's certificate and its chain.
    pub chain: &'a [u8],
    /// Its private key.
    pub key: &'a [u8],
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({}, version {})", self.name, self.version)
    }
}

impl Certificates {
    /// The files' content.
    pub fn pem(&self) -> Pem<'_> {
        let [authorities, chain, key] = &self.files;
        Pem { authorities, chain, key }
    }

    /// The program's name: the common name of its certificate.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its certificate in DER, without the chain.
    pub fn leaf(&self) -> &[u8] {
        self.own.cert.first().map_or(&[], |leaf| leaf.as_ref())
    }

    /// End of its certificate's validity.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Number of this set of files; another set has another.
    pub fn version(&self) -> u64 {
        self.version
    }
}

impl Identity {
    /// Reads the files of a directory.
    ///
    /// # Errors
    /// If one is missing, malformed or expired, if they do not belong together, or if others can read the key.
    pub fn open(directory: &Path) -> Result<Self, Refused> {
        let state = state_of(directory);
        let first = read(directory, 1)?;
        let looked = Looked { at: Instant::now(), state, complaint: None };
        Ok(Identity(Arc::new(Inner {
            directory: directory.to_owned(),
            current: ArcSwap::from_pointee(first),
            looked: Mutex::new(looked),
            versions: AtomicU64::new(1),
        })))
    }

    /// The certificates as the files are now, or as they were when they last belonged together.
    pub fn current(&self) -> Arc<Certificates> {
        let inner = &*self.0;
        // Somebody else is looking: what was current a moment ago will do.
        if let Ok(mut looked) = inner.looked.try_lock()
            && looked.at.elapsed() >= LOOK_EVERY
        {
            self.look(&mut looked);
        }
        inner.current.load_full()
    }

    /// Looks at the files now.
    pub fn refresh(&self) -> Arc<Certificates> {
        self.look(&mut self.0.looked.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.current.load_full()
    }

    fn look(&self, looked: &mut Looked) {
        let inner = &*self.0;
        looked.at = Instant::now();
        let state = state_of(&inner.directory);
        if state == looked.state {
            return;
        }
        let version = inner.versions.load(Ordering::Relaxed) + 1;
        match read(&inner.directory, version) {
            Ok(new) => {
                tracing::info!(name = new.name, "new certificates taken up");
                inner.versions.store(version, Ordering::Relaxed);
                inner.current.store(Arc::new(new));
                (looked.state, looked.complaint) = (state, None);
            }
            // The state is not noted: the next look tries again.
            Err(refused) if looked.complaint.as_ref() != Some(&refused.0) => {
                tracing::warn!(error = %refused, "the new certificates are not usable; keeping the former ones");
                looked.complaint = Some(refused.0);
            }
            Err(_) => {}
        }
    }

    /// Path of the certificates of the trusted authorities.
    pub fn ca_file(&self) -> PathBuf {
        self.0.directory.join(FILES[0])
    }

    /// Path of the program's certificate with its chain.
    pub fn certificate_file(&self) -> PathBuf {
        self.0.directory.join(FILES[1])
    }

    /// Path of the private key.
    pub fn key_file(&self) -> PathBuf {
        self.0.directory.join(FILES[2])
    }
}

fn state_of(directory: &Path) -> Vec<FileState> {
    let state = |name: &&str| {
        let metadata = fs::metadata(directory.join(name)).ok()?;
        Some((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
    };
    FILES.iter().map(state).collect()
}

fn read(directory: &Path, version: u64) -> Result<Certificates, Refused> {
    let path = |place: usize| directory.join(FILES[place]);
    let refused = |place: usize, why: String| Refused(format!("TLS_DIR: {} {why}", path(place).display()));
    private(&path(2)).map_err(|why| refused(2, why))?;
    let mut files: [Vec<u8>; 3] = Default::default();
    for (place, file) in files.iter_mut().enumerate() {
        *file = fs::read(path(place)).map_err(|error| refused(place, format!("cannot be read: {error}")))?;
    }
    let authorities = certificates(&files[0]).map_err(|why| refused(0, why))?;
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots
            .add(authority)
            .map_err(|error| refused(0, format!("holds a certificate that is no authority's: {error}")))?;
    }
    let chain = certificates(&files[1]).map_err(|why| refused(1, why))?;
    let (name, not_after) = leaf(&chain).map_err(|why| refused(1, why))?;
    if not_after <= SystemTime::now() {
        return Err(refused(1, "has expired: replace it with a new one".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(&files[2]);
    let key = key.map_err(|error| refused(2, format!("is no private key in PEM: {error}")))?;
    let own = CertifiedKey::from_der(chain, key, &provider());
    let own = own.map_err(|error| refused(2, format!("does not belong to {}: {error}", FILES[1])))?;
    Ok(Certificates { roots: Arc::new(roots), own: Arc::new(own), files, name, not_after, version })
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let all = all.map_err(|error| format!("is not in PEM: {error}"))?;
    if all.is_empty() { Err("holds no certificate in PEM".to_owned()) } else { Ok(all) }
}

/// Common name and end of validity of the chain's first certificate.
fn leaf(chain: &[CertificateDer<'_>]) -> Result<(String, SystemTime), String> {
    let first = chain.first().ok_or("holds no certificate")?;
    let (_, leaf) = X509Certificate::from_der(first).map_err(|error| format!("is malformed: {error}"))?;
    let name = common_name(&leaf).ok_or("has no common name, which is the program's name: make it with CN=…")?;
    let seconds = u64::try_from(leaf.validity().not_after.timestamp()).unwrap_or(0);
    Ok((name, UNIX_EPOCH + Duration::from_secs(seconds)))
}

/// The certificate's only common name. A certificate with several is nobody's: programs differ in which one counts.
pub(crate) fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?;
    (names.next().is_none() && !name.is_empty()).then(|| name.to_owned())
}

/// Refuses a key that others can read, by PostgreSQL's rule: only the owner, or also the group if the owner is root.
fn private(path: &Path) -> Result<(), String> {
    let metadata = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    let allowed = if metadata.uid() == 0 { 0o750 } else { 0o700 };
    let mode = metadata.mode() & 0o777;
    if mode & !allowed == 0 {
        return Ok(());
    }
    Err(format!("can be read by others (mode {mode:o}): chmod 600 {}", path.display()))
}

/// The content of a file that nobody else may read, the value of `setting`, without the white space around it.
///
/// # Errors
/// If it cannot be read, or if others can read it.
pub fn secret(setting: &str, path: &Path) -> Result<String, Refused> {
    let refused = |why: String| Refused(format!("{setting}: {} {why}", path.display()));
    private(path).map_err(refused)?;
    let text = fs::read_to_string(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    Ok(text.trim().to_owned())
}

/// The only provider of cryptography for TLS.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
