//! Equality of schemas that are not understood: that of what they say and refer to, whatever they say to people.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Comparison, references::Followed, shape::is_remark};

/// Keywords that hold a schema for each name.
const NAMED: [&str; 3] = ["properties", "patternProperties", "dependentSchemas"];
/// Keywords that hold data, in which nothing is a schema.
const DATA: [&str; 5] = ["const", "enum", "default", "required", "dependentRequired"];

impl Comparison<'_> {
    /// Returns whether a keyword has the same meaning in both versions.
    pub(super) fn is_same_keyword(&self, name: &str, old: &Value, new: &Value) -> bool {
        Walk { documents: [self.old, self.new], met: BTreeSet::new() }.keyword(name, old, new)
    }

    /// Returns whether schemas have the same meaning, one by one.
    pub(super) fn are_same(&self, old: &[Value], new: &[Value]) -> bool {
        let mut walk = Walk { documents: [self.old, self.new], met: BTreeSet::new() };
        old.len() == new.len() && old.iter().zip(new).all(|(old, new)| walk.schema(old, new))
    }
}

struct Walk<'a> {
    documents: [&'a Value; 2],
    /// Pairs of schemas that are the same unless a difference is found elsewhere: a type may contain itself.
    met: BTreeSet<(String, String)>,
}

impl Walk<'_> {
    fn schema(&mut self, old: &Value, new: &Value) -> bool {
        let refers = [old, new].iter().any(|schema| schema.get("$ref").is_some());
        if refers && !self.met.insert((old.to_string(), new.to_string())) {
            return true;
        }
        let said = |document, schema| -> Map<String, Value> {
            Followed::of(document, schema).keywords.into_iter().filter(|(name, _)| !is_remark(name)).collect()
        };
        let (old, new) = (said(self.documents[0], old), said(self.documents[1], new));
        self.each(&old, &new, |walk, name, old, new| walk.keyword(name, old, new))
    }

    fn keyword(&mut self, name: &str, old: &Value, new: &Value) -> bool {
        // Without `of a reference`.
        let name = name.split(' ').next().unwrap_or_default();
        match (old, new) {
            _ if DATA.contains(&name) => old == new,
            (Value::Object(old), Value::Object(new)) if NAMED.contains(&name) => {
                self.each(old, new, |walk, _, old, new| walk.schema(old, new))
            }
            _ => self.anything(old, new),
        }
    }

    /// Schemas, lists of them, or anything else.
    fn anything(&mut self, old: &Value, new: &Value) -> bool {
        match (old, new) {
            (Value::Object(_), Value::Object(_)) => self.schema(old, new),
            (Value::Array(old), Value::Array(new)) => {
                old.len() == new.len() && old.iter().zip(new).all(|(old, new)| self.anything(old, new))
            }
            _ => old == new,
        }
    }

    fn each(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        mut is_same: impl FnMut(&mut Self, &str, &Value, &Value) -> bool,
    ) -> bool {
        old.len() == new.len()
            && old.iter().all(|(name, old)| new.get(name).is_some_and(|new| is_same(self, name, old, new)))
    }
}
