//! What a schema says together with what it refers to.

use serde_json::{Map, Value};

use super::shape::is_remark;

/// The keywords of a schema, with those of what it refers to.
pub(super) struct Followed {
    pub(super) keywords: Map<String, Value>,
    /// References that were followed.
    pub(super) references: Vec<String>,
}

impl Followed {
    pub(super) fn of(document: &Value, schema: &Value) -> Self {
        let mut followed = Followed { keywords: keywords_of(schema), references: Vec::new() };
        while let Some(Value::String(reference)) = followed.keywords.remove("$ref") {
            if followed.references.contains(&reference) {
                break;
            }
            let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
            match target {
                Some(target) => merge(&mut followed.keywords, keywords_of(target)),
                // Elsewhere: only whether it is the same place is known.
                None => {
                    followed.keywords.insert("$ref elsewhere".to_owned(), reference.clone().into());
                }
            }
            followed.references.push(reference);
        }
        followed
    }

    /// Returns whether only null is allowed.
    pub(super) fn is_null(&self) -> bool {
        self.keywords.get("type") == Some(&"null".into())
    }

    /// The alternatives, if they are all that the schema says.
    pub(super) fn alternatives(&self) -> Option<&Vec<Value>> {
        let mut said = self.keywords.iter().filter(|(name, _)| !is_remark(name) && *name != "default");
        let ("oneOf" | "anyOf", Value::Array(branches)) = said.next().map(|(name, value)| (name.as_str(), value))?
        else {
            return None;
        };
        said.next().is_none().then_some(branches)
    }
}

fn keywords_of(schema: &Value) -> Map<String, Value> {
    match schema {
        Value::Object(keywords) => keywords.clone(),
        Value::Bool(false) => Map::from_iter([("type".to_owned(), Value::Array(Vec::new()))]),
        _ => Map::new(),
    }
}

/// Adds keywords: both hold. Where two cannot be put together, the second has a name that nothing understands.
pub(super) fn merge(keywords: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        match (name.as_str(), keywords.get_mut(&name), value) {
            (_, None, value) => drop(keywords.insert(name, value)),
            (_, Some(own), value) if *own == value || is_remark(&name) || name == "default" => {}
            ("properties", Some(Value::Object(own)), Value::Object(more)) => merge_fields(own, more),
            ("required", Some(Value::Array(own)), Value::Array(more)) => {
                let new: Vec<Value> = more.into_iter().filter(|field| !own.contains(field)).collect();
                own.extend(new);
            }
            (_, Some(_), value) => {
                let mut free = format!("{name} of a reference");
                while keywords.contains_key(&free) {
                    free.push_str(" of a reference");
                }
                keywords.insert(free, value);
            }
        }
    }
}

fn merge_fields(own: &mut Map<String, Value>, more: Map<String, Value>) {
    for (field, schema) in more {
        match own.get_mut(&field) {
            Some(other) if *other == schema => {}
            Some(other) => *other = serde_json::json!({ "allOf": [other.take(), schema] }),
            None => drop(own.insert(field, schema)),
        }
    }
}
