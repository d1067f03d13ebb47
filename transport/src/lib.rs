//! How programs reach one another: PostgreSQL, Kafka, HTTP and mail, each client and server made in one place.
//!
//! A [`Transport`] is made once at the start from [`Settings`]. With a directory of certificates it speaks TLS 1.3 and shows its
//! own certificate on every link. With `SECURITY=required` it refuses every setting that would say less. Certificates are
//! short-lived: the files are read again when they change, by every handshake that follows ([`Identity`]).
//!
//! ```no_run
//! use transport::{Security, Settings};
//!
//! let settings = Settings { security: Security::Required, tls_dir: Some("/run/tls".into()) };
//! let transport = settings.open()?;
//! // An error that says what to change: the URL has no `sslmode=verify-full`.
//! assert!(transport.postgres("DATABASE_URL", "postgres://orders@db/orders").is_err());
//! # Ok::<(), transport::Refused>(())
//! ```

#[cfg(feature = "authority")]
pub mod authority;
#[cfg(feature = "http")]
mod dial;
mod identity;
mod kafka;
#[cfg(feature = "http")]
mod links;
mod postgres;
mod settings;
#[cfg(feature = "http")]
mod tls;

pub use identity::{Certificates, Identity, Pem, secret};
pub use settings::{Refused, Security, Settings};
#[cfg(feature = "http")]
pub use tls::{Acceptor, Peer};

/// The way to reach others, and to be reached. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Transport {
    security: Security,
    identity: Option<Identity>,
}

impl Transport {
    /// Neither encrypted nor authenticated: for trying out on one machine.
    pub fn plain() -> Self {
        Self::default()
    }

    /// Returns whether anything less than TLS 1.3 with certificates on both sides is refused.
    pub fn is_required(&self) -> bool {
        self.security == Security::Required
    }

    /// The program's own certificates, if it has some.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Name of the program by its certificate.
    pub fn name(&self) -> Option<String> {
        self.identity.as_ref().map(|identity| identity.current().name().to_owned())
    }

    /// Number that changes whenever the certificates do. Long-lived clients that cannot follow by themselves (Kafka's) are
    /// replaced when it does.
    pub fn version(&self) -> u64 {
        self.identity.as_ref().map_or(0, |identity| identity.current().version())
    }
}
