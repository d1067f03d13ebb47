//! What going through each service's decisions again needs to know of it.

mod before;
mod fulfilment;
mod ordering;

use serde_json::{Map, Value};

/// Keeps only whether there is a value: a moment that the decision was made at, and that no event tells.
fn whether(row: &mut Map<String, Value>, column: &str) {
    if let Some(value) = row.get_mut(column) {
        *value = Value::Bool(!value.is_null());
    }
}
