//! Schemas that are kept in a repository, so that a change which breaks a reader fails a test.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use saga::{
    choreography::Part,
    schema::{EventSchema, VERSION},
};
use serde_json::Value;

use crate::{Broken, Cause, Change, Code, Direction, Judgement, compare, readers};
use index::Index;

mod index;

/// A folder with a schema for each event: `<publisher>/<event type>.json`, and beside it those of earlier versions,
/// `<event type>.v1.json`. `index.json` lists them, so that one that is deleted by mistake is missed.
///
/// ```no_run
/// use saga::{choreography::Part, schema::EventSchema};
/// use saga_schema::{Kept, KeptError};
///
/// /// Succeeds if no reader breaks. To be called by a test with the events' `schemas()` and the services' tables.
/// fn no_reader_breaks(events: &[EventSchema], tables: &[Part]) -> Result<(), KeptError> {
///     let kept = Kept::in_folder("schemas");
///     let judgement = match std::env::var("UPDATE_SCHEMAS").as_deref() {
///         Ok("1") => kept.update(events, tables)?,
///         _ => kept.judge(events, tables)?,
///     };
///     assert!(judgement.breaks.is_empty(), "{judgement}");
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Kept {
    folder: PathBuf,
}

/// A kept schema that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct KeptError {
    /// The file or folder.
    pub path: PathBuf,
    why: String,
}

impl Kept {
    /// The schemas in a folder. It need not exist yet.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Kept { folder: folder.into() }
    }

    /// Compares all events with their kept schemas. `tables` name the readers.
    ///
    /// An event without a kept schema is new, and breaks nobody, unless `index.json` lists it or an earlier version is kept: then
    /// the schema is missing. An event whose version was raised may differ in any way.
    ///
    /// # Errors
    /// If a kept schema cannot be read.
    pub fn judge(&self, events: &[EventSchema], tables: &[Part]) -> Result<Judgement, KeptError> {
        let files = self.files()?;
        let index = self.index(&files)?;
        let mut judgement = Judgement::default();
        for event in events {
            let path = self.path(event);
            match self.judge_one(event, &path, &index, &files)? {
                Verdict::UpToDate => {}
                Verdict::Outdated(why) => judgement.outdated.push((path, why)),
                Verdict::Broken(cause) => judgement.breaks.push(Broken {
                    event_type: event.event_type.to_owned(),
                    path,
                    readers: readers(tables, event.event_type, event.publisher.name()),
                    cause,
                    is_request: event.is_of_requests(),
                }),
            }
        }
        let exists = |publisher: &str, event_type: &str| {
            events.iter().any(|event| event.publisher.name() == publisher && event.event_type == event_type)
        };
        let listed = index.all().filter(|(publisher, event_type)| !has_file(&files, publisher, event_type));
        let listed = listed
            .map(|(publisher, event_type)| (publisher.to_owned(), event_type.to_owned(), Index::path(&self.folder)));
        for (publisher, event_type, path) in files.iter().cloned().chain(listed) {
            if !exists(&publisher, &event_type) {
                let readers = readers(tables, &event_type, &publisher);
                let cause = Cause::Gone;
                judgement.breaks.push(Broken { event_type, path, readers, cause, is_request: false });
            }
        }
        let unlisted = files.iter().filter(|(publisher, event_type, _)| !index.has(publisher, event_type));
        let unlisted: BTreeSet<&str> = unlisted.map(|(_, event_type, _)| event_type.as_str()).collect();
        if !unlisted.is_empty() {
            let names: Vec<&str> = unlisted.into_iter().collect();
            judgement.outdated.push((Index::path(&self.folder), format!("it does not list {}", names.join(", "))));
        }
        Ok(judgement)
    }

    /// The list of kept schemas. There is one as soon as there is a schema.
    fn index(&self, files: &[File]) -> Result<Index, KeptError> {
        match Index::read(&self.folder)? {
            Some(index) => Ok(index),
            None if files.is_empty() => Ok(Index::default()),
            None => {
                let why = "the list of the kept schemas is missing: restore it from the history";
                Err(wrong(&Index::path(&self.folder), why))
            }
        }
    }

    fn judge_one(&self, event: &EventSchema, path: &Path, index: &Index, files: &[File]) -> Result<Verdict, KeptError> {
        let differences = written_otherwise(event);
        if !differences.is_empty() {
            return Ok(Verdict::Broken(Cause::WrittenOtherwise(differences)));
        }
        let publisher = event.publisher.name();
        let Some(kept) = read(path)? else {
            let is_known = index.has(publisher, event.event_type) || has_file(files, publisher, event.event_type);
            return Ok(match is_known {
                true => Verdict::Broken(Cause::Missing),
                false => Verdict::Outdated("the event is new".to_owned()),
            });
        };
        let version = version_of(path, &kept)?;
        if version > event.version {
            return Ok(Verdict::Broken(Cause::EarlierVersion { kept: version, now: event.version }));
        }
        if version < event.version {
            return Ok(Verdict::Outdated(format!("its version is {version}, and the event's is {}", event.version)));
        }
        let now = event.document();
        let changes = compare(&kept, &now);
        if changes.iter().any(Change::breaks_a_reader) {
            return Ok(Verdict::Broken(Cause::Changes(changes)));
        }
        Ok(match changes.first() {
            Some(change) => Verdict::Outdated(change.to_string()),
            None if kept != now => Verdict::Outdated("titles, descriptions or examples differ".to_owned()),
            None => Verdict::UpToDate,
        })
    }

    /// Writes the schemas that are not up to date, unless a reader breaks: then it writes nothing. The kept schema of an event
    /// whose version was raised stays beside the new one. `index.json` gets the names of new events, and loses none.
    ///
    /// # Errors
    /// If a schema cannot be read or written.
    pub fn update(&self, events: &[EventSchema], tables: &[Part]) -> Result<Judgement, KeptError> {
        let judgement = self.judge(events, tables)?;
        if !judgement.breaks.is_empty() {
            return Ok(judgement);
        }
        let index = self.index(&self.files()?)?;
        // Before the first schema.
        if !Index::path(&self.folder).exists() {
            index.write(&self.folder)?;
        }
        for event in events {
            let path = self.path(event);
            if !judgement.outdated.iter().any(|(outdated, _)| *outdated == path) {
                continue;
            }
            if let Some(kept) = read(&path)? {
                let version = version_of(&path, &kept)?;
                if version < event.version {
                    let beside = path.with_file_name(format!("{}.v{version}.json", event.event_type));
                    copy_once(&path, &beside)?;
                }
            }
            let folder = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder).map_err(|error| wrong(folder, error))?;
            fs::write(&path, format!("{:#}\n", event.document())).map_err(|error| wrong(&path, error))?;
        }
        let mut longer = index.clone();
        for (publisher, event_type, _) in self.files()? {
            longer.add(&publisher, &event_type);
        }
        if longer != index {
            longer.write(&self.folder)?;
        }
        Ok(judgement)
    }

    fn path(&self, event: &EventSchema) -> PathBuf {
        self.folder.join(event.publisher.name()).join(format!("{}.json", event.event_type))
    }

    /// Publisher, event type and path of each kept schema, in order.
    fn files(&self) -> Result<Vec<File>, KeptError> {
        let mut found = Vec::new();
        for folder in entries(&self.folder)?.into_iter().filter(|path| path.is_dir()) {
            for path in entries(&folder)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let publisher = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if let Some(stem) = name.strip_suffix(".json") {
                    found.push((publisher, without_version(stem).to_owned(), path.clone()));
                }
            }
        }
        Ok(found)
    }
}

/// Publisher, event type and path of a kept schema.
type File = (String, String, PathBuf);

fn has_file(files: &[File], publisher: &str, event_type: &str) -> bool {
    files.iter().any(|(by, name, _)| by == publisher && name == event_type)
}

/// Differences between what is written and what is read, from the former to the latter: a reader of this very version would not
/// find what it reads. A client's request is written elsewhere.
fn written_otherwise(event: &EventSchema) -> Vec<Change> {
    if event.is_of_requests() {
        return Vec::new();
    }
    let matters = |change: &Change| match change.code {
        Code::FieldRemoved | Code::FieldRenamed | Code::OptionalFieldAdded => true,
        Code::DefaultChanged => false,
        _ => change.breaks.contains(&Direction::NewReaders),
    };
    compare(&event.written(), &event.document()).into_iter().filter(matters).collect()
}

/// Copies a file. A copy from before stays, and has to be the same.
fn copy_once(from: &Path, to: &Path) -> Result<(), KeptError> {
    match (read(from)?, read(to)?) {
        (_, None) => fs::copy(from, to).map(drop).map_err(|error| wrong(to, error)),
        (kept, earlier) if kept == earlier => Ok(()),
        _ => Err(wrong(to, "it is there already, and differs from the schema that would be kept under this name")),
    }
}

enum Verdict {
    UpToDate,
    Outdated(String),
    Broken(Cause),
}

/// `RoomHeld` of `RoomHeld.v1`.
fn without_version(stem: &str) -> &str {
    match stem.rsplit_once(".v") {
        Some((event_type, version)) if version.parse::<u32>().is_ok() => event_type,
        _ => stem,
    }
}

fn version_of(path: &Path, kept: &Value) -> Result<u32, KeptError> {
    let version = kept[VERSION].as_u64().and_then(|version| u32::try_from(version).ok());
    version.ok_or_else(|| wrong(path, format!("it has no `{VERSION}`: restore it from the history")))
}

fn read(path: &Path) -> Result<Option<Value>, KeptError> {
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| wrong(path, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(path, error)),
    }
}

/// The paths in a folder, in order; none if it does not exist.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, KeptError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(folder, error)),
    };
    let paths: Result<Vec<PathBuf>, io::Error> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(|error| wrong(folder, error))?;
    paths.sort();
    Ok(paths)
}

fn wrong(path: &Path, why: impl fmt::Display) -> KeptError {
    KeptError { path: path.to_owned(), why: why.to_string() }
}
