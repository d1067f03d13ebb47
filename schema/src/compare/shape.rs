//! A schema as the comparison sees it: references followed, and types, null and enumerations in one form.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::references::{Followed, merge};

/// Keywords that say something to people, or hold definitions: readers do not depend on them.
const ANNOTATIONS: [&str; 10] =
    ["$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "title", "description", "examples", "deprecated"];
/// Keywords that the comparison understands.
const UNDERSTOOD: [&str; 28] = [
    "type",
    "default",
    "enum",
    "const",
    "oneOf",
    "anyOf",
    "properties",
    "required",
    "additionalProperties",
    "unevaluatedProperties",
    "items",
    "prefixItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "format",
    "pattern",
    "multipleOf",
    "uniqueItems",
    "contentEncoding",
    "contentMediaType",
];
/// Types of JSON values. An integer is a number.
const TYPES: [&str; 6] = ["array", "boolean", "null", "number", "object", "string"];
/// Alternatives inside of each other that are followed for their types. One may contain itself.
const DEEPEST: usize = 8;
/// Keywords that hold alternatives.
const UNIONS: [&str; 2] = ["oneOf", "anyOf"];

/// One schema.
pub(super) struct Shape {
    pub(super) types: BTreeSet<String>,
    /// Values of an enumeration; None if any value of the types is allowed, or there are variants alone. Null is among the types.
    pub(super) values: Option<Vec<Value>>,
    /// Alternatives, none of which is a single value.
    pub(super) variants: Vec<Value>,
    keywords: Map<String, Value>,
}

impl Shape {
    /// The shape of a schema in a document.
    pub(super) fn of(document: &Value, schema: &Value) -> Self {
        Shape::within(document, schema, 0)
    }

    /// The shape of a schema inside of so many alternatives.
    fn within(document: &Value, schema: &Value, depth: usize) -> Self {
        let Followed { mut keywords, references } = Followed::of(document, schema);
        let Alternatives { branches, null } = Alternatives::taken_from(document, &mut keywords, references);
        let mut is_nullable = null;
        let mut variants: Vec<Value> = Vec::new();
        let mut constants: Vec<Value> = Vec::new();
        let mut types_of_branches = BTreeSet::new();
        let is_choice = !branches.is_empty();
        for branch in branches {
            let followed = Followed::of(document, &branch);
            match values(&followed.keywords) {
                Some(some) => {
                    types_of_branches.extend(types(&followed.keywords, Some(&some)));
                    constants.extend(some);
                }
                None => {
                    if depth < DEEPEST {
                        types_of_branches.extend(Shape::within(document, &branch, depth + 1).types);
                    }
                    variants.push(branch);
                }
            }
        }
        let mut values = match (values(&keywords), constants.is_empty()) {
            (own, true) => own,
            (None, false) => Some(constants),
            (Some(own), false) => Some(own.into_iter().filter(|value| constants.contains(value)).collect()),
        };
        let mut types = match is_choice && !keywords.contains_key("type") && !types_of_branches.is_empty() {
            true => types_of_branches,
            false => types(&keywords, values.as_deref()),
        };
        if let Some(values) = values.as_mut().filter(|_| variants.is_empty()) {
            // Null is told by the types, be it a value, a type or a branch.
            let has_null = values.contains(&Value::Null);
            if has_null && values.len() > 1 {
                values.retain(|value| !value.is_null());
                is_nullable |= allows_null(&keywords);
            }
            if !has_null || !values.contains(&Value::Null) {
                types.remove("null");
            }
        }
        if is_nullable {
            types.insert("null".to_owned());
        }
        Shape { types, values, variants, keywords }
    }

    /// Returns whether it is one of several that are told: values or variants.
    pub(super) fn is_choice(&self) -> bool {
        self.values.is_some() || !self.variants.is_empty()
    }

    pub(super) fn keyword(&self, name: &str) -> Option<&Value> {
        self.keywords.get(name)
    }

    /// Fields of an object.
    pub(super) fn fields(&self) -> Map<String, Value> {
        self.keyword("properties").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// Returns whether every object has the field.
    pub(super) fn requires(&self, field: &str) -> bool {
        self.keyword("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|name| name == field))
    }

    /// Names of the fields that every object has.
    pub(super) fn required(&self) -> Vec<String> {
        let names = self.keyword("required").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Schema of the fields that are not named.
    pub(super) fn further_fields(&self) -> &Value {
        let told = ["additionalProperties", "unevaluatedProperties"].into_iter().find_map(|name| self.keyword(name));
        told.unwrap_or(&Value::Bool(true))
    }

    /// Returns whether objects may have any other fields than those that are named.
    pub(super) fn is_open(&self) -> bool {
        *self.further_fields() == Value::Bool(true)
    }

    /// Names of keywords that neither the comparison nor a reader understands.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &String> {
        self.keywords.keys().filter(|name| !is_remark(name) && !UNDERSTOOD.contains(&name.as_str()))
    }
}

/// Alternatives of a schema, of which null is told apart.
struct Alternatives {
    branches: Vec<Value>,
    null: bool,
}

impl Alternatives {
    /// Takes the alternatives out of the keywords. What may be null as well, and is one thing otherwise, is that thing: its
    /// keywords are added. `trail` has the references that led here.
    fn taken_from(document: &Value, keywords: &mut Map<String, Value>, mut trail: Vec<String>) -> Self {
        let mut all = Alternatives { branches: Vec::new(), null: false };
        while let Some(union) = UNIONS.into_iter().find(|union| keywords.get(*union).is_some_and(Value::is_array)) {
            let Some(Value::Array(branches)) = keywords.remove(union) else { break };
            let (null, rest): (Vec<Value>, Vec<Value>) =
                branches.into_iter().partition(|branch| Followed::of(document, branch).is_null());
            let may_be_null = allows_null(keywords);
            all.null |= may_be_null && !null.is_empty();
            if let ([only], false) = (&rest[..], null.is_empty()) {
                let followed = Followed::of(document, only);
                if !followed.references.iter().any(|reference| trail.contains(reference)) {
                    merge(keywords, followed.keywords);
                    trail.extend(followed.references);
                    continue;
                }
            }
            let is_null = all.null;
            all.add(document, rest, &mut trail);
            all.null = is_null || may_be_null && all.null;
            break;
        }
        // Two unions hold both.
        for union in UNIONS {
            let beside = keywords.remove(union);
            keywords.extend(beside.map(|branches| (format!("{union} beside another"), branches)));
        }
        all
    }

    /// Adds branches, and those of branches that are nothing but alternatives. One that contains itself adds nothing to itself.
    fn add(&mut self, document: &Value, branches: Vec<Value>, trail: &mut Vec<String>) {
        for branch in branches {
            let followed = Followed::of(document, &branch);
            if followed.is_null() {
                self.null = true;
                continue;
            }
            let Some(inner) = followed.alternatives().cloned() else {
                self.branches.push(branch);
                continue;
            };
            if followed.references.iter().any(|reference| trail.contains(reference)) {
                continue;
            }
            let above = trail.len();
            trail.extend(followed.references);
            self.add(document, inner, trail);
            trail.truncate(above);
        }
    }
}

/// Returns whether a keyword says something to people, or holds definitions.
pub(super) fn is_remark(name: &str) -> bool {
    ANNOTATIONS.contains(&name) || name.starts_with("x-")
}

/// Returns whether the type of a schema allows null.
fn allows_null(keywords: &Map<String, Value>) -> bool {
    types(keywords, None).contains("null")
}

fn types(keywords: &Map<String, Value>, values: Option<&[Value]>) -> BTreeSet<String> {
    let name = |value: &Value| value.as_str().map(str::to_owned);
    match (keywords.get("type"), values) {
        (Some(Value::String(only)), _) => BTreeSet::from([only.clone()]),
        (Some(Value::Array(several)), _) => several.iter().filter_map(name).collect(),
        (_, Some(values)) => values.iter().map(|value| type_of(value).to_owned()).collect(),
        _ => TYPES.map(str::to_owned).into(),
    }
}

fn values(keywords: &Map<String, Value>) -> Option<Vec<Value>> {
    let constant = keywords.get("const").map(|only| vec![only.clone()]);
    constant.or_else(|| keywords.get("enum").and_then(Value::as_array).cloned())
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
