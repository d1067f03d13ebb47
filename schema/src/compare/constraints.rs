//! Limits, patterns and formats.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{Comparison, Shape};
use crate::Code;

/// Keywords that bound from below; a greater one is stronger.
const LOWER: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
/// Keywords that bound from above; a smaller one is stronger.
const UPPER: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// Further constraints, of which two cannot be put in order.
const OPAQUE: [&str; 5] = ["pattern", "multipleOf", "uniqueItems", "contentEncoding", "contentMediaType"];

impl Comparison<'_> {
    /// Compares what constrains values of the same type.
    pub(super) fn constraints(&mut self, path: &str, old: &Shape, new: &Shape) {
        for (names, stronger) in [(LOWER, Ordering::Greater), (UPPER, Ordering::Less)] {
            for name in names {
                let limits = match [old, new].iter().all(|shape| shape.types.contains("integer")) {
                    true => [limit(old, name), limit(new, name)],
                    false => [stated(old, name), stated(new, name)],
                };
                self.limit(path, name, stronger, limits);
            }
        }
        for name in OPAQUE {
            self.opaque(path, name, [old, new].map(|shape| shape.keyword(name)));
        }
        self.formats(path, [old, new].map(|shape| shape.keyword("format")));
    }

    fn limit(&mut self, path: &str, name: &str, stronger: Ordering, limits: [Option<Number>; 2]) {
        match limits {
            [None, None] => {}
            [Some(old), None] => self.report(path, Code::Loosened, format!("`{name}` was {old}, and is gone")),
            [None, Some(new)] => self.report(path, Code::Tightened, format!("`{name}` is new: {new}")),
            [Some(old), Some(new)] => {
                let change = format!("`{name}` is {new}, and was {old}");
                match order(&new, &old) {
                    Ordering::Equal => {}
                    direction if direction == stronger => self.report(path, Code::Tightened, change),
                    _ => self.report(path, Code::Loosened, change),
                }
            }
        }
    }

    fn opaque(&mut self, path: &str, name: &str, values: [Option<&Value>; 2]) {
        match values {
            [Some(old), None] => self.report(path, Code::Loosened, format!("`{name}` was {old}, and is gone")),
            [None, Some(new)] => self.report(path, Code::Tightened, format!("`{name}` is new: {new}")),
            [Some(old), Some(new)] if old != new => {
                self.report(path, Code::Unjudged, format!("`{name}` is {new}, and was {old}"))
            }
            _ => {}
        }
    }

    /// Compares formats of text. Those of numbers are limits.
    fn formats(&mut self, path: &str, formats: [Option<&Value>; 2]) {
        let of_text = formats.map(|format| format.filter(|format| !is_of_a_number(format)));
        match of_text {
            [Some(old), Some(new)] if old != new => {
                self.report(path, Code::Retyped, format!("its format is {new}, and was {old}"))
            }
            formats => self.opaque(path, "format", formats),
        }
    }
}

/// A limit of the values, which may follow from the format of an integer.
fn limit(shape: &Shape, name: &str) -> Option<Number> {
    stated(shape, name).or_else(|| {
        let (least, most) = range(shape.keyword("format")?.as_str()?)?;
        match name {
            "minimum" => Some(least),
            "maximum" => Some(most),
            _ => None,
        }
    })
}

fn stated(shape: &Shape, name: &str) -> Option<Number> {
    shape.keyword(name).and_then(|value| value.as_number().cloned())
}

/// Least and greatest value of a format of integers.
fn range(format: &str) -> Option<(Number, Number)> {
    Some(match format {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" | "int" => (i64::MIN.into(), i64::MAX.into()),
        "uint8" => (0.into(), u8::MAX.into()),
        "uint16" => (0.into(), u16::MAX.into()),
        "uint32" => (0.into(), u32::MAX.into()),
        "uint64" | "uint" => (0.into(), u64::MAX.into()),
        _ => return None,
    })
}

fn is_of_a_number(format: &Value) -> bool {
    format.as_str().is_some_and(|format| range(format).is_some() || ["float", "double"].contains(&format))
}

fn order(a: &Number, b: &Number) -> Ordering {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.as_f64().unwrap_or(f64::NAN).total_cmp(&b.as_f64().unwrap_or(f64::NAN)),
    }
}
