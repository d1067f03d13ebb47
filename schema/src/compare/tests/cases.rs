//! A pair of schemas for each kind of change.

use serde_json::{Value, json};

use crate::{
    Code,
    Direction::{self, NewReaders, OldReaders},
};

/// An object with these fields, of which these are required.
pub(super) fn object(fields: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": fields, "required": required })
}

fn with(mut schema: Value, name: &str, value: Value) -> Value {
    schema[name] = value;
    schema
}

/// Each kind of change: old, new, and the code, path and broken readers of each change.
pub(super) type Case = (Value, Value, Vec<(Code, &'static str, &'static [Direction])>);

const BOTH: &[Direction] = &[OldReaders, NewReaders];

fn changes_of_fields() -> Vec<Case> {
    let int = || json!({ "type": "integer", "format": "int64" });
    let text = || json!({ "type": "string" });
    let price = || object(json!({ "price": int() }), &["price"]);
    vec![
        (price(), object(json!({}), &[]), vec![(Code::FieldRemoved, "$.price", &[OldReaders])]),
        (
            object(json!({ "price": int() }), &[]),
            object(json!({}), &[]),
            vec![(Code::FieldRemoved, "$.price", &[OldReaders])],
        ),
        (price(), object(json!({ "cost": int() }), &["cost"]), vec![(Code::FieldRenamed, "$.price", BOTH)]),
        (
            price(),
            object(json!({ "name": text() }), &["name"]),
            vec![(Code::FieldRemoved, "$.price", &[OldReaders]), (Code::RequiredFieldAdded, "$.name", &[NewReaders])],
        ),
        // Which of the two it has become is not known.
        (
            price(),
            object(json!({ "cost": int(), "fee": int() }), &["cost", "fee"]),
            vec![
                (Code::FieldRemoved, "$.price", &[OldReaders]),
                (Code::RequiredFieldAdded, "$.cost", &[NewReaders]),
                (Code::RequiredFieldAdded, "$.fee", &[NewReaders]),
            ],
        ),
        (price(), object(json!({ "price": text() }), &["price"]), vec![(Code::Retyped, "$.price", BOTH)]),
        (
            price(),
            object(json!({ "price": int(), "fee": int() }), &["price"]),
            vec![(Code::OptionalFieldAdded, "$.fee", &[])],
        ),
        (
            price(),
            object(json!({ "price": int(), "fee": int() }), &["price", "fee"]),
            vec![(Code::RequiredFieldAdded, "$.fee", &[NewReaders])],
        ),
        (object(json!({ "price": int() }), &[]), price(), vec![(Code::MadeRequired, "$.price", &[NewReaders])]),
        (price(), object(json!({ "price": int() }), &[]), vec![(Code::MadeOptional, "$.price", &[OldReaders])]),
        (
            object(json!({ "price": with(int(), "default", json!(1)) }), &[]),
            object(json!({ "price": with(int(), "default", json!(2)) }), &[]),
            vec![(Code::DefaultChanged, "$.price", &[NewReaders])],
        ),
    ]
}

fn changes_of_further_fields() -> Vec<Case> {
    let int = || json!({ "type": "integer", "format": "int64" });
    let text = || json!({ "type": "string" });
    let price = || object(json!({ "price": int() }), &["price"]);
    vec![
        // Readers that refuse what they do not know.
        (
            with(price(), "additionalProperties", json!(false)),
            with(object(json!({ "price": int(), "fee": int() }), &["price"]), "additionalProperties", json!(false)),
            vec![(Code::OptionalFieldAdded, "$.fee", &[OldReaders])],
        ),
        (
            with(price(), "additionalProperties", json!(false)),
            with(object(json!({}), &[]), "additionalProperties", json!(false)),
            vec![(Code::FieldRemoved, "$.price", BOTH)],
        ),
        (price(), with(price(), "additionalProperties", json!(false)), vec![(Code::Tightened, "$", &[NewReaders])]),
        (with(price(), "additionalProperties", json!(false)), price(), vec![(Code::Loosened, "$", &[OldReaders])]),
        (
            json!({ "type": "object", "additionalProperties": int() }),
            json!({ "type": "object", "additionalProperties": text() }),
            vec![(Code::Retyped, "$.*", BOTH)],
        ),
        (
            json!({ "type": "object" }),
            json!({ "type": "object", "additionalProperties": text() }),
            vec![(Code::Tightened, "$", &[NewReaders])],
        ),
        (
            json!({ "type": "object", "additionalProperties": text() }),
            json!({ "type": "object" }),
            vec![(Code::Loosened, "$", &[OldReaders])],
        ),
        (
            json!({ "type": "object", "additionalProperties": text() }),
            json!({ "type": "object", "additionalProperties": false }),
            vec![(Code::Tightened, "$", &[NewReaders])],
        ),
        (
            json!({ "type": "object", "additionalProperties": false }),
            json!({ "type": "object", "additionalProperties": text() }),
            vec![(Code::Loosened, "$", &[OldReaders])],
        ),
        (
            object(json!({ "a b": int() }), &["a b"]),
            object(json!({ "a b": text() }), &["a b"]),
            vec![(Code::Retyped, "$[\"a b\"]", BOTH)],
        ),
    ]
}

fn changes_of_values() -> Vec<Case> {
    let of = |name: &str| json!({ "type": name });
    let kinds = |all: &[&str]| json!({ "type": "string", "enum": all });
    vec![
        (of("integer"), of("number"), vec![(Code::Loosened, "$", &[OldReaders])]),
        (of("number"), of("integer"), vec![(Code::Tightened, "$", &[NewReaders])]),
        (of("string"), json!({ "type": ["string", "integer"] }), vec![(Code::Loosened, "$", &[OldReaders])]),
        (json!({ "type": ["string", "integer"] }), of("string"), vec![(Code::Tightened, "$", &[NewReaders])]),
        (json!({}), of("string"), vec![(Code::Tightened, "$", &[NewReaders])]),
        (of("string"), json!(true), vec![(Code::Loosened, "$", &[OldReaders])]),
        (of("string"), json!(false), vec![(Code::Tightened, "$", &[NewReaders])]),
        (of("string"), json!({ "type": ["string", "null"] }), vec![(Code::MadeNullable, "$", &[OldReaders])]),
        (json!({ "type": ["string", "null"] }), of("string"), vec![(Code::NoLongerNullable, "$", &[NewReaders])]),
        (of("string"), json!({ "anyOf": [of("string"), of("null")] }), vec![(Code::MadeNullable, "$", &[OldReaders])]),
        (kinds(&["a"]), kinds(&["a", "b"]), vec![(Code::ValueAdded, "$", &[OldReaders])]),
        (kinds(&["a", "b"]), kinds(&["a"]), vec![(Code::ValueRemoved, "$", &[NewReaders])]),
        (kinds(&["a"]), of("string"), vec![(Code::Loosened, "$", &[OldReaders])]),
        (of("string"), kinds(&["a"]), vec![(Code::Tightened, "$", &[NewReaders])]),
        (json!({ "const": "a" }), json!({ "enum": ["a", "b"] }), vec![(Code::ValueAdded, "$", &[OldReaders])]),
        // Values that are documented have a branch each.
        (
            kinds(&["a", "b"]),
            json!({ "oneOf": [{ "const": "a", "type": "string", "description": "A." }, { "enum": ["b", "c"], "type": "string" }] }),
            vec![(Code::ValueAdded, "$", &[OldReaders])],
        ),
        (
            json!({ "type": "array", "items": of("string") }),
            json!({ "type": "array", "items": of("integer") }),
            vec![(Code::Retyped, "$[*]", BOTH)],
        ),
        (
            json!({ "type": "array" }),
            json!({ "type": "array", "items": of("string") }),
            vec![(Code::Tightened, "$[*]", &[NewReaders])],
        ),
        (
            json!({ "type": "array", "prefixItems": [of("string"), of("string")] }),
            json!({ "type": "array", "prefixItems": [of("string"), of("integer")] }),
            vec![(Code::Retyped, "$[1]", BOTH)],
        ),
        (
            json!({ "type": "array", "prefixItems": [of("string")] }),
            json!({ "type": "array", "prefixItems": [of("string"), of("string")] }),
            vec![(Code::Retyped, "$", BOTH)],
        ),
    ]
}

fn changes_of_constraints() -> Vec<Case> {
    let tightened = || vec![(Code::Tightened, "$", &[NewReaders] as &[_])];
    let loosened = || vec![(Code::Loosened, "$", &[OldReaders] as &[_])];
    let mut cases: Vec<Case> = Vec::new();
    let lower = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
    let upper = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
    for (names, weak, strong) in [(lower, 1, 2), (upper, 2, 1)] {
        for name in names {
            let limit = |value: i64| json!({ name: value });
            cases.push((json!({}), limit(weak), tightened()));
            cases.push((limit(weak), limit(strong), tightened()));
            cases.push((limit(strong), limit(weak), loosened()));
            cases.push((limit(weak), json!({}), loosened()));
        }
    }
    for (name, one, other) in [
        ("pattern", json!("^a$"), json!("^b$")),
        ("multipleOf", json!(2), json!(3)),
        ("uniqueItems", json!(true), json!(false)),
        ("contentEncoding", json!("base64"), json!("base32")),
        ("contentMediaType", json!("text/plain"), json!("text/html")),
    ] {
        cases.push((json!({}), json!({ name: one }), tightened()));
        cases.push((json!({ name: one }), json!({}), loosened()));
        cases.push((json!({ name: one }), json!({ name: other }), vec![(Code::Unjudged, "$", BOTH)]));
    }
    let text = |format: &str| json!({ "type": "string", "format": format });
    cases.push((text("uuid"), text("date"), vec![(Code::Retyped, "$", BOTH)]));
    cases.push((json!({ "type": "string" }), text("uuid"), tightened()));
    cases.push((text("uuid"), json!({ "type": "string" }), loosened()));
    let number = |format: &str| json!({ "type": "integer", "format": format });
    let twice = |cases: Vec<(Code, &'static str, &'static [Direction])>| [cases.clone(), cases].concat();
    cases.push((number("int32"), number("int64"), twice(loosened())));
    cases.push((number("int64"), number("int32"), twice(tightened())));
    cases.push((number("uint8"), number("uint16"), loosened()));
    cases.push((number("int64"), json!({ "type": "integer" }), twice(loosened())));
    cases.push((number("int64"), json!({ "type": "number", "format": "double" }), loosened()));
    // Not understood: a reader may depend on it.
    for (name, value) in [
        ("patternProperties", json!({ "^a$": { "type": "string" } })),
        ("not", json!({ "type": "string" })),
        ("allOf", json!([{ "type": "string" }])),
        ("dependentRequired", json!({ "price": ["fee"] })),
        ("propertyNames", json!({ "maxLength": 2 })),
        ("contains", json!({ "type": "string" })),
    ] {
        cases.push((json!({}), json!({ name: value }), vec![(Code::Unjudged, "$", BOTH)]));
    }
    cases
}

fn changes_of_variants() -> Vec<Case> {
    let tagged = |kind: &str| object(json!({ "kind": { "const": kind }, "price": { "type": "integer" } }), &["kind"]);
    let outside = |kind: &str, of: &str| object(json!({ kind: { "type": of } }), &[kind]);
    let any = |variants: Vec<Value>| json!({ "anyOf": variants });
    vec![
        (
            any(vec![tagged("a"), tagged("b")]),
            any(vec![tagged("b"), tagged("a"), tagged("c")]),
            vec![(Code::ValueAdded, "$", &[OldReaders])],
        ),
        (
            any(vec![tagged("a"), tagged("b")]),
            any(vec![tagged("a"), tagged("c")]),
            vec![(Code::ValueAdded, "$", &[OldReaders]), (Code::ValueRemoved, "$", &[NewReaders])],
        ),
        (
            any(vec![outside("a", "string"), outside("b", "string")]),
            any(vec![outside("a", "string"), outside("b", "integer")]),
            vec![(Code::Retyped, "$.b", BOTH)],
        ),
        (any(vec![tagged("a"), tagged("b")]), json!({ "type": "object" }), vec![(Code::Retyped, "$", BOTH)]),
        (json!({ "type": "object" }), any(vec![tagged("a"), tagged("b")]), vec![(Code::Retyped, "$", BOTH)]),
        // Nothing tells these apart.
        (
            any(vec![object(json!({ "x": {}, "y": {} }), &[]), object(json!({ "x": {}, "z": {} }), &[])]),
            any(vec![object(json!({ "x": {}, "y": {} }), &[]), object(json!({ "x": {}, "w": {} }), &[])]),
            vec![(Code::Unjudged, "$", BOTH)],
        ),
    ]
}

pub(super) fn all_cases() -> Vec<Case> {
    [
        changes_of_fields(),
        changes_of_further_fields(),
        changes_of_values(),
        changes_of_constraints(),
        changes_of_variants(),
    ]
    .concat()
}
