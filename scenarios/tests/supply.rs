//! What comes into the workspace, compared with `deny.toml`: where crates come from, their licences, the ones that stay out, and
//! second versions. `make deny` asks cargo-deny for the same and more; this needs nothing but Cargo.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
};

use serde::Deserialize;

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Bans {
    multiple_versions: String,
    deny: Vec<Named>,
    skip: Vec<Named>,
}

/// A crate in a list, with its version if it is about one.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "crate")]
    name: String,
    #[serde(default)]
    wrappers: Vec<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    source: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// A crate that is compiled.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    licence: String,
}

fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rules() -> Rules {
    toml::from_str(&read("deny.toml")).expect("deny.toml can be read")
}

fn locked() -> Vec<Locked> {
    toml::from_str::<Lock>(&read("Cargo.lock")).expect("Cargo.lock can be read").package
}

/// Crates from anywhere but the registry that serde is from; ours have no source. Cargo-deny knows which registry it has to be.
fn strangers(lock: &[Locked]) -> Vec<&str> {
    let serde = lock.iter().find(|package| package.name == "serde").and_then(|package| package.source.as_deref());
    let registry = serde.filter(|source| source.starts_with("registry+https://")).expect("serde is from a registry");
    let elsewhere = lock.iter().filter(|package| package.source.as_deref().is_some_and(|source| source != registry));
    elsewhere.map(|package| package.name.as_str()).collect()
}

/// Crates that are to stay out, or that another than their wrappers depends on.
fn banned(rules: &Rules, lock: &[Locked]) -> Vec<String> {
    let mut found = Vec::new();
    for ban in &rules.bans.deny {
        let depends = |package: &&Locked| {
            package.dependencies.iter().any(|line| line.split(' ').next() == Some(ban.name.as_str()))
        };
        let is_there = lock.iter().any(|package| package.name == ban.name);
        if is_there && ban.wrappers.is_empty() {
            found.push(ban.name.clone());
        }
        let others = lock.iter().filter(depends).filter(|package| !ban.wrappers.contains(&package.name));
        found.extend(others.map(|package| format!("{} by {}", ban.name, package.name)));
    }
    found
}

/// Crates in several versions of which more than one is not decided on.
fn doubles(rules: &Rules, crates: &[Crate]) -> Vec<String> {
    let decided = |found: &Crate| {
        rules.bans.skip.iter().any(|skip| {
            let (name, version) = skip.name.split_once('@').expect("a version is named");
            found.name == name && format!("{}.", found.version).starts_with(&format!("{version}."))
        })
    };
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for found in crates.iter().filter(|found| !decided(found)) {
        versions.entry(&found.name).or_default().push(&found.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    versions.into_iter().map(|(name, versions)| format!("{name} {}", versions.join(" and "))).collect()
}

/// Returns whether one of the licences that an expression offers is allowed: `MIT OR (Apache-2.0 AND ISC)`, or `MIT/Apache-2.0`.
fn is_allowed(expression: &str, allow: &[String]) -> bool {
    // AND binds more tightly than OR; nothing is nested more deeply than once.
    if let Some((before, rest)) = expression.split_once('(') {
        let (within, after) = rest.split_once(')').expect("a closing parenthesis");
        let verdict = if is_allowed(within, allow) { allow.first().map_or("", String::as_str) } else { "none" };
        return is_allowed(&format!("{before}{verdict}{after}"), allow);
    }
    let expression = expression.replace('/', " OR ");
    let known = |licence: &str| allow.iter().any(|allowed| allowed == licence.trim());
    expression.split(" OR ").any(|all| all.split(" AND ").all(known))
}

/// Crates without an allowed licence, among these: name and licence.
fn unlicensed(rules: &Rules, crates: &[Crate]) -> Vec<String> {
    let refused = crates.iter().filter(|found| !is_allowed(&found.licence, &rules.licenses.allow));
    refused.map(|found| format!("{}: {}", found.name, found.licence)).collect()
}

/// Name, version and licence of each crate that is compiled on this machine.
fn compiled() -> Vec<Crate> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--all-features", "--locked", "--offline", "--prefix", "none"])
        .args(["--format", "{p}|{l}|"])
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let read = |line: &str| {
        let mut parts = line.split('|');
        let mut words = parts.next()?.split(' ');
        let (name, version) = (words.next()?.to_owned(), words.next()?.trim_start_matches('v').to_owned());
        Some(Crate { name, version, licence: parts.next()?.to_owned() })
    };
    let crates: BTreeSet<Crate> = text.lines().filter_map(read).collect();
    assert!(crates.len() > 200, "{} crates", crates.len());
    crates.into_iter().collect()
}

#[test]
fn every_crate_comes_from_the_registry() {
    let (rules, mut lock) = (rules(), locked());
    assert!(["unknown-registry", "unknown-git"].iter().all(|name| rules.sources[*name].as_str() == Some("deny")));
    assert!(["allow-git", "allow-registry", "allow-org"].iter().all(|name| !rules.sources.contains_key(*name)));
    assert!(lock.len() > 300, "{} crates", lock.len());
    assert_eq!(strangers(&lock), [""; 0]);
    lock[0].source = Some("git+https://example.org/fork#1234567".to_owned());
    assert_eq!(strangers(&lock), [lock[0].name.as_str()]);
}

#[test]
fn every_licence_is_allowed() {
    let (rules, mut crates) = (rules(), compiled());
    assert_eq!(unlicensed(&rules, &crates), [""; 0]);
    for refused in ["none", "GPL-3.0-only", "MIT AND GPL-3.0-only", "(GPL-3.0-only OR LGPL-2.1) AND MIT"] {
        crates[0].licence = refused.to_owned();
        assert_eq!(unlicensed(&rules, &crates).len(), 1, "{refused}");
    }
    for allowed in ["MIT", "MIT/Apache-2.0", "GPL-2.0-only OR MIT", "(GPL-2.0-only OR MIT) AND ISC"] {
        assert!(is_allowed(allowed, &rules.licenses.allow), "{allowed}");
    }
}

#[test]
fn what_is_banned_stays_out() {
    let (rules, mut lock) = (rules(), locked());
    assert_eq!(banned(&rules, &lock), [""; 0]);
    // OpenSSL is librdkafka's alone; native-tls is nobody's.
    lock[0].dependencies.push("openssl-sys".to_owned());
    assert_eq!(banned(&rules, &lock), [format!("openssl-sys by {}", lock[0].name)]);
    lock[0].dependencies.clear();
    lock[0].name = "native-tls".to_owned();
    assert_eq!(banned(&rules, &lock), ["native-tls"]);
}

#[test]
fn a_second_version_of_a_crate_is_decided_on() {
    let (rules, mut crates) = (rules(), compiled());
    assert_eq!(rules.bans.multiple_versions, "deny");
    assert_eq!(doubles(&rules, &crates), [""; 0]);
    let tokio = crates.iter().find(|found| found.name == "tokio").expect("tokio is there").clone();
    crates.push(Crate { version: "0.2.0".to_owned(), ..tokio.clone() });
    assert_eq!(doubles(&rules, &crates), [format!("tokio {} and 0.2.0", tokio.version)]);
}
