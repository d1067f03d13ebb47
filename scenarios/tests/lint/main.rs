//! The shop's choreography, linted; and the lint, tested by breaking the choreography in every place.

mod mutants;

#[path = "../generated/mod.rs"]
mod generated;

use generated::part;
use operations::choreography::Choreography;
use saga_lint::{Code, Lint};

#[test]
fn the_shops_choreography_has_no_fault() {
    let findings = Lint::of(Choreography::of_the_shop().tables().to_vec()).findings();
    assert!(findings.is_empty(), "{}", saga_lint::to_text(&findings));
}

// One test, so that parallel updates do not overwrite each other.
#[test]
fn the_page_agrees_with_the_lint() {
    let codes: String = Code::ALL
        .into_iter()
        .map(|code| format!("| {} | {} | {} |\n", code.id(), code.name(), code.explanation()))
        .collect();
    part("docs/LINT.md", "codes", &format!("| code | name | finding |\n|---|---|---|\n{codes}"));
    part("docs/LINT.md", "mutants", &mutants::table());
}
