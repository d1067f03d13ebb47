//! Choreographies without a fault, and with faults of each kind: the lint names exactly those. A file's name begins with the
//! codes of its faults, or with `none`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use saga::{
    choreography::{Kind, On, Part, Reaction},
    table::Phase,
};
use saga_lint::{Code, Finding, Lint, to_text};
use serde::Deserialize;

/// A file of the folder `faults`.
#[derive(Deserialize)]
struct Case {
    /// The first finding's message.
    #[serde(default)]
    finding: String,
    tables: Vec<Part>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults")
}

fn case(name: &str) -> Case {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Each case's name, and the codes that it begins with.
fn cases() -> BTreeMap<String, BTreeSet<Code>> {
    let files = std::fs::read_dir(folder()).expect("the folder is there");
    let names = files.map(|file| file.expect("a file").path().file_stem().expect("a name").display().to_string());
    let named = names.map(|name| {
        let words = name.split('-').next().unwrap_or_default().to_owned();
        let codes = words.split('+').filter(|word| *word != "none").map(|word| word.parse().expect("a code"));
        (name, codes.collect())
    });
    named.collect()
}

fn codes(findings: &[Finding]) -> BTreeSet<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

fn findings(name: &str) -> Vec<Finding> {
    Lint::of(case(name).tables).findings()
}

#[test]
fn each_fault_is_named_and_nothing_else_is() {
    let cases = cases();
    for (name, expected) in &cases {
        let findings = findings(name);
        assert_eq!(codes(&findings), *expected, "{name}: {}", to_text(&findings));
        let first = findings.first().map_or("", |finding| &finding.message);
        assert_eq!(first, case(name).finding, "{name}");
        assert!(findings.iter().all(|finding| !finding.path.is_empty() && !finding.mend.is_empty()), "{findings:?}");
    }
    let alone = |code: Code| cases.contains_key(code.id());
    assert!(Code::ALL.into_iter().all(alone), "each code has a case of its own");
    assert!(cases.values().filter(|codes| codes.is_empty()).count() > 5, "sound choreographies of several kinds");
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

/// An accepted finding hides no other.
#[test]
fn what_is_allowed_hides_nothing_else() {
    let tables = case("SL001").tables.into_iter().chain(case("SL005").tables.into_iter().map(|mut other| {
        other.service.push_str("-too");
        other.topic = format!("{}.events", other.service);
        other
    }));
    let mut tables: Vec<Part> = tables.collect();
    // The second system is the first one's, under other names.
    for reaction in tables.iter_mut().skip(3).flat_map(|table| &mut table.reactions) {
        if let On::Event { publisher, topic, .. } = &mut reaction.on
            && topic.ends_with(".events")
        {
            publisher.push_str("-too");
            *topic = format!("{publisher}.events");
        }
    }
    let lint =
        Lint::of(tables).allow(Code::UnheardEvent, "a report reads it").allow(Code::TwoPublishers, "two systems");
    assert_eq!(codes(&lint.findings()), BTreeSet::from([Code::StepLeftOpen]), "{}", to_text(&lint.findings()));
}

/// As many lines as fit into the largest table that a program may serve: two thousand sagas, each with a call and a step.
#[test]
fn a_table_as_large_as_tools_accept_is_linted() {
    let line = |on: On, decision: &str, number: usize| Reaction {
        step: Some(format!("s{number}")),
        phase: Some(Phase::Try),
        completes: vec![format!("E{number}")],
        ..Reaction::new(on, decision, vec![format!("E{number}")])
    };
    let saga = |number: usize| {
        let (event, call) = (format!("Wanted{number}"), format!("c{number}"));
        let wanted = On::Event { event, publisher: "client".into(), topic: "x.requests".into(), version: 1 };
        let asks = Reaction { asks: vec![call.clone()], ..line(wanted, "ask", number) };
        [asks, line(On::Occasion { occasion: call, kind: Kind::Answer }, "settle", number)]
    };
    let reactions = (0..2_000).flat_map(saga).collect();
    let findings = Lint::of([Part { service: "x".into(), topic: "x.events".into(), reactions }]).findings();
    assert_eq!(codes(&findings), BTreeSet::from([Code::StepLeftOpen]), "nobody confirms a step");
    assert_eq!(findings.len(), 2_000);
}

/// The order of tables and of their lines is of no consequence.
#[test]
fn the_order_of_tables_changes_nothing() {
    for (name, expected) in cases() {
        let mut tables = case(&name).tables;
        tables.reverse();
        tables.iter_mut().for_each(|table| table.reactions.reverse());
        assert_eq!(codes(&Lint::of(tables).findings()), expected, "{name}");
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
