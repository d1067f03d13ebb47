//! The context that figures need: machine, broker, database, and the cost of a write to disk.

use std::{
    fs,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use hdrhistogram::Histogram;
use serde::Serialize;

/// Number of writes measured.
const WRITES: u32 = 300;

/// Machine and software that figures were measured on.
#[derive(Debug, Clone, Serialize)]
pub struct Setting {
    pub broker: String,
    pub database: String,
    pub machine: String,
    pub fsync: Fsync,
    /// Local time, to the minute.
    pub when: String,
}

/// Cost of making 8 KiB durable, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Fsync {
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Setting {
    /// Inspects the machine and writes a little to its disk. Blocks, usually for less than a second.
    pub fn find(broker: String, database: String) -> anyhow::Result<Self> {
        // A Postgres started by us has its data there too.
        let fsync = Fsync::measure(&std::env::temp_dir())?;
        let when = chrono::Local::now().format("%Y-%m-%d %H:%M").to_string();
        Ok(Setting { broker, database, machine: machine(), fsync, when })
    }

    /// A single line of text.
    pub fn line(&self) -> String {
        let Setting { broker, database, machine, fsync, when } = self;
        format!(
            "{broker} · {database} · {machine} · fsync of 8 KiB p50 {:.2} ms, p99 {:.2} ms · {when}",
            fsync.p50_ms, fsync.p99_ms
        )
    }
}

impl Fsync {
    /// Appends and syncs repeatedly, in a temporary file.
    ///
    /// # Errors
    /// If `directory` is not writable.
    pub fn measure(directory: &Path) -> anyhow::Result<Self> {
        let measure = || -> anyhow::Result<Self> {
            let mut file = tempfile::tempfile_in(directory)?;
            let page = [0x5A_u8; 8192];
            let mut times: Histogram<u64> = Histogram::new(3)?;
            for _ in 0..WRITES {
                let begun = Instant::now();
                file.write_all(&page)?;
                file.sync_data()?;
                times.saturating_record(begun.elapsed().as_micros() as u64);
            }
            let quantile = |q| Duration::from_micros(times.value_at_quantile(q)).as_secs_f64() * 1e3;
            Ok(Fsync { p50_ms: quantile(0.5), p99_ms: quantile(0.99) })
        };
        measure().with_context(|| format!("writing to a file in {}", directory.display()))
    }
}

/// Cores, model and memory.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let value = |file: &str, key: &str| -> Option<String> {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = value("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = value("/proc/meminfo", "MemTotal")
        .and_then(|kib| kib.split_whitespace().next()?.parse::<f64>().ok())
        .map_or(String::new(), |kib| format!(", {:.0} GiB", kib / 1024.0 / 1024.0));
    format!("{cores} cores, {model}{memory}")
}
