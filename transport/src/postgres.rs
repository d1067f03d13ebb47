//! Sessions of PostgreSQL.

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::{Transport, settings::Refused};

/// Form of a URL, which errors show instead of the URL itself: there may be a password in it.
const FORM: &str = "postgres://user:password@host:port/database";

impl Transport {
    /// Options of a session at this URL, the value of `setting`. The certificates' files are read anew for every session.
    ///
    /// # Errors
    /// A malformed URL, or one that allows less than required. The text repeats no password.
    pub fn postgres(&self, setting: &str, url: &str) -> Result<PgConnectOptions, Refused> {
        let malformed = || Refused(format!("{setting}: the database's URL is not of the form {FORM}"));
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(malformed());
        }
        let options: PgConnectOptions = url.parse().map_err(|_| malformed())?;
        if !self.is_required() {
            return Ok(self.present(options));
        }
        if !matches!(options.get_ssl_mode(), PgSslMode::VerifyFull) {
            return Err(Refused(format!(
                "{setting} allows connections that are not verified, and SECURITY=required: add `?sslmode=verify-full` to it"
            )));
        }
        // A socket file has no TLS, whatever the mode says.
        if options.get_socket().is_some() || options.get_host().starts_with('/') {
            return Err(Refused(format!(
                "{setting} names a socket file, which has no TLS, and SECURITY=required: name a host"
            )));
        }
        Ok(self.present(options))
    }

    /// The options, with the certificates that the program shows and trusts.
    pub fn present(&self, options: PgConnectOptions) -> PgConnectOptions {
        let Some(identity) = self.identity() else { return options };
        let options = options.ssl_root_cert(identity.ca_file());
        options.ssl_client_cert(identity.certificate_file()).ssl_client_key(identity.key_file())
    }
}
