//! Mails in the files of a directory, where the notification service puts them if it knows no mail server.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::MetadataExt,
    path::Path,
};

use anyhow::Context;
use events::OrderId;

use super::{Stamps, order_of};
use crate::audit::Delivered;

/// The files of a directory's mails as they are now, by what changes with each of them.
///
/// # Errors
/// If the directory cannot be read.
pub(super) fn list(directory: &Path) -> anyhow::Result<Stamps> {
    let mut files = Vec::new();
    each(directory, |path, name, order| {
        // Taken away since: it is missed where it is read.
        let Ok(file) = std::fs::metadata(path) else { return Ok(()) };
        let mut hasher = DefaultHasher::new();
        // The time of the last change of a file's data or name (`ctime`), which nobody can set.
        (name, file.ino(), file.len(), file.ctime(), file.ctime_nsec()).hash(&mut hasher);
        files.push((order, hasher.finish()));
        Ok(())
    })?;
    Ok(files)
}

/// Reads the mails of a directory that are about the orders that are wanted.
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

/// Shows each mail's file to `look`, with its name and the order that the name tells, or the order that nobody has.
fn each(directory: &Path, mut look: impl FnMut(&Path, String, OrderId) -> anyhow::Result<()>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))? {
        let path = entry?.path();
        // Drafts are no mails yet.
        if path.extension().is_none_or(|ending| ending != "eml") {
            continue;
        }
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let order = order_of(&name);
        look(&path, name, order)?;
    }
    Ok(())
}
