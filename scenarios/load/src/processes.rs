//! CPU time and memory of each process, as the kernel counts them. Unknown on systems without `/proc`.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Serialize;

use testbed::Stack;

/// Clock ticks per second in `/proc`: the same on practically every Linux.
const TICKS: f64 = 100.0;

/// The processes of a system, by name.
#[derive(Debug, Clone, Default)]
pub struct Processes(BTreeMap<String, u32>);

/// Resources used by a process so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Use {
    cpu_seconds: f64,
    peak_mib: f64,
    resident_mib: f64,
}

/// Resources used by a process during a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usage {
    pub process: String,
    pub cpu_seconds: f64,
    /// Peak resident memory since its start. For Postgres, the sum over the server and all its sessions, with shared memory
    /// counted once.
    pub peak_mib: f64,
    /// Resident memory at the end of the stage.
    pub resident_mib: f64,
}

/// Resources used before a stage began, and the peaks since.
#[derive(Debug, Clone)]
pub struct Meter {
    processes: Processes,
    before: BTreeMap<String, Use>,
    peaks: BTreeMap<String, f64>,
}

impl Processes {
    /// The processes that we started, or those of an external system that the environment names as `PID_…`; and our own.
    pub fn of(stack: &Stack) -> Self {
        let mut processes: BTreeMap<String, u32> = stack.processes().into_iter().collect();
        if processes.is_empty() {
            processes = std::env::vars()
                .filter_map(|(name, value)| {
                    let name = name.strip_prefix("PID_")?.to_lowercase().replace('_', "-");
                    Some((name, value.parse().ok()?))
                })
                .collect();
        }
        processes.insert("scenarios".to_owned(), std::process::id());
        Processes(processes)
    }

    /// Processes given by name and process id.
    pub fn named<'a>(named: impl IntoIterator<Item = (&'a str, u32)>) -> Self {
        Processes(named.into_iter().map(|(name, pid)| (name.to_owned(), pid)).collect())
    }

    fn look(&self) -> BTreeMap<String, Use> {
        self.0.iter().filter_map(|(name, pid)| Some((name.clone(), used(*pid)?))).collect()
    }

    /// Starts measuring.
    pub fn meter(&self) -> Meter {
        Meter { processes: self.clone(), before: self.look(), peaks: BTreeMap::new() }
    }
}

impl Meter {
    /// Samples the memory; to be called regularly.
    pub fn tick(&mut self) {
        for (name, now) in self.processes.look() {
            let peak = self.peaks.entry(name).or_default();
            *peak = peak.max(now.peak_mib);
        }
    }

    /// Resources used since the start of measuring. A process that was restarted meanwhile is left out.
    pub fn read(mut self) -> Vec<Usage> {
        self.tick();
        let now = self.processes.look();
        let usage = |(process, now): (String, Use)| {
            let before = self.before.get(&process)?;
            let peak_mib = self.peaks.get(&process).copied().unwrap_or(now.peak_mib);
            let cpu_seconds = now.cpu_seconds - before.cpu_seconds;
            Some(Usage { process, cpu_seconds, peak_mib, resident_mib: now.resident_mib })
        };
        now.into_iter().filter_map(usage).collect()
    }
}

/// A process and its children: Postgres has a process for each session. All other processes are children of ours.
fn used(pid: u32) -> Option<Use> {
    let ourselves = pid == std::process::id();
    let children = if ourselves { Vec::new() } else { children(pid) };
    let directory = Path::new("/proc").join(pid.to_string());
    let mut ticks = ticks(&directory, !ourselves)?;
    let own = memory(&directory)?;
    if children.is_empty() {
        return Some(Use { cpu_seconds: ticks as f64 / TICKS, peak_mib: own.peak, resident_mib: own.resident });
    }
    let (mut private, mut shared) = (own.private, own.shared);
    for child in children {
        let directory = Path::new("/proc").join(child.to_string());
        // A process that has just ended is included in its parent's count the next time.
        ticks += self::ticks(&directory, false).unwrap_or_default();
        if let Some(memory) = memory(&directory) {
            private += memory.private;
            shared = shared.max(memory.shared);
        }
    }
    Some(Use { cpu_seconds: ticks as f64 / TICKS, peak_mib: private + shared, resident_mib: private + shared })
}

fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// CPU time; `with_ended` adds that of terminated children.
fn ticks(process: &Path, with_ended: bool) -> Option<u64> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    parse_ticks(&stat, with_ended)
}

fn parse_ticks(stat: &str, with_ended: bool) -> Option<u64> {
    // The name is in brackets and may contain anything; the fields after it are numbered from 3.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let own = field(14)? + field(15)?;
    Some(if with_ended { own + field(16)? + field(17)? } else { own })
}

/// In MiB.
#[derive(Debug, PartialEq)]
struct Memory {
    peak: f64,
    resident: f64,
    private: f64,
    shared: f64,
}

fn memory(process: &Path) -> Option<Memory> {
    parse_memory(&fs::read_to_string(process.join("status")).ok()?)
}

fn parse_memory(status: &str) -> Option<Memory> {
    let kib = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().find_map(|word| word.parse().ok())
    };
    let mib = |name: &str| kib(name).map(|kib| kib / 1024.0);
    Some(Memory {
        peak: mib("VmHWM:")?,
        resident: mib("VmRSS:")?,
        private: mib("RssAnon:")?,
        shared: mib("RssShmem:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_the_name() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 7 3 20 0 8 0 5 1 2";
        assert_eq!(parse_ticks(stat, false), Some(300));
        assert_eq!(parse_ticks(stat, true), Some(310));
        assert_eq!(parse_ticks("nonsense", true), None);
    }

    #[test]
    fn status_is_read_in_mib() {
        let status = "Name:\tx\nVmHWM:\t   51200 kB\nVmRSS:\t   12800 kB\nRssAnon:\t   10240 kB\nRssFile:\t 2048 kB\nRssShmem:\t    1024 kB\n";
        assert_eq!(parse_memory(status), Some(Memory { peak: 50.0, resident: 12.5, private: 10.0, shared: 1.0 }));
        assert_eq!(parse_memory("Name:\tzombie\n"), None);
    }

    #[test]
    fn we_ourselves_cost_something() {
        let meter = Processes::named([("scenarios", std::process::id())]).meter();
        let usage = meter.read();
        assert!(usage.iter().all(|usage| usage.peak_mib > 0.5 && usage.cpu_seconds >= 0.0), "{usage:?}");
    }
}
