//! Sessions of PostgreSQL.

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::{Transport, settings::Refused};

/// Form of a URL, which errors show instead of the URL itself: there may be a password in it.
const FORM: &str = "postgres://user:password@host:port/database";

/// Parameters of a URL that the library reads.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// The first parameter that the library does not know: letters, digits, `_` and `-` of its name alone.
fn unknown_parameter(url: &str) -> Option<String> {
    let (_, parameters) = url.split_once('?')?;
    let parameters = parameters.split('#').next().unwrap_or_default();
    let mut names = parameters.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    let unknown = names.find(|name| {
        !name.is_empty()
            && !PARAMETERS.contains(name)
            && !name.starts_with("options[")
            && !name.starts_with("options%5B")
    })?;
    Some(unknown.chars().filter(|one| one.is_ascii_alphanumeric() || "_-".contains(*one)).collect())
}

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
        // A `?` in a password has to be escaped: what follows it is the rest of the password, and no parameters.
        if url.split_once('?').is_some_and(|(before, behind)| !before.contains('@') && behind.contains('@')) {
            return Err(malformed());
        }
        // The library would log it, with its value: a mistyped password.
        if let Some(unknown) = unknown_parameter(url) {
            return Err(Refused(format!("{setting}: the URL has the unknown parameter `{unknown}`")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_parameter_is_refused_by_its_name_alone() {
        let open = |url: &str| Transport::plain().postgres("DATABASE_URL", url).err().map(|error| error.to_string());
        for bad in ["postgres://h/d?pasword=s3cret", "postgres://h/d?sslmode=disable&sslpassword=s3cret"] {
            let error = open(bad).expect("refused");
            assert!(error.contains("DATABASE_URL") && error.contains("sword`") && !error.contains("s3cret"), "{error}");
        }
        for bad in ["postgres://u:pass?s3cret@h/d", "postgres://u:pass?s3cret=x@h/d?sslmode=disable"] {
            let error = open(bad).expect("refused");
            assert!(error.contains("DATABASE_URL") && !error.contains("s3cret"), "{error}");
        }
        for good in [
            "postgres://h/d",
            "postgres://h/d?sslmode=disable&options[statement_timeout]=1",
            "postgres://h/d?application_name=a",
        ] {
            assert_eq!(open(good), None, "{good}");
        }
    }
}
