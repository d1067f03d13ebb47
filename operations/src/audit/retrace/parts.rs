//! Service-specific knowledge for re-execution.

mod before;
mod fulfilment;
mod ordering;

use serde_json::{Map, Value};

/// Reduces a column to whether it has a value: the time of the decision, which no event contains.
fn whether(row: &mut Map<String, Value>, column: &str) {
    if let Some(value) = row.get_mut(column) {
        *value = Value::Bool(!value.is_null());
    }
}
