//! Findings as text, JSON and SARIF.

use serde_json::{Value, json};

use crate::{Code, Finding};

/// Text for people: a finding is a line, its path and how to mend it.
pub fn to_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { code, message, path, mend } in findings {
        text.push_str(&format!("{code} {}: {message}\n", code.name()));
        for hop in path {
            text.push_str(&format!("    {hop}\n"));
        }
        text.push_str(&format!("  mend: {mend}\n\n"));
    }
    match findings.len() {
        0 => text.push_str("no findings\n"),
        1 => text.push_str("1 finding\n"),
        count => text.push_str(&format!("{count} findings\n")),
    }
    text
}

/// JSON: `{"findings": [{"code", "message", "path": [{"on", "service", "decision", "said"}], "mend"}]}`.
pub fn to_json(findings: &[Finding]) -> Value {
    json!({ "findings": findings })
}

/// SARIF 2.1.0, which editors and code scanners read. A service is a logical location: a table has no file and no line, which
/// some code hosts want before they show a result.
pub fn to_sarif(findings: &[Finding]) -> Value {
    let location = |service: &str, decision: &str| {
        json!({ "logicalLocations": [{
            "name": decision, "fullyQualifiedName": format!("{service}::{decision}"), "kind": "function"
        }] })
    };
    let rules: Vec<Value> = Code::ALL
        .into_iter()
        .map(|code| json!({ "id": code.id(), "name": code.name(), "shortDescription": { "text": code.explanation() } }))
        .collect();
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let steps: Vec<Value> = finding
                .path
                .iter()
                .map(|hop| {
                    let mut location = location(&hop.service, &hop.decision);
                    location["message"] = json!({ "text": hop.to_string() });
                    json!({ "location": location })
                })
                .collect();
            let last = finding.path.last();
            json!({
                "ruleId": finding.code.id(),
                "level": "error",
                "message": { "text": format!("{}. To mend it, {}.", finding.message, finding.mend) },
                "locations": last.map(|hop| location(&hop.service, &hop.decision)).into_iter().collect::<Vec<_>>(),
                "codeFlows": [{ "threadFlows": [{ "locations": steps }] }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "saga-lint", "version": env!("CARGO_PKG_VERSION"), "rules": rules
            } },
            "results": results,
        }],
    })
}
