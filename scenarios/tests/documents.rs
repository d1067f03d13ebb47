//! Keeps the generated parts of the documents in step with the code. `UPDATE_DOCS=1` rewrites them.

mod generated;

use std::{collections::BTreeSet, fs, path::PathBuf};

use saga::{
    barrier::{Move, Status, Step, pass},
    choreography::Reaction,
    outbox::Prefix,
};
use saga_schema::{Code, Direction};
use scenarios::{
    catalogue,
    choreography::{self, Choreography},
    operations::{Manifest, acl::Rights},
};

use generated::{in_project, part};

/// Maximum number of lines of the README.
const README_LINES: usize = 200;

/// The barrier's table: a row for each status, a column for each step.
fn barrier() -> String {
    let steps = Step::ALL.map(|step| format!(" {} |", step.name())).concat();
    let mut text = format!("| status |{steps}\n|---|{}\n", "---|".repeat(Step::ALL.len()));
    for status in std::iter::once(None).chain(Status::ALL.map(Some)) {
        let name = status.map_or_else(|| "never heard of".to_owned(), |status| format!("`{status}`"));
        let moves = Step::ALL.map(|step| match pass(status, step) {
            Move::Nothing(why) => format!(" nothing: {why} |"),
            done => format!(" **{}** |", done.name()),
        });
        text.push_str(&format!("| {name} |{}\n", moves.concat()));
    }
    text
}

/// The table of docs/EVENTS.md: each kind of change, and the readers that it breaks.
fn changes_of_schemas() -> String {
    let mut text =
        String::from("| change | old readers, new events | new readers, old events | because |\n|---|---|---|---|\n");
    for code in Code::ALL {
        let cell = |direction| if code.breaks().contains(&direction) { "breaks" } else { "" };
        let (old, new) = (cell(Direction::OldReaders), cell(Direction::NewReaders));
        text.push_str(&format!("| {} | {old} | {new} | {} |\n", code.name(), code.explanation()));
    }
    text
}

// One test, so that parallel updates do not overwrite each other.
#[test]
fn the_documents_agree_with_the_code() {
    part("README.md", "choreography", &format!("```mermaid\n{}```\n", Choreography::of_the_shop().mermaid()));
    part("docs/CHOREOGRAPHY.md", "events", &Choreography::of_the_shop().markdown());
    part("docs/CHOREOGRAPHY.md", "barrier", &barrier());
    part("docs/EVENTS.md", "changes", &changes_of_schemas());
    let rights = Rights::of(&Choreography::of_the_shop(), &Manifest::of_the_shop(), &Prefix::default())
        .expect("the shop's rights");
    part("docs/security/kafka.md", "rights", &rights.markdown());
    let scenarios: Vec<String> =
        catalogue::ALL.iter().map(|scenario| format!("| `{}` | {} |\n", scenario.name, scenario.story)).collect();
    let scenarios = format!("| scenario | what happens |\n|---|---|\n{}", scenarios.concat());
    part("docs/TESTING.md", "scenarios", &scenarios);
}

/// The README is the front page; details have pages of their own.
#[test]
fn the_readme_is_short() {
    let text = fs::read_to_string(in_project("README.md")).expect("the README is there");
    let lines = text.lines().count();
    assert!(lines <= README_LINES, "the README has {lines} lines, more than {README_LINES}: move details under docs/");
}

/// The Markdown files at the top of the project, of the example, and anywhere under docs/.
fn pages() -> Vec<PathBuf> {
    let mut pages =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/trip/README.md"].map(in_project).to_vec();
    let mut folders = vec![in_project("docs")];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The targets of the links, `[text](target)`, in some Markdown; blocks of code have none.
fn targets(text: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let links = line.split("](").skip(1);
            targets.extend(links.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target));
        }
    }
    targets
}

/// Every relative link leads to an existing file or folder.
#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        for target in targets(&text) {
            if ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
                continue;
            }
            let path = target.split_once('#').map_or(target, |(path, _)| path);
            // A heading of the same page.
            if path.is_empty() {
                continue;
            }
            let there = page.with_file_name(path).exists();
            assert!(there, "{}: {target} leads nowhere", page.display());
            links += 1;
        }
    }
    assert!(links > 60, "only {links} links were found");
}

/// Every service's `lib.rs` opens with the table that the program follows.
#[test]
fn every_service_documents_the_table_that_it_follows() {
    for part in choreography::parts() {
        let path = in_project(&format!("services/{}/src/lib.rs", part.service));
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let documented: Vec<&str> = source
            .lines()
            .filter_map(|line| line.strip_prefix("//! "))
            .filter(|line| line.starts_with("| ") && !line.starts_with("| on |"))
            .collect();
        let followed: Vec<String> = part.lines.iter().map(|line| Reaction::from(line).to_markdown()).collect();
        assert_eq!(documented, followed, "{}", path.display());
    }
}

/// No service depends on another, not even for its tests: they share only the published language.
#[test]
fn no_service_depends_on_another() {
    let services = in_project("services");
    let names = |entry: Result<fs::DirEntry, std::io::Error>| {
        entry.expect("readable").file_name().into_string().expect("a name")
    };
    let names: Vec<String> = fs::read_dir(&services).expect("services/").map(names).collect();
    assert!(names.len() >= 8, "{names:?}");
    for service in &names {
        let manifest = fs::read_to_string(services.join(service).join("Cargo.toml")).expect("a manifest");
        for other in names.iter().filter(|other| *other != service) {
            let depends = |line: &str| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} "));
            assert!(!manifest.lines().any(depends), "{service} depends on {other}");
        }
    }
}

/// The libraries are built and tested without any part of the shop.
#[test]
fn the_libraries_know_nothing_of_the_shop() {
    let services = fs::read_dir(in_project("services")).expect("services/");
    let mut shop: Vec<String> =
        services.map(|entry| entry.expect("readable").file_name().into_string().expect("a name")).collect();
    shop.extend(
        ["events", "operations", "scenarios", "testbed", "catalogue", "load", "chaos", "trip"].map(str::to_owned),
    );
    for library in
        ["access", "audit-log", "outbox", "outbox-relay", "transport", "process", "saga", "sealing", "personal-data"]
    {
        let crates = crates_behind(library, &["--all-features", "--edges", "all"]);
        assert!(library == "sealing" || crates.contains("tokio"), "{crates:?}");
        let known: Vec<&String> = shop.iter().filter(|part| crates.contains(*part)).collect();
        assert!(known.is_empty(), "{library} depends on {known:?}");
    }
}

/// The published language is for any reader of events, and contains no part of a program.
#[test]
fn the_events_need_no_part_of_a_program() {
    let crates = crates_behind("events", &["--edges", "normal"]);
    assert!(["saga", "outbox", "serde"].iter().all(|needed| crates.contains(*needed)), "{crates:?}");
    let parts = ["process", "axum", "hyper", "clap", "tracing-subscriber", "metrics", "metrics-exporter-prometheus"];
    let needed: Vec<&str> = parts.into_iter().filter(|part| crates.contains(*part)).collect();
    assert!(needed.is_empty(), "events depends on {needed:?}");
}

/// The names of a package and all its dependencies.
fn crates_behind(package: &str, arguments: &[&str]) -> BTreeSet<String> {
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--prefix", "none", "--offline"])
        .args(arguments)
        .current_dir(in_project("."))
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("text");
    let crates: BTreeSet<String> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(crates.contains(package), "{crates:?}");
    crates
}

/// Every promise in the tables of faults and controls is covered by an existing test: `path::test_name`, under the root.
#[test]
fn every_fault_names_the_test_that_shows_its_promise() {
    let rows = rows_with_tests(pages_of("docs/faults"), &["fault", "kind"]);
    assert!(rows > 20, "only {rows} faults have a row");
}

/// Every control names the misuse that must fail, and the test that tries it.
#[test]
fn every_control_names_the_test_that_misuses_it() {
    let rows =
        rows_with_tests([pages_of("docs/security"), vec![in_project("docs/SECURITY.md")]].concat(), &["control"]);
    assert!(rows > 20, "only {rows} controls have a row");
}

fn pages_of(folder: &str) -> Vec<PathBuf> {
    let folder = in_project(folder);
    let pages = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    pages.map(|page| page.expect("readable").path()).collect()
}

/// Checks the tests named in the last column of these pages' tables that begin with one of these columns; returns how many rows
/// there are.
fn rows_with_tests(pages: Vec<PathBuf>, first: &[&str]) -> usize {
    let mut rows = 0;
    for page in pages {
        let text = fs::read_to_string(&page).expect("readable");
        // Only in tables whose last column is the test.
        let mut in_table = false;
        for row in text.lines().filter(|line| !line.starts_with("|-")) {
            if !row.starts_with('|') {
                in_table = false;
                continue;
            }
            let test = row.trim_end().trim_end_matches('|').rsplit('|').next().expect("a last cell");
            if first.iter().any(|column| row.starts_with(&format!("| {column} |"))) {
                in_table = test.trim() == "test";
                continue;
            }
            if !in_table {
                continue;
            }
            let named: Vec<&str> = test.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
            assert!(!named.is_empty(), "{}: no test in {row}", page.display());
            for name in named {
                let (path, function) = name.split_once("::").expect("path::test_name");
                let function = function.rsplit("::").next().expect("a name");
                let source = fs::read_to_string(in_project(path))
                    .unwrap_or_else(|error| panic!("{}: {path}: {error}", page.display()));
                let there = source.contains(&format!("fn {function}("));
                assert!(there, "{}: {path} has no test {function}", page.display());
            }
            rows += 1;
        }
    }
    rows
}
