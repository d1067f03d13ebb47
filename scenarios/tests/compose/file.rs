//! `docker-compose.yml` with the variables of `.env.example` substituted.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;

/// A file of the repository, by its path from the root.
pub(crate) fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[derive(Debug, Deserialize)]
pub(crate) struct ComposeFile {
    pub(crate) services: BTreeMap<String, Service>,
}

/// The parts of a service that the tests examine.
#[derive(Debug, Deserialize)]
pub(crate) struct Service {
    pub(crate) image: String,
    pub(crate) build: Option<Build>,
    pub(crate) command: Option<Words>,
    /// Without a value: passed on if it is set where the containers are started.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(crate) ports: Vec<String>,
    #[serde(default)]
    pub(crate) depends_on: BTreeMap<String, Dependency>,
    pub(crate) healthcheck: Option<HealthCheck>,
    pub(crate) container_name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Build {
    pub(crate) args: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Words {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) condition: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct HealthCheck {
    #[serde(default)]
    pub(crate) test: Vec<String>,
}

/// The file as `docker compose` sees it after `cp .env.example .env`.
pub(crate) fn compose() -> ComposeFile {
    let text = interpolate(&read("docker-compose.yml"), &given());
    serde_saphyr::from_str(&text).expect("docker-compose.yml can be parsed")
}

/// What `.env.example` sets.
pub(crate) fn given() -> BTreeMap<String, String> {
    let text = read(".env.example");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The variables in the text, each with what follows its name: `:-default` or `:?complaint`.
pub(crate) fn asked_for(text: &str) -> Vec<(&str, &str)> {
    let inner = text.split("${").skip(1).map(|rest| rest.split_once('}').expect("a variable ends with }").0);
    inner.map(|inner| inner.split_at(inner.find(':').unwrap_or(inner.len()))).collect()
}

fn interpolate(text: &str, given: &BTreeMap<String, String>) -> String {
    asked_for(text).into_iter().fold(text.to_owned(), |text, (name, rest)| {
        let value = given.get(name).map(String::as_str).or(rest.strip_prefix(":-"));
        let value = value.unwrap_or_else(|| panic!("{name} has no default and is not in .env.example"));
        text.replace(&format!("${{{name}{rest}}}"), value)
    })
}

impl Service {
    pub(crate) fn words(&self) -> Vec<&str> {
        match &self.command {
            None => Vec::new(),
            Some(Words::One(line)) => line.split_whitespace().collect(),
            Some(Words::Several(words)) => words.iter().map(String::as_str).collect(),
        }
    }

    /// The value of a variable.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.environment.get(name)?.as_deref()
    }

    /// The port in `HTTP_ADDR`.
    pub(crate) fn http_port(&self) -> &str {
        let address = self.value("HTTP_ADDR").expect("HTTP_ADDR is set");
        address.rsplit_once(':').expect("HTTP_ADDR is host:port").1
    }

    /// Published ports: address, port on this machine, port in the container.
    pub(crate) fn published(&self) -> Vec<(&str, &str, &str)> {
        self.ports.iter().map(|port| apart(port).unwrap_or_else(|| panic!("{port} is not address:port:port"))).collect()
    }
}

fn apart(port: &str) -> Option<(&str, &str, &str)> {
    let (address, ports) = port.split_once(':')?;
    let (machine, container) = ports.split_once(':')?;
    Some((address, machine, container))
}
