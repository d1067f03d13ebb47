//! Equality of what is not understood: of the schemas in it, whatever they say to people, and of everything else as it is.

use serde_json::{Map, Value};

use super::Comparison;

/// Keywords that hold a schema for each name.
const NAMED: [&str; 3] = ["properties", "patternProperties", "dependentSchemas"];
/// Keywords that hold data, in which nothing is a schema.
const DATA: [&str; 5] = ["const", "enum", "default", "required", "dependentRequired"];

impl Comparison<'_> {
    /// Returns whether a keyword has the same meaning in both versions.
    pub(super) fn is_same_keyword(&mut self, name: &str, old: &Value, new: &Value) -> bool {
        // Without `of a reference`.
        let name = name.split(' ').next().unwrap_or_default();
        match (old, new) {
            _ if DATA.contains(&name) => old == new,
            (Value::Object(old), Value::Object(new)) if NAMED.contains(&name) => self.is_same_for_each_name(old, new),
            _ => self.is_same(old, new),
        }
    }

    /// Returns whether schemas have the same meaning, one by one.
    pub(super) fn are_same(&mut self, old: &[Value], new: &[Value]) -> bool {
        old.len() == new.len() && old.iter().zip(new).all(|(old, new)| self.is_same(old, new))
    }

    /// Compares schemas, lists of them, or anything else.
    fn is_same(&mut self, old: &Value, new: &Value) -> bool {
        match (old, new) {
            (Value::Object(_), Value::Object(_)) => {
                let before = self.changes.len();
                self.visit("$", old, new);
                let is_same = self.changes.len() == before;
                self.changes.truncate(before);
                is_same
            }
            (Value::Array(old), Value::Array(new)) => self.are_same(old, new),
            _ => old == new,
        }
    }

    fn is_same_for_each_name(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
        old.len() == new.len() && old.iter().all(|(name, old)| new.get(name).is_some_and(|new| self.is_same(old, new)))
    }
}
