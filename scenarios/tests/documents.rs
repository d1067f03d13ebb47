//! What the README says of the code is what the code says of itself. `UPDATE_README=1` writes it anew.

use std::{fs, path::PathBuf};

use scenarios::{catalogue, choreography};

fn readme() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../README.md")
}

/// Holds the part of the README between `<!-- name -->` and `<!-- /name -->` against `generated`.
fn part(name: &str, generated: &str) {
    let text = fs::read_to_string(readme()).expect("the README is there");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = text.find(&begin).unwrap_or_else(|| panic!("the README has no {begin}")) + begin.len();
    let to = from + text[from..].find(&end).unwrap_or_else(|| panic!("the README has no {end}"));
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(readme(), format!("{}{generated}{}", &text[..from], &text[to..])).expect("the README can be written");
        return;
    }
    assert_eq!(
        &text[from..to],
        generated,
        "the README's `{name}` differs from the code; UPDATE_README=1 writes it anew"
    );
}

// One test, so that updates do not write over one another.
#[test]
fn the_readme_agrees_with_the_code() {
    part("events", &choreography::markdown());
    part("choreography", &format!("```mermaid\n{}```\n", choreography::mermaid()));
    let scenarios: Vec<String> =
        catalogue::ALL.iter().map(|scenario| format!("| `{}` | {} |\n", scenario.name, scenario.story)).collect();
    part("scenarios", &format!("| scenario | what happens |\n|---|---|\n{}", scenarios.concat()));
}

/// Every service's `lib.rs` opens with its table, the one that the program follows.
#[test]
fn every_service_documents_the_table_that_it_follows() {
    for part in choreography::parts() {
        let path = readme().with_file_name(format!("services/{}/src/lib.rs", part.service));
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let documented: Vec<&str> = source
            .lines()
            .filter_map(|line| line.strip_prefix("//! "))
            .filter(|line| line.starts_with("| ") && !line.starts_with("| on |"))
            .collect();
        let followed: Vec<String> = part.lines.iter().map(|line| line.to_markdown()).collect();
        assert_eq!(documented, followed, "{}", path.display());
    }
}

/// No service depends on another, not even for its tests: what they have in common is the published language.
#[test]
fn no_service_depends_on_another() {
    let services = readme().with_file_name("services");
    let names = |entry: Result<fs::DirEntry, std::io::Error>| {
        entry.expect("readable").file_name().into_string().expect("a name")
    };
    let names: Vec<String> =
        fs::read_dir(&services).expect("services/").map(names).filter(|name| name != "kit").collect();
    assert!(names.len() >= 8, "{names:?}");
    for service in &names {
        let manifest = fs::read_to_string(services.join(service).join("Cargo.toml")).expect("a manifest");
        for other in names.iter().filter(|other| *other != service) {
            let depends = |line: &str| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} "));
            assert!(!manifest.lines().any(depends), "{service} depends on {other}");
        }
    }
}

/// Every promise in the table of faults is held by a test that is there: `path::test_name`, under the root of the project.
#[test]
fn every_fault_names_the_test_that_shows_its_promise() {
    let faults = readme().with_file_name("docs/faults");
    let pages = fs::read_dir(&faults).unwrap_or_else(|error| panic!("{}: {error}", faults.display()));
    let mut rows = 0;
    for page in pages {
        let page = page.expect("readable").path();
        let text = fs::read_to_string(&page).expect("readable");
        // Of the tables whose last column is the test.
        let mut in_table = false;
        for row in text.lines().filter(|line| line.starts_with('|') && !line.starts_with("|-")) {
            let test = row.trim_end().trim_end_matches('|').rsplit('|').next().expect("a last cell");
            if row.starts_with("| fault |") || row.starts_with("| kind |") {
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
                let source = fs::read_to_string(readme().with_file_name(path))
                    .unwrap_or_else(|error| panic!("{}: {path}: {error}", page.display()));
                let there = source.contains(&format!("fn {function}("));
                assert!(there, "{}: {path} has no test {function}", page.display());
            }
            rows += 1;
        }
    }
    assert!(rows > 20, "only {rows} faults have a row");
}
