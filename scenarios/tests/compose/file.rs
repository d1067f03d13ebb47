//! `docker-compose.yml`, alone or with `docker-compose.secure.yml` on top, with the variables of `.env.example` substituted.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// A file of the repository, by its path from the root.
pub(crate) fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[derive(Debug, Deserialize)]
pub(crate) struct ComposeFile {
    pub(crate) services: BTreeMap<String, Service>,
    /// Without anything: one with a way to the outside.
    pub(crate) networks: BTreeMap<String, Option<Network>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Network {
    #[serde(default)]
    pub(crate) internal: bool,
}

/// The parts of a service that the tests examine.
#[derive(Clone, Debug, Deserialize)]
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
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) read_only: bool,
    #[serde(default)]
    pub(crate) privileged: bool,
    #[serde(default)]
    pub(crate) cap_drop: Vec<String>,
    #[serde(default)]
    pub(crate) cap_add: Vec<String>,
    #[serde(default)]
    pub(crate) security_opt: Vec<String>,
    pub(crate) pids_limit: Option<u32>,
    pub(crate) mem_limit: Option<String>,
    pub(crate) cpus: Option<f64>,
    pub(crate) network_mode: Option<String>,
    #[serde(default)]
    pub(crate) networks: Vec<String>,
    /// `volume:/path` or `./file:/path`, with `:ro` if it is only read.
    #[serde(default)]
    pub(crate) volumes: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Build {
    pub(crate) args: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Words {
    One(String),
    Several(Vec<String>),
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) condition: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct HealthCheck {
    #[serde(default)]
    pub(crate) test: Vec<String>,
}

/// The file as `docker compose` sees it after `cp .env.example .env`.
pub(crate) fn compose() -> ComposeFile {
    composed(&["docker-compose.yml"], &given())
}

/// The same with the file that closes all doors on top.
pub(crate) fn secured() -> ComposeFile {
    composed(&["docker-compose.yml", "docker-compose.secure.yml"], &given())
}

/// These files, one on top of the other, with these variables.
pub(crate) fn composed(files: &[&str], given: &BTreeMap<String, String>) -> ComposeFile {
    let mut whole = Value::Null;
    for file in files {
        let text = interpolate(&read(file), given);
        let upper = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file} cannot be parsed: {error}"));
        put_on_top("", &mut whole, upper);
    }
    // A variable is text, whatever it looks like.
    for service in whole["services"].as_object_mut().expect("there are services").values_mut() {
        for (_, value) in service.get_mut("environment").and_then(Value::as_object_mut).into_iter().flatten() {
            if value.is_number() {
                *value = Value::String(value.to_string());
            }
        }
    }
    serde_json::from_value(whole).expect("it is a Compose file")
}

/// Merges as Compose does: maps by their keys, mounts by their places; ports and temporary files add up; everything else is
/// replaced.
fn put_on_top(name: &str, lower: &mut Value, upper: Value) {
    match (lower, upper) {
        (Value::Object(lower), Value::Object(upper)) => {
            for (name, value) in upper {
                put_on_top(&name, lower.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(lower), Value::Array(upper)) if ["volumes", "tmpfs", "ports"].contains(&name) => {
            let place = |mount: &Value| mount.as_str().and_then(|mount| mount.split(':').nth(1)).map(str::to_owned);
            lower.retain(|mount| name != "volumes" || upper.iter().all(|over| place(over) != place(mount)));
            lower.extend(upper);
        }
        (lower, upper) => *lower = upper,
    }
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

impl ComposeFile {
    /// The services on one of this service's networks.
    pub(crate) fn neighbours(&self, name: &str) -> Vec<&str> {
        let own = &self.services[name].networks;
        let near = |service: &Service| service.networks.iter().any(|network| own.contains(network));
        let others = self.services.iter().filter(|(other, service)| *other != name && near(service));
        others.map(|(other, _)| other.as_str()).collect()
    }
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

    /// Mounts: what, where, and whether it is only read.
    pub(crate) fn mounts(&self) -> Vec<(&str, &str, bool)> {
        self.volumes
            .iter()
            .map(|mount| {
                let mut parts = mount.split(':');
                let (what, place) = (parts.next(), parts.next());
                (what.unwrap_or_default(), place.expect("a mount has a place"), parts.next() == Some("ro"))
            })
            .collect()
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
