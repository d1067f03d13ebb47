//! Alternatives: the variants of an enumeration that have data.

use serde_json::Value;

use super::{Comparison, Shape};
use crate::Code;

impl Comparison<'_> {
    /// Compares variants of the same name.
    pub(super) fn unions(&mut self, path: &str, old: &Shape, new: &Shape) {
        let names = [(self.old, old), (self.new, new)].map(|(document, shape)| {
            let names = shape.variants.iter().map(|variant| name(&Shape::of(document, variant)));
            names.collect::<Option<Vec<String>>>().filter(|names| are_distinct(names))
        });
        let [Some(old_names), Some(new_names)] = names else {
            if !self.are_same(&old.variants, &new.variants) {
                let message = "its alternatives differ, and cannot be told apart".to_owned();
                self.report(path, Code::Unjudged, message);
            }
            return;
        };
        if old_names.is_empty() != new_names.is_empty() && !(old.is_choice() && new.is_choice()) {
            let message = match old_names.is_empty() {
                true => "it has alternatives now, and had none",
                false => "it has no alternatives any more",
            };
            return self.report(path, Code::Retyped, message.to_owned());
        }
        for added in new_names.iter().filter(|name| !old_names.contains(name)) {
            self.report(path, Code::ValueAdded, format!("the variant {added} is new"));
        }
        for (place, name) in old_names.iter().enumerate() {
            match new_names.iter().position(|other| other == name) {
                Some(other) => self.visit(path, &old.variants[place], &new.variants[other]),
                None => self.report(path, Code::ValueRemoved, format!("the variant {name} is gone")),
            }
        }
    }
}

/// What tells a variant from the others, in each of serde's representations: the value of a tag, the only field, or the type.
fn name(variant: &Shape) -> Option<String> {
    if let Some([only]) = variant.values.as_deref() {
        return Some(only.to_string());
    }
    let fields = variant.fields();
    let tag = fields.iter().find_map(|(field, schema)| Some((field, schema.get("const")?)));
    if let Some((field, value)) = tag {
        return Some(format!("{field} = {value}"));
    }
    if let [only] = fields.keys().collect::<Vec<_>>()[..] {
        return Some(Value::from(only.as_str()).to_string());
    }
    let types: Vec<&str> = variant.types.iter().map(String::as_str).collect();
    match types[..] {
        ["object"] => None,
        [only] => Some(format!("of type {only}")),
        _ => None,
    }
}

fn are_distinct(names: &[String]) -> bool {
    names.iter().enumerate().all(|(place, name)| !names[..place].contains(name))
}
