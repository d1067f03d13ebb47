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
    assert_eq!(&text[from..to], generated, "the README's `{name}` differs from the code; UPDATE_README=1 writes it anew");
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
