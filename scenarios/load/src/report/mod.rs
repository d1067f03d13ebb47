//! Reports of a load: tables in the terminal, a JSON file, charts, and a page that shows them.

mod chart;
mod page;
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::Serialize;

use super::{figures::Figures, machine::Setting};

pub use chart::Chart;
pub use table::show;

/// All results of a load.
#[derive(Debug, Serialize)]
pub struct Report {
    pub command: String,
    pub setting: Setting,
    /// A caution for the reader.
    pub caution: Option<String>,
    /// Summary before the stages: a header, then rows.
    pub summary: Vec<Vec<String>>,
    pub stages: Vec<Figures>,
    /// True if the audit afterwards found nothing wrong.
    pub audit_holds: bool,
}

/// The files that were written.
#[derive(Debug)]
pub struct Written {
    pub page: PathBuf,
    pub json: PathBuf,
}

impl Report {
    /// Tells whether every order ended, and the audit found nothing wrong: of a system that does nothing at all, every law holds.
    pub fn holds(&self) -> bool {
        self.audit_holds && self.stages.iter().all(|stage| stage.failures() == 0)
    }

    /// Draws all charts: of the whole, then of each stage.
    pub fn charts(&self) -> anyhow::Result<Vec<Chart>> {
        let mut charts = vec![chart::outcomes(&self.stages)?];
        for figures in &self.stages {
            charts.push(chart::histogram(figures)?);
            charts.push(chart::over_time(figures)?);
        }
        Ok(charts)
    }

    /// Writes the JSON, a file for each chart, and the page into `directory`.
    ///
    /// # Errors
    /// If the files cannot be written.
    pub fn write(&self, directory: &Path) -> anyhow::Result<Written> {
        fs::create_dir_all(directory).with_context(|| format!("creating the directory {}", directory.display()))?;
        let file = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
            anyhow::Ok(path)
        };
        let charts = self.charts()?;
        for chart in &charts {
            file(&format!("{}.svg", chart.name), &chart.svg)?;
        }
        let json = file("load.json", &serde_json::to_string_pretty(self)?)?;
        let page = file("index.html", &page::page(self, &charts))?;
        Ok(Written { page, json })
    }
}
