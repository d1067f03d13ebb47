//! Searches everything that keeps data for given texts.

mod databases;
mod files;
mod http;
mod needles;
mod topics;

use std::{fmt, path::PathBuf};

pub use needles::Needles;

use crate::{Environment, databases::Databases};

/// A place where a text was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// What the text is: it is not repeated.
    pub what: String,
    /// Where it is.
    pub place: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}\n    → {}", self.what, self.place, self.remedy)
    }
}

/// What a search has seen.
#[derive(Debug, Default)]
pub struct Searched {
    pub found: Vec<Found>,
    /// What it could not see, and why.
    pub unseen: Vec<String>,
    /// What was too short to be looked for.
    pub too_short: Vec<&'static str>,
    pub texts: usize,
    pub rows: u64,
    pub records: u64,
    pub files: u64,
    /// Findings beyond those that are listed.
    pub further: u64,
}

/// Most places that are listed.
const MOST: usize = 1000;

impl Searched {
    /// Tells whether everything could be seen, and nothing was found.
    pub fn is_clean(&self) -> bool {
        self.found.is_empty() && self.unseen.is_empty()
    }

    fn note(&mut self, found: Found) {
        if self.found.len() < MOST {
            self.found.push(found);
        } else {
            self.further += 1;
        }
    }

    /// Adds what was seen elsewhere.
    fn add(&mut self, other: Searched) {
        let Searched { found, unseen, rows, records, files, further, texts: _, too_short: _ } = other;
        found.into_iter().for_each(|found| self.note(found));
        self.unseen.extend(unseen);
        self.rows += rows;
        self.records += records;
        self.files += files;
        self.further += further;
    }

    fn unseen(&mut self, what: impl fmt::Display, why: &anyhow::Error) {
        self.unseen.push(format!("{what}: {why:#}"));
    }
}

/// Looks for these texts in all databases, topics, mails, the gateway's books and these directories. What it cannot see, it says.
pub async fn search(environment: &Environment, databases: &Databases, needles: &Needles, logs: &[PathBuf]) -> Searched {
    let mut searched = Searched { texts: needles.count(), too_short: needles.too_short(), ..Searched::default() };
    databases::look(environment, databases, needles, &mut searched).await;
    topics::look(environment, needles, &mut searched).await;
    if let Some(directory) = environment.mail_dir() {
        files::look("mail", directory, needles, &mut searched);
    }
    for directory in logs {
        files::look("log", directory, needles, &mut searched);
    }
    http::look(environment, needles, &mut searched).await;
    searched.found.sort();
    searched.found.dedup();
    searched
}
