//! Removes the mails of orders where mail goes into files.

use std::{collections::HashSet, path::Path};

use anyhow::Context;
use events::OrderId;

use crate::Environment;

/// Removes the files of these orders, drafts included. Returns their number.
pub(super) async fn remove(environment: &Environment, orders: &[OrderId]) -> anyhow::Result<usize> {
    let Some(directory) = environment.mail_dir().filter(|directory| directory.is_dir()) else { return Ok(0) };
    let (directory, orders) = (directory.to_owned(), orders.iter().copied().collect());
    tokio::task::spawn_blocking(move || remove_from(&directory, &orders)).await?
}

fn remove_from(directory: &Path, orders: &HashSet<OrderId>) -> anyhow::Result<usize> {
    let mut removed = 0;
    for entry in std::fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let order: Option<OrderId> = name.get(..36).and_then(|order| order.parse().ok());
        if order.is_some_and(|order| orders.contains(&order)) {
            std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            removed += 1;
        }
    }
    Ok(removed)
}
