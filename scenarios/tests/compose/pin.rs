//! `docker/pin`: images by their digests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::file::{asked_for, composed, given, read};

/// A registry that answers every question with this; bash reads it before the script. Not a program: one that has just been
/// written cannot be run while a process that another test starts still has it open.
fn engine(folder: &Path, answer: &str) {
    let asked = folder.join("asked");
    let function = format!("docker() {{ echo \"$@\" >>{}; echo '{answer}'; }}\n", asked.display());
    fs::write(folder.join("engine"), function).expect("written");
}

fn pin(folder: &Path, arguments: &[&str]) -> Output {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docker/pin");
    let mut command = Command::new(script);
    command.args(arguments).env("PIN_DIRECTORY", folder).env("BASH_ENV", folder.join("engine"));
    command.output().expect("it can be run")
}

fn set_up(answer: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    for name in [".env", ".env.example"] {
        fs::write(folder.path().join(name), read(".env.example")).expect("written");
    }
    engine(folder.path(), answer);
    folder
}

fn variables(folder: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder.join(".env")).expect("readable");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Names of the images that others have made.
fn images() -> BTreeSet<String> {
    let text = read("docker-compose.yml");
    let names = asked_for(&text).into_iter().map(|(name, _)| name.to_owned());
    names.filter(|name| name.ends_with("_IMAGE") && name != "SAGA_IMAGE").collect()
}

#[test]
fn every_image_is_fixed_by_its_digest_and_compose_uses_that() {
    let digest = format!("sha256:{}", "a1".repeat(32));
    let folder = set_up(&digest);
    assert!(!pin(folder.path(), &["--check"]).status.success(), "tags alone fix nothing");
    let done = pin(folder.path(), &[]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let variables = variables(folder.path());
    let names = images();
    assert_eq!(names.len(), 6);
    for name in &names {
        assert!(variables[name].ends_with(&format!("@{digest}")), "{name}={}", variables[name]);
    }
    assert_eq!(variables.len(), given().len() + names.len(), "nothing else has changed");
    assert!(pin(folder.path(), &["--check"]).status.success());

    let composed = composed(&["docker-compose.yml", "docker-compose.secure.yml"], &variables);
    for (name, service) in &composed.services {
        let ours = service.image == "purchase-saga";
        assert_eq!(service.image.ends_with(&digest), !ours, "{name}: {}", service.image);
        for (name, image) in service.build.iter().flat_map(|build| &build.args) {
            assert!(image.ends_with(&digest), "{name}={image}");
        }
    }
    let dockerfile = read("Dockerfile");
    for from in dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")) {
        assert!(from.starts_with("${RUST_IMAGE}") || from.starts_with("${DEBIAN_IMAGE}"), "{from}");
    }
    // The second time, of the tag, and not of what it stood for before.
    assert!(pin(folder.path(), &[]).status.success());
    let asked = fs::read_to_string(folder.path().join("asked")).expect("the registry was asked");
    assert!(asked.lines().count() == 12 && !asked.contains('@'), "{asked}");
}

#[test]
fn what_is_no_digest_is_not_written() {
    for answer in ["", "latest", "sha256:abc", &format!("sha256:{}", "A1".repeat(32))] {
        let folder = set_up(answer);
        assert!(!pin(folder.path(), &[]).status.success(), "{answer}");
        assert_eq!(variables(folder.path()), given(), "{answer}");
    }
    let folder = set_up("");
    let text = format!("{}POSTGRES_IMAGE=postgres:17@sha256:abc\n", read(".env.example"));
    fs::write(folder.path().join(".env"), text).expect("written");
    let checked = pin(folder.path(), &["--check"]);
    assert!(String::from_utf8_lossy(&checked.stdout).contains("POSTGRES_IMAGE is not fixed"));
}
