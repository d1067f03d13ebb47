//! The users of a broker that asks for a name: each with a password of its own.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use saga::outbox::sasl::{Password, Sasl};

/// The broker itself: the super user, which grants the first rights.
pub const BROKER: &str = "broker";
/// Name at the controller's listener. It has no password at the others.
pub(super) const CONTROLLER: &str = "controller";

/// Users of a guarded broker, and a directory with a file for each one's password. Whatever no rule allows is denied.
#[derive(Debug, Clone)]
pub struct Guard {
    directory: PathBuf,
    passwords: BTreeMap<String, String>,
    controller: String,
}

impl Guard {
    /// Invents a password for each user and for the broker itself, and writes them to files that only we can read.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn new<'a>(directory: &Path, users: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Self> {
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
        let users = users.into_iter().chain([BROKER]);
        let passwords: BTreeMap<String, String> = users.map(|user| (user.to_owned(), invented())).collect();
        let guard = Guard { directory: directory.to_owned(), passwords, controller: invented() };
        for (user, password) in &guard.passwords {
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(guard.file(user));
            file.and_then(|mut file| writeln!(file, "{password}"))
                .with_context(|| format!("the password of {user}"))?;
        }
        Ok(guard)
    }

    /// The file with a user's password.
    pub fn file(&self, user: &str) -> PathBuf {
        self.directory.join(user)
    }

    /// The credentials of a user.
    ///
    /// # Errors
    /// If there is no such user.
    pub fn sasl(&self, user: &str) -> anyhow::Result<Sasl> {
        Ok(Sasl::new(user, Password::read(&self.file(user)).map_err(anyhow::Error::msg)?))
    }

    /// Arguments for Kafka's storage tool: the users have their passwords before the broker starts.
    pub(super) fn users(&self) -> Vec<String> {
        let user = |(name, password): (&String, &String)| {
            ["--add-scram".to_owned(), format!("SCRAM-SHA-512=[name={name},password={password}]")]
        };
        self.passwords.iter().flat_map(user).collect()
    }

    /// What `server.properties` holds: everybody authenticates, the controller's only client included.
    pub(super) fn properties(&self, listeners: &[String]) -> String {
        let login = |module: &str, name: &str, password: &str, rest: &str| {
            format!(
                "org.apache.kafka.common.security.{module} required username=\"{name}\" password=\"{password}\"{rest};"
            )
        };
        let scram = login("scram.ScramLoginModule", BROKER, self.passwords.get(BROKER).map_or("", String::as_str), "");
        let known = format!(" user_{CONTROLLER}=\"{}\"", self.controller);
        let plain = login("plain.PlainLoginModule", CONTROLLER, &self.controller, &known);
        let clients = listeners.iter().map(|listener| {
            let name = format!("listener.name.{}", listener.to_lowercase());
            format!("{name}.sasl.enabled.mechanisms=SCRAM-SHA-512\n{name}.scram-sha-512.sasl.jaas.config={scram}\n")
        });
        format!(
            "\
{clients}sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
# The controller knows no SCRAM before it has read its own log.
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={plain}
",
            clients = clients.collect::<String>()
        )
    }
}

/// Letters and digits, which need no escape anywhere.
fn invented() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
