use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::compare;
use crate::{
    Change, Code,
    Direction::{self, NewReaders, OldReaders},
};
use cases::{all_cases, object};

mod cases;
mod hidden;

#[test]
fn each_change_has_its_code_its_place_and_the_readers_that_it_breaks() {
    let mut seen = BTreeSet::new();
    for (old, new, expected) in all_cases() {
        let changes = compare(&old, &new);
        let found: Vec<(Code, &str, &[Direction])> =
            changes.iter().map(|Change { code, path, breaks, .. }| (*code, path.as_str(), breaks.as_slice())).collect();
        assert_eq!(found, expected, "{old} → {new}: {changes:?}");
        seen.extend(changes.iter().map(|change| change.code));
    }
    assert_eq!(seen, BTreeSet::from(Code::ALL), "every code has a case");
}

/// The same changes below a field, in an array, and behind a reference.
#[test]
fn a_change_is_found_wherever_it_is() {
    for (old, new, expected) in all_cases() {
        let inside = |schema: &Value| {
            let mut outer =
                object(json!({ "items": { "type": "array", "items": { "$ref": "#/$defs/Item" } } }), &["items"]);
            outer["$defs"] = json!({ "Item": { "$ref": "#/$defs/Inner" }, "Inner": schema });
            outer
        };
        let found: Vec<(Code, String)> =
            compare(&inside(&old), &inside(&new)).into_iter().map(|change| (change.code, change.path)).collect();
        let expected: Vec<(Code, String)> =
            expected.into_iter().map(|(code, path, _)| (code, path.replacen('$', "$.items[*]", 1))).collect();
        assert_eq!(found, expected, "{old} → {new}");
    }
}

#[test]
fn what_is_said_to_people_only_is_no_change() {
    let old = object(json!({ "price": { "type": "integer" } }), &["price"]);
    let new = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "RoomHeld", "description": "A room is held.",
        "type": "object", "required": ["price"], "x-version": 2, "examples": [{ "price": 1 }],
        "properties": { "price": { "$ref": "#/$defs/Price", "description": "Whole cents." } },
        "$defs": { "Price": { "type": "integer", "default": 0, "deprecated": true } },
    });
    assert_eq!(compare(&old, &new), []);
    assert_eq!(compare(&new, &old), []);
    let moved = json!({ "$ref": "https://example.com/price.json" });
    assert_eq!(compare(&moved, &moved), []);
    assert_eq!(compare(&moved, &json!({ "$ref": "https://example.com/cost.json" }))[0].code, Code::Unjudged);
}

#[test]
fn a_type_that_contains_itself_is_compared_once() {
    let tree = |leaf: &str| {
        json!({ "$ref": "#/$defs/Tree", "$defs": { "Tree": object(
            json!({
                "leaf": { "type": leaf },
                "next": { "anyOf": [{ "$ref": "#/$defs/Tree" }, { "type": "null" }] },
                "more": { "type": "array", "items": { "$ref": "#/$defs/Tree" } },
            }),
            &["leaf"],
        ) } })
    };
    assert_eq!(compare(&tree("string"), &tree("string")), []);
    let changes = compare(&tree("string"), &tree("integer"));
    let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    assert!(paths.contains(&"$.leaf") && changes.iter().all(|change| change.code == Code::Retyped), "{paths:?}");
    let nested = |leaf: &str| json!({ "$ref": "#/$defs/Nested", "$defs": { "Nested": { "anyOf": [{ "$ref": "#/$defs/Nested" }, { "type": leaf }] } } });
    assert_eq!(compare(&nested("string"), &nested("string")), []);
    assert!(!compare(&nested("string"), &nested("integer")).is_empty());
    let endless = json!({ "$ref": "#/$defs/A", "$defs": { "A": { "$ref": "#/$defs/A" } } });
    assert_eq!(compare(&endless, &endless), []);
}

/// Data that tells schemas apart.
fn samples() -> Vec<Value> {
    let mut all = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(2),
        json!(3),
        json!(-1),
        json!(300),
        json!(70_000),
        json!(1.5),
        json!(5_000_000_000_i64),
        json!(""),
        json!("a"),
        json!("b"),
        json!("c"),
        json!("abc"),
        json!([]),
        json!([1]),
        json!([1, 1]),
        json!(["a"]),
        json!(["a", "b"]),
        json!(["a", 1]),
        json!({}),
        json!({ "kind": "a" }),
        json!({ "kind": "c" }),
        json!({ "x": 1, "w": 1 }),
        json!("0192f0c1-1111-7222-8333-444455556666"),
        json!("2026-01-01"),
    ];
    for name in ["price", "cost", "fee", "name", "a b", "a", "b", "of somebody else"] {
        all.extend([json!(1), json!("a"), json!(null)].map(|value| json!({ name: value })));
        all.push(json!({ name: 1, "price": 1 }));
    }
    all.push(json!({ "price": 1, "cost": 1, "fee": 1, "name": "a" }));
    all
}

/// What a publisher of this version writes: no fields but those that it knows.
fn as_published(schema: &Value) -> Value {
    let mut closed = schema.clone();
    if closed["type"] == "object" && closed.get("additionalProperties").is_none() {
        closed["additionalProperties"] = json!(false);
    }
    for variant in closed.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten() {
        *variant = as_published(variant);
    }
    closed
}

/// No break goes unnoticed: where a validator finds data that one version publishes and the other refuses, the comparison has
/// said so, for every pair of the schemas above.
#[test]
fn the_comparison_agrees_with_a_validator() {
    let mut schemas: Vec<Value> = Vec::new();
    for schema in all_cases().into_iter().flat_map(|(old, new, _)| [old, new]) {
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    let samples = samples();
    let accepts = |schema: &Value| -> Vec<bool> {
        let validator = jsonschema::options().should_validate_formats(true).build(schema).expect("a schema");
        samples.iter().map(|data| validator.is_valid(data)).collect()
    };
    let published: Vec<Vec<bool>> = schemas.iter().map(|schema| accepts(&as_published(schema))).collect();
    let read: Vec<Vec<bool>> = schemas.iter().map(accepts).collect();
    let mut breaks = 0;
    for (old_place, old) in schemas.iter().enumerate() {
        for (new_place, new) in schemas.iter().enumerate() {
            let changes = compare(old, new);
            let said = |direction| changes.iter().any(|change| change.breaks.contains(&direction));
            for (writer, reader, direction) in [(old_place, new_place, NewReaders), (new_place, old_place, OldReaders)]
            {
                let unread = (0..samples.len()).find(|data| published[writer][*data] && !read[reader][*data]);
                let Some(data) = unread else { continue };
                breaks += 1;
                assert!(said(direction), "{old} → {new}: {} breaks {direction:?}: {changes:?}", samples[data]);
            }
        }
    }
    assert!(breaks > 1_000, "only {breaks} breaks");
}
