//! Comparison of two versions of a schema.

mod constraints;
mod objects;
mod references;
mod same;
mod shape;
mod unions;
mod values;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Change, Code, Direction};
use shape::Shape;

/// Compares two versions of an event's schema. Returns all changes, also those that break nobody; none if the schemas differ only
/// in what they say to people, such as titles and examples.
///
/// Readers are taken to be tolerant, as serde makes them: they skip fields that they do not know. A keyword that is not
/// understood and differs is a change that breaks readers.
pub fn compare(old: &Value, new: &Value) -> Vec<Change> {
    let mut comparison = Comparison { old, new, changes: Vec::new(), above: Vec::new() };
    comparison.visit("$", old, new);
    comparison.changes
}

/// State of a comparison: both documents, to which references lead, and the changes so far.
struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    changes: Vec<Change>,
    /// Pairs of schemas that are being compared, from the outermost to the innermost.
    above: Vec<(Value, Value)>,
}

impl Comparison<'_> {
    fn visit(&mut self, path: &str, old: &Value, new: &Value) {
        let pair = (old.clone(), new.clone());
        // A type that contains itself.
        if self.above.contains(&pair) {
            return;
        }
        self.above.push(pair);
        self.visit_once(path, old, new);
        self.above.pop();
    }

    fn visit_once(&mut self, path: &str, old: &Value, new: &Value) {
        let (old, new) = (Shape::of(self.old, old), Shape::of(self.new, new));
        if !self.types(path, &old, &new) {
            return;
        }
        self.values(path, &old, &new);
        self.constraints(path, &old, &new);
        self.objects(path, &old, &new);
        self.arrays(path, &old, &new);
        self.unions(path, &old, &new);
        self.unknown(path, &old, &new);
    }

    fn arrays(&mut self, path: &str, old: &Shape, new: &Shape) {
        let anything = Value::Bool(true);
        let places =
            |shape: &Shape| shape.keyword("prefixItems").and_then(Value::as_array).cloned().unwrap_or_default();
        let (old_places, new_places) = (places(old), places(new));
        if old_places.len() == new_places.len() {
            for (place, (old, new)) in old_places.iter().zip(&new_places).enumerate() {
                self.visit(&format!("{path}[{place}]"), old, new);
            }
        } else {
            let message = format!("it has {} fixed places, and had {}", new_places.len(), old_places.len());
            self.report(path, Code::Retyped, message);
        }
        let (old, new) = (old.keyword("items"), new.keyword("items"));
        if old.is_some() || new.is_some() {
            self.visit(&format!("{path}[*]"), old.unwrap_or(&anything), new.unwrap_or(&anything));
        }
    }

    /// Differences in keywords that nothing here understands.
    fn unknown(&mut self, path: &str, old: &Shape, new: &Shape) {
        let names: BTreeSet<&String> = old.unknown().chain(new.unknown()).collect();
        for name in names {
            let is_same = match (old.keyword(name), new.keyword(name)) {
                (Some(old), Some(new)) => self.is_same_keyword(name, old, new),
                _ => false,
            };
            if !is_same {
                let message = format!("the keyword `{name}` differs, and is not understood");
                self.report(path, Code::Unjudged, message);
            }
        }
    }

    fn report(&mut self, path: &str, code: Code, message: String) {
        self.report_breaking(path, code, message, code.breaks());
    }

    fn report_breaking(&mut self, path: &str, code: Code, message: String, breaks: &[Direction]) {
        self.changes.push(Change { code, path: path.to_owned(), message, breaks: breaks.to_vec() });
    }
}

#[cfg(test)]
mod tests;
