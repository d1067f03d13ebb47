//! The operator: the person who acts, as far as it is known who that is.
//!
//! A certificate names its holder, and every server that accepts it has checked that he has its key. The name of the login
//! (`USER`) is only what somebody says: it is recorded as unverified, and not accepted where `SECURITY=required`.

use std::{fmt, fs, path::Path};

use anyhow::{Context, bail, ensure};
use x509_parser::pem::parse_x509_pem;

/// Directory with the certificate (`tls.crt`) with which this process reaches the servers.
const TLS_DIR: &str = "TLS_DIR";
const CERTIFICATE: &str = "tls.crt";
/// `required` where nothing unverified counts.
const SECURITY: &str = "SECURITY";
/// Longest name that is recorded.
const LONGEST_NAME: usize = 100;

/// How an operator's name is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// From the subject of the certificate.
    Certificate,
    /// From the subject of a token that has been verified.
    Token,
    /// The operator says so.
    Unverified,
}

/// A person who acts on a running system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    name: String,
    known: Known,
}

impl Operator {
    /// The operator who runs this process. `says` is the name that he gives himself.
    ///
    /// # Errors
    /// If the certificate names somebody else or cannot be read, or if nothing proves the name although that is required.
    pub fn of_process(says: Option<&str>) -> anyhow::Result<Self> {
        Self::from_variables(|name| std::env::var(name).ok(), says)
    }

    /// As [`of_process`](Self::of_process), with these variables.
    ///
    /// # Errors
    /// As [`of_process`](Self::of_process).
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>, says: Option<&str>) -> anyhow::Result<Self> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        if let Some(directory) = variable(TLS_DIR) {
            let file = Path::new(&directory).join(CERTIFICATE);
            let pem = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            let name = common_name(&pem).with_context(|| format!("the certificate {}", file.display()))?;
            ensure!(
                says.is_none_or(|says| says == name),
                "the certificate in {directory} names {name}: leave out --by, or use your own certificate"
            );
            return Self::named(name, Known::Certificate);
        }
        if variable(SECURITY).as_deref() == Some("required") {
            bail!(
                "nothing proves who you are, and SECURITY=required asks for it: set {TLS_DIR} to your certificate's directory"
            );
        }
        let login = variable("USER");
        let name = says.or(login.as_deref()).unwrap_or("unknown");
        Self::named(name.to_owned(), Known::Unverified)
    }

    /// The subject of a token whose signature, audience and expiry the caller has checked.
    ///
    /// # Errors
    /// If the subject is no name.
    pub fn of_token(subject: &str) -> anyhow::Result<Self> {
        Self::named(subject.to_owned(), Known::Token)
    }

    /// Somebody of whom nothing is known.
    pub(crate) fn unknown() -> Self {
        Operator { name: "unknown".to_owned(), known: Known::Unverified }
    }

    fn named(name: String, known: Known) -> anyhow::Result<Self> {
        let is_printable = name.chars().all(|character| !character.is_control());
        ensure!(
            !name.trim().is_empty() && name.len() <= LONGEST_NAME && is_printable,
            "an operator's name has 1 to {LONGEST_NAME} printable characters: {:?}",
            name.chars().take(LONGEST_NAME).collect::<String>()
        );
        Ok(Operator { name, known })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn known(&self) -> Known {
        self.known
    }

    /// The name for records of what was done.
    pub fn signature(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.known {
            Known::Certificate | Known::Token => Ok(()),
            Known::Unverified => f.write_str(" (unverified)"),
        }
    }
}

/// The common name of the first certificate in a PEM file.
///
/// # Errors
/// If there is none, or it has not exactly one name.
pub fn common_name(pem: &[u8]) -> anyhow::Result<String> {
    let (_, pem) = parse_x509_pem(pem).map_err(|error| anyhow::anyhow!("no PEM: {error}"))?;
    let certificate = pem.parse_x509().map_err(|error| anyhow::anyhow!("no certificate: {error}"))?;
    let names: Vec<_> = certificate.subject().iter_common_name().collect();
    ensure!(names.len() == 1, "has {} common names, not one", names.len());
    Ok(names[0].as_str().map_err(|error| anyhow::anyhow!("its common name is no text: {error}"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> tempfile::TempDir {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = parameters.self_signed(&key).expect("a certificate").pem();
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join(CERTIFICATE), pem).expect("written");
        directory
    }

    fn operator(variables: &[(&str, &str)], says: Option<&str>) -> anyhow::Result<Operator> {
        let variable =
            |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        Operator::from_variables(variable, says)
    }

    #[test]
    fn the_certificate_says_who_it_is_and_nothing_else_does() {
        let directory = certificate("anna");
        let own = (TLS_DIR, directory.path().to_str().expect("a path"));
        for variables in [&[own, ("USER", "eve")][..], &[own, (SECURITY, "required"), ("USER", "eve")]] {
            let anna = operator(variables, None).expect("a certificate");
            assert_eq!((anna.signature().as_str(), anna.known()), ("anna", Known::Certificate));
            assert!(operator(variables, Some("anna")).is_ok());
            assert!(operator(variables, Some("eve")).expect_err("another").to_string().contains("names anna"));
        }
        fs::write(directory.path().join(CERTIFICATE), "not a certificate").expect("written");
        assert!(operator(&[own], Some("anna")).is_err(), "an unreadable certificate is no reason to believe USER");
    }

    #[test]
    fn a_login_is_recorded_as_unverified_and_refused_where_proof_is_required() {
        assert_eq!(operator(&[("USER", "eve")], None).expect("a login").signature(), "eve (unverified)");
        assert_eq!(operator(&[("USER", "eve")], Some("anna")).expect("a name").signature(), "anna (unverified)");
        assert_eq!(operator(&[], None).expect("nobody").signature(), "unknown (unverified)");
        let refused = operator(&[("USER", "eve"), (SECURITY, "required")], Some("anna")).expect_err("no proof");
        assert!(refused.to_string().contains("TLS_DIR"), "{refused}");
        assert_eq!(Operator::of_token("anna").expect("a subject").signature(), "anna");
        for bad in ["", " ", "an\nna", "anna\u{1b}[2J"] {
            assert!(Operator::of_token(bad).is_err(), "{bad:?}");
        }
    }
}
