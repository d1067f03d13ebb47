//! The manifest of a system: its programs, their databases and, derived from the names, their topics. The shop's is `shop.toml`;
//! a file of the same form adds services that this program was not compiled with.

mod database;
mod program;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
};

use anyhow::{Context, bail, ensure};
use events::{
    Publisher,
    publisher::{self, check_name, topic_of_aggregate},
};
use serde::Deserialize;

pub use database::Database;
pub use program::{Program, Role};

/// Variable that names a manifest of services beside the shop's.
pub const SYSTEM_MANIFEST: &str = "SYSTEM_MANIFEST";

/// Longest database name that PostgreSQL accepts, in bytes.
const LONGEST_DATABASE: usize = 63;
/// Variables that the runner sets itself.
const WIRING: [&str; 6] =
    ["KAFKA_BROKERS", "KAFKA_PARTITIONS", "KAFKA_INSTANCE_ID", "DATABASE_URL", "HTTP_ADDR", "RELAY_PUBLISHERS"];

/// The programs of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    entries: Vec<Entry>,
    /// The file that was added to the shop's manifest.
    file: Option<PathBuf>,
}

/// A program, and what it is given at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub program: Program,
    /// None if it is in the runner's directory.
    pub binary: Option<PathBuf>,
    /// Topics on which clients send it requests.
    pub requests: Vec<String>,
    /// Settings of the system that it is given.
    pub needs: Vec<String>,
    /// Additional environment variables.
    pub environment: BTreeMap<String, String>,
}

impl Manifest {
    /// The shop's manifest.
    pub fn of_the_shop() -> Self {
        static SHOP: LazyLock<Manifest> = LazyLock::new(|| {
            let mut shop = Manifest { entries: Vec::new(), file: None };
            // Covered by a test.
            shop.add(include_str!("shop.toml"), Path::new(".")).expect("the shop's manifest is sound");
            shop
        });
        SHOP.clone()
    }

    /// The shop's manifest, extended by the file.
    ///
    /// # Errors
    /// If the file cannot be read, or its content is invalid; the error says what to change.
    pub fn with_file(file: &Path) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Self> {
            let text = std::fs::read_to_string(file)?;
            let file = file.canonicalize()?;
            let mut manifest = Self::of_the_shop();
            manifest.add(&text, file.parent().unwrap_or(Path::new(".")))?;
            Ok(Manifest { file: Some(file), ..manifest })
        };
        read().with_context(|| format!("the manifest {}", file.display()))
    }

    /// The file that was added to the shop's manifest, if any.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    fn add(&mut self, text: &str, folder: &Path) -> anyhow::Result<()> {
        let written: Written = toml::from_str(text)?;
        ensure!(!written.programs.is_empty(), "names no program: begin with [[programs]]");
        for program in written.programs {
            let name = program.name.clone();
            let entry = self.entry(program, folder).with_context(|| format!("the program `{name}`"))?;
            self.entries.push(entry);
        }
        Ok(())
    }

    fn entry(&self, written: WrittenProgram, folder: &Path) -> anyhow::Result<Entry> {
        let WrittenProgram { name, database, requests, role, binary, needs, environment } = written;
        self::publisher(&name).map_err(anyhow::Error::msg)?;
        // `a-b` and `a_b` would share their variables.
        let is_same = |other: Program| other.name().replace('-', "_") == name.replace('-', "_");
        ensure!(!self.programs().any(is_same), "is there twice: give each program a name of its own");
        ensure!(name != publisher::CLIENT.name(), "has the name of those who are no service: choose another");
        let role = match (role, database) {
            (WrittenRole::Service, Some(database)) => Role::Service(self.database(&name, database)?),
            (WrittenRole::Service, None) => bail!("has no database: say `database = \"…\"`, or another role"),
            (_, Some(_)) => bail!("has a database, which only services have: leave it out"),
            (WrittenRole::Outside, None) => Role::Outside,
            (WrittenRole::Relay, None) => Role::Relay,
        };
        let relay = self.programs().find(|program| role == Role::Relay && program.role() == Role::Relay);
        if let Some(relay) = relay {
            bail!("is a second relay: `{relay}` serves the databases of all");
        }
        if let Some(name) = environment.keys().find(|name| WIRING.contains(&name.as_str())) {
            bail!("sets {name}, which the runner sets: leave it out");
        }
        for topic in &requests {
            let clients = Publisher::of_requests(publisher::CLIENT.name(), kept(topic), "Request");
            clients.check().map_err(|error| anyhow::anyhow!("takes requests: {error}, such as `{name}.requests`"))?;
        }
        let program = Program::new(self.entries.len(), kept(&name), role);
        Ok(Entry { program, binary: binary.map(|binary| folder.join(binary)), requests, needs, environment })
    }

    fn database(&self, publisher: &str, name: String) -> anyhow::Result<Database> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        ensure!(
            begins && name.len() <= LONGEST_DATABASE && name.bytes().all(is_word),
            "has the database `{}`: choose a letter and up to {} more of a-z, 0-9 and `_`",
            name.escape_debug(),
            LONGEST_DATABASE - 1
        );
        let is_reserved = ["postgres", "public", "none"].contains(&name.as_str())
            || ["template", "pg_"].iter().any(|prefix| name.starts_with(prefix));
        ensure!(!is_reserved, "has the database `{name}`, which is the server's: choose another name");
        if let Some(other) = self.services().find(|(_, database)| database.name() == name) {
            bail!("has the database `{name}`, which is {}'s: no service opens another's", other.0);
        }
        let publisher = self::publisher(publisher).map_err(anyhow::Error::msg)?;
        Ok(Database::new(self.databases().count(), kept(&name), publisher))
    }

    /// All entries, in the order in which they are written down.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All programs.
    pub fn programs(&self) -> impl Iterator<Item = Program> {
        self.entries.iter().map(|entry| entry.program)
    }

    /// The program of this name.
    pub fn program(&self, name: &str) -> Option<Program> {
        self.programs().find(|program| program.name() == name)
    }

    fn services(&self) -> impl Iterator<Item = (Program, Database)> {
        self.programs().filter_map(|program| Some((program, program.database()?)))
    }

    /// All databases.
    pub fn databases(&self) -> impl Iterator<Item = Database> {
        self.services().map(|(_, database)| database)
    }

    /// The databases that a program opens: its own, or all of them for the relay.
    pub fn databases_of(&self, program: Program) -> Vec<Database> {
        match program.role() {
            Role::Service(database) => vec![database],
            Role::Outside => Vec::new(),
            Role::Relay => self.databases().collect(),
        }
    }

    /// The topics of all services, and the topics of requests.
    pub fn topics(&self) -> Vec<&str> {
        let requests = self.entries.iter().flat_map(|entry| entry.requests.iter().map(String::as_str));
        let mut topics: Vec<&str> = Vec::new();
        for topic in requests.chain(self.databases().map(|database| database.publisher().topic())) {
            // Several services may take requests on one topic.
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        topics
    }

    /// The databases of services that this program was not compiled with.
    pub fn further_databases(&self) -> impl Iterator<Item = Database> {
        self.databases().filter(|database| !database.is_of_the_shop())
    }

    /// The databases with their publishers, in the form of the relay's setting.
    pub fn publishers(&self) -> String {
        let bindings = self.databases().map(|database| format!("{database}={}", database.publisher()));
        bindings.collect::<Vec<_>>().join(",")
    }
}

/// The publisher of this name.
///
/// # Errors
/// If no topic can be named after it; the error says what to choose instead.
pub(crate) fn publisher(name: &str) -> Result<Publisher, String> {
    check_name(name)?;
    Ok(Publisher::of_events(kept(name), kept(&topic_of_aggregate(name))))
}

/// Interns the text for the life of the process. Names come from manifests, so there are few.
fn kept(text: &str) -> &'static str {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(text) {
        return known;
    }
    let new: &'static str = text.to_owned().leak();
    all.insert(new);
    new
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    programs: Vec<WrittenProgram>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenProgram {
    name: String,
    database: Option<String>,
    #[serde(default)]
    requests: Vec<String>,
    #[serde(default)]
    role: WrittenRole,
    binary: Option<PathBuf>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenRole {
    #[default]
    Service,
    Outside,
    Relay,
}

#[cfg(test)]
mod tests;
