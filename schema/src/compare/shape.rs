//! A schema as the comparison sees it: references followed, and types, null and enumerations in one form.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Keywords that say something to people, or hold definitions: readers do not depend on them.
const ANNOTATIONS: [&str; 13] = [
    "$schema",
    "$id",
    "$anchor",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "examples",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
];
/// Keywords that the comparison understands.
const UNDERSTOOD: [&str; 26] = [
    "type",
    "enum",
    "const",
    "oneOf",
    "anyOf",
    "properties",
    "required",
    "additionalProperties",
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
/// References that are followed one after the other.
const LONGEST_CHAIN: usize = 100;

/// One schema.
pub(super) struct Shape {
    pub(super) types: BTreeSet<String>,
    /// Values of an enumeration; None if any value of the types is allowed.
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
        let mut keywords = followed(document, schema);
        let mut is_nullable = false;
        let mut variants: Vec<Value> = Vec::new();
        for union in ["oneOf", "anyOf"] {
            let Some(branches) = keywords.get(union).and_then(Value::as_array).cloned() else { continue };
            let (null, mut rest): (Vec<Value>, Vec<Value>) =
                branches.into_iter().partition(|branch| followed(document, branch).get("type") == Some(&"null".into()));
            is_nullable |= !null.is_empty();
            keywords.remove(union);
            if rest.len() == 1 && variants.is_empty() {
                merge(&mut keywords, followed(document, &rest.remove(0)));
            }
            variants.extend(rest);
        }
        let constants: Option<Vec<Value>> = variants
            .iter()
            .map(|branch| values(&followed(document, branch)))
            .collect::<Option<Vec<_>>>()
            .map(|all| all.concat());
        let values = match constants {
            Some(constants) if !constants.is_empty() => {
                variants.clear();
                Some(constants)
            }
            _ => values(&keywords),
        };
        let mut types = types(&keywords, values.as_deref());
        if !keywords.contains_key("type") && !variants.is_empty() && depth < DEEPEST {
            types = variants.iter().flat_map(|variant| Shape::within(document, variant, depth + 1).types).collect();
        }
        if is_nullable {
            types.insert("null".to_owned());
        }
        Shape { types, values, variants, keywords }
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

    /// Returns whether objects may have any other fields than those that are named.
    pub(super) fn is_open(&self) -> bool {
        self.keyword("additionalProperties").is_none_or(|further| *further == Value::Bool(true))
    }

    /// Names of keywords that neither the comparison nor a reader understands.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &String> {
        self.keywords.keys().filter(|name| {
            !ANNOTATIONS.contains(&name.as_str()) && !UNDERSTOOD.contains(&name.as_str()) && !name.starts_with("x-")
        })
    }
}

/// The keywords of a schema, with those of what it refers to.
fn followed(document: &Value, schema: &Value) -> Map<String, Value> {
    let mut keywords = keywords_of(schema);
    for _ in 0..LONGEST_CHAIN {
        let Some(Value::String(reference)) = keywords.remove("$ref") else { return keywords };
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        match target {
            Some(target) => merge(&mut keywords, keywords_of(target)),
            // Elsewhere: only whether it is the same place is known.
            None => {
                keywords.insert("$ref elsewhere".to_owned(), reference.into());
            }
        }
    }
    keywords
}

fn keywords_of(schema: &Value) -> Map<String, Value> {
    match schema {
        Value::Object(keywords) => keywords.clone(),
        Value::Bool(false) => Map::from_iter([("type".to_owned(), Value::Array(Vec::new()))]),
        _ => Map::new(),
    }
}

/// Adds keywords. One that is there already with another value holds as well, and is not understood.
fn merge(keywords: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        match keywords.get(&name) {
            None => drop(keywords.insert(name, value)),
            Some(own) if *own == value || ANNOTATIONS.contains(&name.as_str()) => {}
            Some(_) => drop(keywords.insert(format!("{name} of a reference"), value)),
        }
    }
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
