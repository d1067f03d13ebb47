//! Changes behind references, in unions, and of what one schema says about the fields of another.

use serde_json::{Value, json};

use super::{
    super::compare,
    cases::{all_cases, object},
};
use crate::{
    Code,
    Direction::{self, NewReaders, OldReaders},
};

const BOTH: &[Direction] = &[OldReaders, NewReaders];

fn found(old: &Value, new: &Value) -> Vec<(Code, String, Vec<Direction>)> {
    compare(old, new).into_iter().map(|change| (change.code, change.path, change.breaks)).collect()
}

fn expect(old: &Value, new: &Value, expected: &[(Code, &str, &[Direction])]) {
    let expected: Vec<_> =
        expected.iter().map(|(code, path, breaks)| (*code, (*path).to_owned(), breaks.to_vec())).collect();
    assert_eq!(found(old, new), expected, "{old} → {new}");
}

/// An `Option` of a type of its own, twice over.
#[test]
fn a_change_is_found_inside_of_what_may_be_null() {
    let optional =
        |schema: &Value| json!({ "anyOf": [{ "$ref": "#/$defs/K" }, { "type": "null" }], "$defs": { "K": schema } });
    let twice = |schema: &Value| {
        json!({ "anyOf": [{ "$ref": "#/$defs/O" }, { "type": "null" }],
            "$defs": { "O": { "anyOf": [{ "$ref": "#/$defs/K" }, { "type": "null" }] }, "K": schema } })
    };
    for (old, new, expected) in all_cases() {
        if expected.iter().any(|(code, ..)| [Code::MadeNullable, Code::NoLongerNullable].contains(code)) {
            continue;
        }
        expect(&optional(&old), &optional(&new), &expected);
        expect(&twice(&old), &twice(&new), &expected);
    }
    let kinds = |all: &[&str]| json!({ "oneOf": all.iter().map(|kind| json!({ "const": kind, "description": kind })).collect::<Vec<_>>() });
    expect(&optional(&kinds(&["a"])), &optional(&kinds(&["a", "b"])), &[(Code::ValueAdded, "$", &[OldReaders])]);
    expect(&optional(&kinds(&["a", "b"])), &optional(&kinds(&["b"])), &[(Code::ValueRemoved, "$", &[NewReaders])]);
    expect(&optional(&kinds(&["a"])), &json!({ "type": ["string", "null"], "enum": ["a", null] }), &[]);
}

fn with(mut schema: Value, definitions: Value) -> Value {
    schema["$defs"] = definitions;
    schema
}

/// Where schemas are compared as they are, what they refer to is compared, too, and what they say to people is not.
#[test]
fn references_are_followed_where_nothing_else_is_understood() {
    let data = |of: &str, said: &str| object(json!({ "x": { "type": of, "description": said }, "title": {} }), &[]);
    let definitions =
        |of: &str, said: &str| json!({ "A": data(of, said), "B": object(json!({ "x": {}, "y": {} }), &[]) });
    let to_a = || json!({ "$ref": "#/$defs/A" });
    for schema in [
        json!({ "anyOf": [to_a(), { "$ref": "#/$defs/B" }] }),
        json!({ "type": "object", "patternProperties": { "^[0-9]+$": to_a() }, "additionalProperties": false }),
        json!({ "allOf": [to_a()] }),
        json!({ "not": to_a() }),
        json!({ "type": "array", "contains": to_a() }),
        json!({ "type": "object", "propertyNames": to_a() }),
        json!({ "allOf": [{ "$ref": "#/$defs/C" }] }),
    ] {
        let document = |of: &str, said: &str| {
            let mut definitions = definitions(of, said);
            definitions["C"] = object(json!({ "a": to_a(), "next": { "$ref": "#/$defs/C" } }), &[]);
            with(schema.clone(), definitions)
        };
        let changes = compare(&document("string", "One."), &document("integer", "One."));
        assert_eq!(changes.iter().map(|change| change.code).collect::<Vec<_>>(), [Code::Unjudged], "{schema}");
        expect(&document("string", "One."), &document("string", "In other words."), &[]);
    }
    // Fields that are called like what is said to people.
    let titles = |of: &str| json!({ "allOf": [object(json!({ "title": { "type": of } }), &[])] });
    expect(&titles("string"), &titles("integer"), &[(Code::Unjudged, "$", BOTH)]);
    let renamed = |name: &str| {
        with(json!({ "allOf": [{ "$ref": format!("#/$defs/{name}") }] }), json!({ name: data("string", "") }))
    };
    expect(&renamed("A"), &renamed("Z"), &[]);
}

/// Variants of an enumeration with a tag, of which each holds a type of its own.
#[test]
fn fields_beside_a_reference_are_compared_with_those_behind_it() {
    let tagged = |kind: &str, to: &str| {
        json!({ "type": "object", "properties": { "kind": { "const": kind, "type": "string" } }, "required": ["kind"],
            "$ref": format!("#/$defs/{to}") })
    };
    let document = |of: &str, required: &[&str]| {
        with(
            json!({ "oneOf": [tagged("a", "A"), tagged("b", "B")] }),
            json!({ "A": object(json!({ "price": { "type": of } }), required), "B": object(json!({}), &[]) }),
        )
    };
    let before = document("string", &["price"]);
    expect(&before, &document("string", &["price"]), &[]);
    expect(&before, &document("integer", &["price"]), &[(Code::Retyped, "$.price", BOTH)]);
    expect(&before, &document("string", &[]), &[(Code::MadeOptional, "$.price", &[OldReaders])]);
    // The same field on both sides has to be both.
    let both = |of: &str| {
        with(
            json!({ "properties": { "price": { "type": ["string", "integer"] } }, "$ref": "#/$defs/A" }),
            json!({ "A": object(json!({ "price": { "type": of } }), &[]) }),
        )
    };
    expect(&both("string"), &both("integer"), &[(Code::Unjudged, "$.price", BOTH)]);
}

#[test]
fn a_field_is_required_whether_or_not_it_is_described() {
    let requires = |names: &[&str]| json!({ "type": "object", "required": names });
    expect(&requires(&[]), &requires(&["price"]), &[(Code::MadeRequired, "$.price", &[NewReaders])]);
    expect(&requires(&["price"]), &requires(&[]), &[(Code::MadeOptional, "$.price", &[OldReaders])]);
    let described = object(json!({ "price": {} }), &[]);
    expect(
        &described,
        &requires(&["price"]),
        &[(Code::FieldRemoved, "$.price", &[OldReaders]), (Code::MadeRequired, "$.price", &[NewReaders])],
    );
}

/// Units among variants with data. schemars gives those that are documented a branch each.
#[test]
fn units_among_variants_are_one_enumeration() {
    let data = |name: &str| object(json!({ name: { "type": "integer" } }), &[name]);
    let of = |branches: Vec<Value>| json!({ "oneOf": branches });
    let plain = of(vec![json!({ "type": "string", "enum": ["A", "B"] }), data("C")]);
    let documented = of(vec![
        json!({ "type": "string", "const": "A", "description": "A." }),
        json!({ "type": "string", "const": "B" }),
        data("C"),
    ]);
    expect(&plain, &documented, &[]);
    expect(&documented, &plain, &[]);
    let fewer = of(vec![json!({ "type": "string", "enum": ["A"] }), data("C")]);
    expect(&documented, &fewer, &[(Code::ValueRemoved, "$", &[NewReaders])]);
    expect(&fewer, &documented, &[(Code::ValueAdded, "$", &[OldReaders])]);
    // One variant alone is an enumeration already.
    expect(&of(vec![data("C")]), &of(vec![data("C"), data("D")]), &[(Code::ValueAdded, "$", &[OldReaders])]);
    expect(&of(vec![data("C"), data("D")]), &of(vec![data("C")]), &[(Code::ValueRemoved, "$", &[NewReaders])]);
    expect(
        &of(vec![data("C")]),
        &plain,
        &[
            (Code::Loosened, "$", &[OldReaders]),
            (Code::ValueAdded, "$", &[OldReaders]),
            (Code::ValueAdded, "$", &[OldReaders]),
        ],
    );
}

/// What takes the place of a field that an event leaves out is part of what old events mean.
#[test]
fn another_default_makes_other_events_of_old_ones() {
    let field = |default: Value| object(json!({ "price": { "type": ["integer", "null"], "default": default } }), &[]);
    let none = object(json!({ "price": { "type": ["integer", "null"] } }), &[]);
    let changed: &[_] = &[(Code::DefaultChanged, "$.price", &[NewReaders] as &[_])];
    expect(&field(json!(1)), &field(json!(1)), &[]);
    expect(&field(json!(1)), &field(json!(2)), changed);
    expect(&none, &field(json!(2)), changed);
    expect(&field(json!(2)), &none, changed);
    // An absent `Option` is null.
    expect(&none, &field(json!(null)), &[]);
    let mut required = field(json!(2));
    required["required"] = json!(["price"]);
    expect(&required, &field(json!(1)), &[(Code::MadeOptional, "$.price", &[OldReaders])]);
    let alone = |default: i64| {
        with(
            object(json!({ "price": { "$ref": "#/$defs/P", "default": default } }), &[]),
            json!({ "P": { "type": "integer" } }),
        )
    };
    expect(&alone(1), &alone(2), changed);
}

/// `readOnly` and `writeOnly` say that a field is not in what is written, or not in what is read.
#[test]
fn fields_that_are_written_or_read_only_are_no_remarks() {
    for name in ["readOnly", "writeOnly"] {
        let marked = object(json!({ "price": { name: true } }), &[]);
        expect(&object(json!({ "price": {} }), &[]), &marked, &[(Code::Unjudged, "$.price", BOTH)]);
    }
}

/// `deny_unknown_fields` on a struct with a flattened field.
#[test]
fn readers_that_refuse_further_fields_are_known_by_either_keyword() {
    let closed = |fields: Value| {
        let mut closed = object(fields, &[]);
        closed["unevaluatedProperties"] = json!(false);
        closed
    };
    let (old, new) = (closed(json!({ "price": {} })), closed(json!({ "price": {}, "fee": {} })));
    expect(&old, &new, &[(Code::OptionalFieldAdded, "$.fee", &[OldReaders])]);
}
