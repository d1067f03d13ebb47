//! Fields of objects.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Comparison, Shape, compare};
use crate::{Code, Direction};

impl Comparison<'_> {
    /// Compares fields and further fields.
    pub(super) fn objects(&mut self, path: &str, old: &Shape, new: &Shape) {
        let (old_fields, new_fields) = (old.fields(), new.fields());
        let removed: Vec<&String> = old_fields.keys().filter(|name| !new_fields.contains_key(*name)).collect();
        let added: Vec<&String> = new_fields.keys().filter(|name| !old_fields.contains_key(*name)).collect();
        let renamed = self.renamed([(old, &old_fields, &removed), (new, &new_fields, &added)]);
        for name in &removed {
            match renamed.iter().find(|(from, _)| from == *name) {
                Some((_, to)) => {
                    let message = format!("the field is gone, and `{to}` has the same type: it was renamed");
                    self.report(&below(path, name), Code::FieldRenamed, message);
                }
                None => self.removed(path, name, new),
            }
        }
        for name in added.iter().filter(|name| renamed.iter().all(|(_, to)| to != **name)) {
            self.added(path, name, old, new);
        }
        for (name, old_field) in &old_fields {
            let Some(new_field) = new_fields.get(name) else { continue };
            let path = below(path, name);
            self.required(&path, [old, new].map(|shape| shape.requires(name)));
            if !old.requires(name) && !new.requires(name) {
                self.default(&path, old_field, new_field);
            }
            self.visit(&path, old_field, new_field);
        }
        // Fields that are required, and not described in both versions.
        let all: BTreeSet<String> = old.required().into_iter().chain(new.required()).collect();
        for name in all.iter().filter(|name| !(old_fields.contains_key(*name) && new_fields.contains_key(*name))) {
            let is_told = renamed.iter().any(|(from, to)| from == name || to == name)
                || removed.contains(&name) && !new.requires(name)
                || added.contains(&name) && new.requires(name);
            if !is_told {
                self.required(&below(path, name), [old, new].map(|shape| shape.requires(name)));
            }
        }
        self.further_fields(path, old, new);
    }

    fn required(&mut self, path: &str, is_required: [bool; 2]) {
        match is_required {
            [false, true] => self.report(path, Code::MadeRequired, "every event must have the field now".to_owned()),
            [true, false] => self.report(path, Code::MadeOptional, "an event may leave the field out now".to_owned()),
            [true, true] | [false, false] => {}
        }
    }

    /// Compares what a field is taken to be if an event leaves it out. Without a default, that is null.
    fn default(&mut self, path: &str, old: &Value, new: &Value) {
        let of = |document, field| Shape::of(document, field).keyword("default").cloned().unwrap_or_default();
        let (old, new) = (of(self.old, old), of(self.new, new));
        if old != new {
            let message = format!("a field that an event leaves out is {new} now, and was {old}");
            self.report(path, Code::DefaultChanged, message);
        }
    }

    fn removed(&mut self, path: &str, name: &str, new: &Shape) {
        let both = [Direction::OldReaders, Direction::NewReaders];
        // New readers that refuse fields that they do not know refuse old events.
        let breaks = if new.is_open() { Code::FieldRemoved.breaks() } else { &both };
        self.report_breaking(&below(path, name), Code::FieldRemoved, "the field is gone".to_owned(), breaks);
    }

    fn added(&mut self, path: &str, name: &str, old: &Shape, new: &Shape) {
        let (code, message) = match new.requires(name) {
            true => (Code::RequiredFieldAdded, "the field is new, and every event must have it"),
            false => (Code::OptionalFieldAdded, "the field is new, and optional"),
        };
        let mut breaks: BTreeSet<Direction> = code.breaks().iter().copied().collect();
        match old.further_fields() {
            Value::Bool(true) => {}
            // Old readers refuse fields that they do not know.
            Value::Bool(false) => drop(breaks.insert(Direction::OldReaders)),
            // They know it as one of many, and old events may have one of this name.
            _ => breaks.extend([Direction::OldReaders, Direction::NewReaders]),
        }
        let breaks: Vec<Direction> = breaks.into_iter().collect();
        self.report_breaking(&below(path, name), code, message.to_owned(), &breaks);
    }

    /// Pairs of a field that is gone and the only new one of the same type, if it is the only one for that, too.
    fn renamed(&self, [old, new]: [(&Shape, &Map<String, Value>, &Vec<&String>); 2]) -> Vec<(String, String)> {
        let ((old, old_fields, removed), (new, new_fields, added)) = (old, new);
        let is_same = |from: &str, to: &str| {
            let alone = |document: &Value, schema: &Value| with_definitions(document, schema);
            let (was, is) = (alone(self.old, &old_fields[from]), alone(self.new, &new_fields[to]));
            old.requires(from) == new.requires(to) && compare(&was, &is).is_empty()
        };
        let mut pairs = Vec::new();
        for from in removed {
            let candidates: Vec<&&String> = added.iter().filter(|to| is_same(from, to)).collect();
            let [to] = candidates[..] else { continue };
            if removed.iter().filter(|other| is_same(other, to)).count() == 1 {
                pairs.push(((*from).clone(), (*to).clone()));
            }
        }
        pairs
    }

    fn further_fields(&mut self, path: &str, old: &Shape, new: &Shape) {
        let of = |shape: &Shape| shape.further_fields().clone();
        let (old, new) = (of(old), of(new));
        let change = |what: &str| format!("fields that are not named {what}");
        match (&old, &new) {
            (Value::Object(_), Value::Object(_)) => self.visit(&format!("{path}.*"), &old, &new),
            _ if old == new => {}
            (_, Value::Bool(true)) => self.report(path, Code::Loosened, change("may have any value now")),
            (Value::Bool(true), _) => self.report(path, Code::Tightened, change("may not have any value any more")),
            (Value::Bool(false), _) => self.report(path, Code::Loosened, change("are allowed now")),
            _ => self.report(path, Code::Tightened, change("are not allowed any more")),
        }
    }
}

/// A schema of a document as a document of its own.
fn with_definitions(document: &Value, schema: &Value) -> Value {
    let mut alone = schema.clone();
    if let Some(keywords) = alone.as_object_mut() {
        for name in ["$defs", "definitions"] {
            keywords.extend(document.get(name).map(|definitions| (name.to_owned(), definitions.clone())));
        }
    }
    alone
}

/// The JSON path of a field.
fn below(path: &str, name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if is_plain { format!("{path}.{name}") } else { format!("{path}[{}]", Value::from(name)) }
}
