//! Mails as files in a directory, where the notification service writes them if no mail server is configured.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::MetadataExt,
    path::Path,
};

use anyhow::Context;
use events::OrderId;

use super::{Stamps, order_of};
use crate::audit::Delivered;

/// The current mail files of a directory, with a stamp of each that changes whenever the file does.
///
/// # Errors
/// If the directory cannot be read.
pub(super) fn list(directory: &Path) -> anyhow::Result<Stamps> {
    let mut files = Vec::new();
    each(directory, |path, name, order| {
        // Deleted meanwhile: reading will report it as missing.
        let Ok(file) = std::fs::metadata(path) else { return Ok(()) };
        let mut hasher = DefaultHasher::new();
        // The time of the last change of a file's data or name (`ctime`), which no program can set.
        (name, file.ino(), file.len(), file.ctime(), file.ctime_nsec()).hash(&mut hasher);
        files.push((order, hasher.finish()));
        Ok(())
    })?;
    Ok(files)
}

/// Reads the mails in a directory that belong to the wanted orders.
///
/// # Errors
/// If the directory cannot be read, or `put` fails.
pub(super) fn read(
    directory: &Path,
    is_wanted: impl Fn(OrderId) -> bool,
    mut put: impl FnMut(OrderId, Delivered) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    each(directory, |path, name, order| {
        if !is_wanted(order) {
            return Ok(());
        }
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        put(order, Delivered { name, text: String::from_utf8_lossy(&text).into_owned() })
    })
}

/// Passes each mail file to `look`, with its name and the order that the name gives, or the nil order.
fn each(directory: &Path, mut look: impl FnMut(&Path, String, OrderId) -> anyhow::Result<()>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))? {
        let path = entry?.path();
        // Drafts are not mails yet.
        if path.extension().is_none_or(|ending| ending != "eml") {
            continue;
        }
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let order = order_of(&name);
        look(&path, name, order)?;
    }
    Ok(())
}
