//! A choreography without a fault, and the same with one fault of each kind: the lint names exactly that one.

use std::{collections::BTreeSet, path::Path};

use saga::choreography::Part;
use saga_lint::{Code, Finding, Lint};
use serde::Deserialize;

/// A file of the folder `faults`.
#[derive(Deserialize)]
struct Case {
    /// The finding's message; of several, the first.
    #[serde(default)]
    finding: String,
    tables: Vec<Part>,
}

fn case(name: &str) -> Case {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn findings(name: &str) -> Vec<Finding> {
    Lint::of(case(name).tables).findings()
}

#[test]
fn a_choreography_without_a_fault_has_no_finding() {
    let findings = findings("none");
    assert!(findings.is_empty(), "{}", saga_lint::to_text(&findings));
}

#[test]
fn a_fault_of_each_kind_is_named_and_nothing_else_is() {
    for code in Code::ALL {
        let findings = findings(code.id());
        let codes: BTreeSet<Code> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, BTreeSet::from([code]), "{}", saga_lint::to_text(&findings));
        assert_eq!(findings[0].message, case(code.id()).finding, "{code}");
        assert!(findings.iter().all(|finding| !finding.path.is_empty() && !finding.mend.is_empty()), "{findings:?}");
    }
}

#[test]
fn a_finding_shows_the_shortest_run_to_the_damage() {
    let left = &findings("SL005")[0];
    let path: Vec<String> = left.path.iter().map(ToString::to_string).collect();
    assert_eq!(
        path,
        [
            "TripRequested → flight (hold) → SeatHeld",
            "SeatHeld → hotel (hold) → RoomHeld",
            "RoomHeld → car (rent) → CarRefused",
            "CarRefused → flight (release) → TripCancelled",
        ]
    );
}

#[test]
fn what_is_allowed_is_no_finding() {
    let lint = Lint::of(case("SL010").tables).allow(Code::NoDeadline, "travellers are patient");
    assert_eq!(lint.findings(), []);
    let other = Lint::of(case("SL010").tables).allow(Code::NoEnd, "another");
    assert_eq!(other.findings().len(), 1);
}

/// The order of tables and of their lines is of no consequence.
#[test]
fn the_order_of_tables_changes_nothing() {
    for code in Code::ALL {
        let mut tables = case(code.id()).tables;
        tables.reverse();
        tables.iter_mut().for_each(|table| table.reactions.reverse());
        let codes: BTreeSet<Code> = Lint::of(tables).findings().iter().map(|finding| finding.code).collect();
        assert_eq!(codes, BTreeSet::from([code]));
    }
}

#[test]
fn a_code_is_read_by_its_id_and_its_name() {
    for code in Code::ALL {
        assert_eq!(code.id().parse(), Ok(code));
        assert_eq!(code.name().parse(), Ok(code));
    }
    assert!("SL999".parse::<Code>().unwrap_err().contains("SL005 (step-left-open)"));
}

#[test]
fn sarif_has_a_rule_for_each_code_and_the_path_as_a_flow() {
    let findings = findings("SL005");
    let sarif = saga_lint::to_sarif(&findings);
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"].as_array().map(Vec::len), Some(Code::ALL.len()));
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "SL005");
    let flow = result["codeFlows"][0]["threadFlows"][0]["locations"].as_array();
    assert_eq!(flow.map(Vec::len), Some(4));
    let json = saga_lint::to_json(&findings);
    assert_eq!(json["findings"][0]["code"], "SL005");
    assert_eq!(json["findings"][0]["path"][0]["said"], "SeatHeld");
}
