//! The table in the crate's documentation is the one that the program follows.

use kit::{Service, table::Trigger};
use order::Orders;

#[test]
fn the_documented_table_is_the_one_in_use() {
    let in_use: Vec<String> = Orders::table()
        .lines()
        .map(|line| {
            let trigger = match line.trigger {
                Trigger::Event { event_type, .. } => format!("`{event_type}`"),
                Trigger::Other(occasion) => occasion.to_owned(),
            };
            let says: Vec<String> = line.says.iter().map(|event| format!("`{event}`")).collect();
            format!("| {trigger} | {} | {} |", line.decision, says.join(", "))
        })
        .collect();
    let documented: Vec<&str> = include_str!("../../src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! "))
        .filter(|line| line.starts_with("| ") && !line.starts_with("| on |"))
        .collect();
    assert_eq!(documented, in_use);
}
