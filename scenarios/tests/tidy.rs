//! Tests of the project's style.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Maximum lines of a module. A longer one has more than one reason to exist.
const MODULE: usize = 300;
/// Modules that are longer, with their limits: they are to be divided, and none may grow.
const LONG_MODULES: [(&str, usize); 10] = [
    ("operations/src/audit/retrace/search.rs", 390),
    ("scenarios/tests/audit/mutation.rs", 380),
    ("scenarios/tests/audit/system.rs", 327),
    ("scenarios/tests/crashes.rs", 332),
    ("scenarios/tests/interleavings/mutants/contents.rs", 306),
    ("scenarios/tests/operations/main.rs", 345),
    ("saga/src/runtime/consumer.rs", 430),
    ("saga/src/runtime/membership.rs", 328),
    ("process/src/sessions.rs", 350),
    ("saga/tests/service/claims.rs", 354),
];
/// Maximum width of a comment line in characters, rows of tables excepted.
const COMMENT: usize = 130;
/// Maximum lines of a function: a screen.
const FUNCTION: usize = 70;
/// Longer functions: a table of every phase and step, and those to be divided.
const LONG_FUNCTIONS: [&str; 3] =
    ["pass", "reconciling", "what_cannot_be_processed_is_put_aside_and_the_rest_goes_through_in_order"];
/// A doc comment starts with a noun phrase or a verb.
const OPENINGS: [&str; 14] = [
    "So many",
    "So much",
    "So long",
    "So often",
    "So far",
    "Whether",
    "Who ",
    "Whoever",
    "What there is",
    "How many",
    "How much",
    "How long",
    "How often",
    "How far",
];

struct Source {
    path: String,
    lines: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in [
        "access",
        "audit-log",
        "check",
        "events",
        "examples",
        "lint",
        "operations",
        "outbox",
        "outbox-relay",
        "process",
        "saga",
        "scenarios",
        "schema",
        "personal-data",
        "sealing",
        "services",
        "transport",
    ] {
        collect(&root().join(folder), &mut found);
    }
    assert!(found.len() > 300, "only {} sources", found.len());
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source is text");
            let path = path.strip_prefix(root()).expect("under the root").to_string_lossy().into_owned();
            found.push(Source { path, lines: text.lines().map(str::to_owned).collect() });
        }
    }
}

/// Asserts that there are none, and lists them all otherwise.
fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// The text of a doc comment; None for other lines.
fn documentation(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim_start)
}

/// The places of the lines for which `wanted` is true, given all lines of a source and the line's index.
fn places(wanted: impl Fn(&[String], usize) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for Source { path, lines } in sources() {
        let numbers = (0..lines.len()).filter(|number| wanted(&lines, *number));
        found.extend(numbers.map(|number| format!("{path}:{}: {}", number + 1, lines[number].trim_start())));
    }
    found
}

#[test]
fn doc_comments_start_with_a_noun_phrase_or_a_verb() {
    let found = places(|lines, number| {
        let is_first = number == 0 || documentation(&lines[number - 1]).is_none();
        let text = documentation(&lines[number]).filter(|_| is_first).unwrap_or_default();
        OPENINGS.iter().any(|opening| text.starts_with(opening))
    });
    none("doc comments that start with a question", found);
}

#[test]
fn comments_fit_into_a_line() {
    let found = places(|lines, number| {
        let line = &lines[number];
        let is_row = documentation(line).is_some_and(|text| text.starts_with('|'));
        line.trim_start().starts_with("//") && !is_row && line.chars().count() > COMMENT
    });
    none("comments of more than 130 characters", found);
}

#[test]
fn modules_are_small() {
    let mut found = Vec::new();
    for Source { path, lines } in sources() {
        let allowed = LONG_MODULES.iter().find(|(long, _)| *long == path).map_or(MODULE, |(_, lines)| *lines);
        if lines.len() > allowed {
            found.push(format!("{path}: {} lines, {allowed} allowed", lines.len()));
        }
    }
    none("modules that are too long", found);
}

#[test]
fn functions_fit_a_screen() {
    let mut found = Vec::new();
    for Source { path, lines } in sources() {
        for (number, line) in lines.iter().enumerate() {
            let Some((name, length)) = function(line, &lines[number..]) else { continue };
            if length > FUNCTION && !LONG_FUNCTIONS.contains(&name) {
                found.push(format!("{path}:{}: {name}, {length} lines", number + 1));
            }
        }
    }
    none("functions of more than 70 lines", found);
}

/// The name and length of the function that begins on this line; None if none with a body does.
fn function<'a>(line: &'a str, from_here: &[String]) -> Option<(&'a str, usize)> {
    let text = line.trim_start();
    let indentation = &line[..line.len() - text.len()];
    let mut words = text.split(' ').skip_while(|word| word.starts_with("pub") || ["const", "async"].contains(word));
    if words.next() != Some("fn") {
        return None;
    }
    let name = words.next()?.split(['(', '<']).next()?;
    for (place, other) in from_here.iter().enumerate() {
        let rest = other.strip_prefix(indentation).unwrap_or_default();
        let is_declaration = (place == 0 || rest.starts_with(')')) && rest.ends_with(';');
        if is_declaration {
            return None;
        }
        if rest == "}" || place == 0 && rest.ends_with('}') {
            return Some((name, place + 1));
        }
    }
    None
}

#[test]
fn the_tests_of_style_see_what_they_look_for() {
    assert_eq!(documentation("    /// Whether it is so."), Some("Whether it is so."));
    assert_eq!(documentation("    // Whether it is so."), None);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let body = "    pub(crate) async fn look(\n        &self,\n    ) -> bool {\n        true\n    }\n    fn other() {}";
    assert_eq!(function(lines(body)[0].as_str(), &lines(body)), Some(("look", 5)));
    let none = "    fn look(&self) -> bool;\n    fn other() {\n    }";
    assert_eq!(function(lines(none)[0].as_str(), &lines(none)), None);
}
