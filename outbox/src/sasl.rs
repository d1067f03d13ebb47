//! Credentials for a broker that authenticates by password (SCRAM), for those who have no client certificates.

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rdkafka::ClientConfig;

/// Stands for the name of a database, in the settings of a program that serves several and is another principal for each.
const DATABASE: &str = "@database";
/// The only mechanism: the broker stores no password, and the wire carries none.
pub const MECHANISM: &str = "SCRAM-SHA-512";

/// User name and password. Without them, a client does not authenticate, or does so by its certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct Sasl {
    /// User name for a broker that authenticates by password (SCRAM-SHA-512). `@database` stands for the name of the database,
    /// in the relay.
    #[cfg_attr(
        feature = "clap",
        arg(long, env = "KAFKA_SASL_USERNAME", hide_env_values = true, requires = "kafka_sasl_password_file")
    )]
    pub kafka_sasl_username: Option<String>,
    /// File with the password, which others may not read. `@database` stands for the name of the database, in the relay.
    #[cfg_attr(feature = "clap", arg(long, env = "KAFKA_SASL_PASSWORD_FILE", hide_env_values = true, requires = "kafka_sasl_username", value_parser = Password::named))]
    pub kafka_sasl_password_file: Option<Password>,
}

/// A password and the file that it comes from.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    file: PathBuf,
    /// None while the file's name depends on a database.
    text: Option<String>,
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Password in {}", self.file.display())
    }
}

impl Password {
    fn named(file: &str) -> Result<Self, String> {
        if file.contains(DATABASE) {
            return Ok(Password { file: file.into(), text: None });
        }
        Self::read(Path::new(file))
    }

    /// Reads the first line of a file.
    ///
    /// # Errors
    /// If it cannot be read, is empty, or others may read it.
    pub fn read(file: &Path) -> Result<Self, String> {
        let name = file.display();
        let failed = |error| format!("{name}: {error}");
        let mode = fs::metadata(file).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(format!("{name} can be read by others (mode {:03o}): chmod 600 {name}", mode & 0o777));
        }
        let text = fs::read_to_string(file).map_err(failed)?;
        let text = text.lines().next().unwrap_or_default().to_owned();
        if text.is_empty() {
            return Err(format!("{name} is empty: its first line has to be the password"));
        }
        Ok(Password { file: file.to_owned(), text: Some(text) })
    }

    /// The password, unless the file's name depends on a database.
    pub fn reveal(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

impl Sasl {
    /// The credentials that variables name: `KAFKA_SASL_USERNAME` and `KAFKA_SASL_PASSWORD_FILE`.
    ///
    /// # Errors
    /// If only one is set, or the file cannot be used.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        match (variable("KAFKA_SASL_USERNAME"), variable("KAFKA_SASL_PASSWORD_FILE")) {
            (None, None) => Ok(Sasl::default()),
            (Some(name), Some(file)) => Ok(Sasl::new(name, Password::named(&file)?)),
            _ => Err("KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD_FILE belong together: set both or none".to_owned()),
        }
    }

    /// The credentials in the environment of this process.
    ///
    /// # Errors
    /// As [`from_variables`](Self::from_variables).
    pub fn of_process() -> Result<Self, String> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// These credentials.
    pub fn new(username: impl Into<String>, password: Password) -> Self {
        Sasl { kafka_sasl_username: Some(username.into()), kafka_sasl_password_file: Some(password) }
    }

    /// The credentials for one database.
    ///
    /// # Errors
    /// If the file for this database cannot be used.
    pub fn of_database(&self, database: &str) -> Result<Self, String> {
        let username = self.kafka_sasl_username.as_ref().map(|name| name.replace(DATABASE, database));
        let file = self.kafka_sasl_password_file.as_ref().map(|password| password.file.display().to_string());
        let password = file.map(|file| Password::named(&file.replace(DATABASE, database))).transpose()?;
        Ok(Sasl { kafka_sasl_username: username, kafka_sasl_password_file: password })
    }

    /// User name and password, if there are any.
    pub fn pair(&self) -> Option<(&str, &str)> {
        self.kafka_sasl_username.as_deref().zip(self.kafka_sasl_password_file.as_ref()?.reveal())
    }

    /// Adds the credentials to a client's settings; encryption remains as it is.
    pub fn apply(&self, client: &mut ClientConfig) {
        let Some((username, password)) = self.pair() else { return };
        let protocol = if client.get("security.protocol") == Some("ssl") { "sasl_ssl" } else { "sasl_plaintext" };
        client
            .set("security.protocol", protocol)
            .set("sasl.mechanisms", MECHANISM)
            .set("sasl.username", username)
            .set("sasl.password", password);
    }
}

#[cfg(test)]
mod tests {
    use transport::Transport;

    use super::*;

    /// A file of its own for each test, removed by the test.
    fn file(name: &str, text: &str, mode: u32) -> PathBuf {
        let file = std::env::temp_dir().join(format!("{}-{name}", uuid::Uuid::new_v4()));
        fs::write(&file, text).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("permissions");
        file
    }

    #[test]
    fn a_password_that_others_may_read_is_refused() {
        for (mode, text, is_good) in [(0o600, "s3cret\n", true), (0o640, "s3cret\n", false), (0o600, "\n", false)] {
            let file = file("password", text, mode);
            let read = Password::read(&file);
            fs::remove_file(&file).expect("removed");
            assert_eq!(read.is_ok(), is_good, "{mode:o} {text:?}");
            assert!(!format!("{read:?}").contains("s3cret"));
        }
    }

    #[test]
    fn credentials_are_added_to_the_encryption_that_is_there() {
        let file = file("orders", "s3cret\n", 0o600);
        let pattern = file.display().to_string().replace("orders", DATABASE);
        let variable =
            |name: &str| Some(if name.ends_with("USERNAME") { "relay-@database" } else { &pattern }.to_owned());
        let sasl = Sasl::from_variables(variable).expect("both are set");
        assert_eq!(sasl.pair(), None, "which database is unknown");
        let sasl = sasl.of_database("orders").expect("the file of orders");
        assert!(sasl.of_database("accounts").is_ok(), "nothing is left to replace");
        fs::remove_file(&file).expect("removed");
        assert_eq!(sasl.pair(), Some(("relay-orders", "s3cret")));
        for (before, after) in [(None, "sasl_plaintext"), (Some("ssl"), "sasl_ssl")] {
            let mut client = Transport::plain().kafka("nowhere:1");
            before.map(|before| client.set("security.protocol", before));
            sasl.apply(&mut client);
            assert_eq!(client.get("security.protocol"), Some(after));
        }
        let one = |name: &str| (name == "KAFKA_SASL_USERNAME").then(|| "order".to_owned());
        assert!(Sasl::from_variables(one).expect_err("no password").contains("belong together"));
    }
}
