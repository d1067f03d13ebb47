//! The switch, and the directory of certificates.

use std::path::PathBuf;

use crate::{Transport, identity::Identity};

/// The switch between a demo and real use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Security {
    /// Everything is possible, encrypted or not.
    #[default]
    Off,
    /// TLS 1.3 with certificates on both sides of every link; settings that allow less are refused.
    Required,
}

/// A setting that allows too little, or files that are of no use. The text says which, and what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub(crate) String);

/// Settings of a program's links.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(id = "transport"))]
pub struct Settings {
    /// `required` refuses to start on any link without TLS 1.3 and certificates on both sides, on example keys and on key files
    /// that others can read; `off` is for trying out on one machine.
    #[cfg_attr(
        feature = "clap",
        arg(long, env = "SECURITY", hide_env_values = true, value_enum, default_value_t, value_name = "off|required")
    )]
    pub security: Security,
    /// Directory with the certificates: ca.crt, tls.crt and tls.key in PEM. They are read again when they change.
    #[cfg_attr(feature = "clap", arg(long, env = "TLS_DIR", hide_env_values = true, value_name = "DIRECTORY"))]
    pub tls_dir: Option<PathBuf>,
}

impl Settings {
    /// From variables such as the process's environment, for programs without a command line of their own.
    ///
    /// # Errors
    /// A word other than `off` and `required`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Refused> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let security = match variable("SECURITY").as_deref() {
            None | Some("off") => Security::Off,
            Some("required") => Security::Required,
            // Anything else may have been meant as `required`.
            Some(other) => return Err(Refused(format!("SECURITY is `{other}`: set it to `required` or to `off`"))),
        };
        Ok(Settings { security, tls_dir: variable("TLS_DIR").map(PathBuf::from) })
    }

    /// Reads the certificates.
    ///
    /// # Errors
    /// If security is required and there is no directory, or if its files are missing, do not belong together, have expired, or
    /// can be read by others.
    pub fn open(&self) -> Result<Transport, Refused> {
        let identity = match &self.tls_dir {
            Some(directory) if !directory.as_os_str().is_empty() => Some(Identity::open(directory)?),
            _ if self.security == Security::Required => {
                return Err(Refused(
                    "SECURITY=required needs TLS_DIR, a directory with ca.crt, tls.crt and tls.key; `scenarios certs` makes \
                     some for trying out"
                        .to_owned(),
                ));
            }
            _ => None,
        };
        Ok(Transport { security: self.security, identity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_words_are_known() {
        let read = |word: &'static str| Settings::from_variables(|name| (name == "SECURITY").then(|| word.to_owned()));
        assert_eq!(read("required").expect("known").security, Security::Required);
        assert_eq!(read("off").expect("known").security, Security::Off);
        assert_eq!(read("").expect("unset").security, Security::Off);
        for meant in ["Required", "on", "true", "1", " required"] {
            assert!(read(meant).expect_err(meant).to_string().contains("`required` or to `off`"));
        }
    }

    #[test]
    fn required_without_certificates_is_refused_with_the_setting_to_change() {
        for tls_dir in [None, Some(PathBuf::new())] {
            let error = Settings { security: Security::Required, tls_dir }.open().expect_err("refused");
            assert!(error.to_string().contains("TLS_DIR"), "{error}");
        }
        assert!(Settings::default().open().expect("plain").identity().is_none());
    }
}
