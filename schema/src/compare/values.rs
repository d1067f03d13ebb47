//! Types, null and enumerations.

use std::collections::BTreeSet;

use super::{Comparison, Shape};
use crate::Code;

impl Comparison<'_> {
    /// Compares the types. Returns whether the rest can be compared, too: whether they have something in common.
    pub(super) fn types(&mut self, path: &str, old: &Shape, new: &Shape) -> bool {
        let added = beyond(&new.types, &old.types);
        let removed = beyond(&old.types, &new.types);
        let change = format!("it is {}, and was {}", named(&new.types), named(&old.types));
        let is_null = |types: &BTreeSet<&str>| types.iter().eq(["null"].iter());
        match (added.is_empty(), removed.is_empty()) {
            (true, true) => return true,
            (false, false) => self.report(path, Code::Retyped, change),
            (false, true) if is_null(&added) => self.report(path, Code::MadeNullable, "it may be null now".to_owned()),
            (false, true) => self.report(path, Code::Loosened, change),
            (true, false) if is_null(&removed) => {
                self.report(path, Code::NoLongerNullable, "it may not be null any more".to_owned())
            }
            (true, false) => self.report(path, Code::Tightened, change),
        }
        added.is_empty() || removed.is_empty()
    }

    /// Compares enumerations.
    pub(super) fn values(&mut self, path: &str, old: &Shape, new: &Shape) {
        let told = |shape: &Shape| shape.is_choice().then(|| shape.values.clone().unwrap_or_default());
        match (told(old), told(new)) {
            (Some(old), Some(new)) => {
                for value in new.iter().filter(|value| !old.contains(value)) {
                    self.report(path, Code::ValueAdded, format!("the value {value} is new"));
                }
                for value in old.iter().filter(|value| !new.contains(value)) {
                    self.report(path, Code::ValueRemoved, format!("the value {value} is gone"));
                }
            }
            // `unions` tells of variants.
            _ if old.values.is_none() && new.values.is_none() => {}
            (Some(_), None) => {
                self.report(path, Code::Loosened, "it has any value now, and had one of a few".to_owned())
            }
            (None, Some(_)) => {
                self.report(path, Code::Tightened, "it has one of a few values now, and had any".to_owned())
            }
            (None, None) => {}
        }
    }
}

/// Types that the others do not cover.
fn beyond<'a>(types: &'a BTreeSet<String>, others: &BTreeSet<String>) -> BTreeSet<&'a str> {
    let covered = |name: &str| others.contains(name) || name == "integer" && others.contains("number");
    types.iter().map(String::as_str).filter(|name| !covered(name)).collect()
}

fn named(types: &BTreeSet<String>) -> String {
    if types.is_empty() { "nothing".to_owned() } else { types.iter().cloned().collect::<Vec<_>>().join(" or ") }
}
