//! The list of kept schemas, `index.json`: a schema whose file is missing is told from an event that is new.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::{KeptError, read, wrong};

/// Names of the events of which schemas are kept, by publisher.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Index {
    names: BTreeMap<String, BTreeSet<String>>,
}

impl Index {
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join("index.json")
    }

    /// Reads the list; None if there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, KeptError> {
        let path = Index::path(folder);
        let Some(json) = read(&path)? else { return Ok(None) };
        let names = serde_json::from_value(json).map_err(|error| wrong(&path, error))?;
        Ok(Some(Index { names }))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), KeptError> {
        let path = Index::path(folder);
        let json = serde_json::to_string_pretty(&self.names).map_err(|error| wrong(&path, error))?;
        fs::create_dir_all(folder).map_err(|error| wrong(folder, error))?;
        fs::write(&path, json + "\n").map_err(|error| wrong(&path, error))
    }

    pub(super) fn has(&self, publisher: &str, event_type: &str) -> bool {
        self.names.get(publisher).is_some_and(|names| names.contains(event_type))
    }

    pub(super) fn add(&mut self, publisher: &str, event_type: &str) {
        self.names.entry(publisher.to_owned()).or_default().insert(event_type.to_owned());
    }

    /// Publisher and name of each event.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names.iter().flat_map(|(publisher, names)| names.iter().map(|name| (publisher.as_str(), name.as_str())))
    }
}
