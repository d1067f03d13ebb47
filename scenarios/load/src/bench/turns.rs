//! The same load on several kinds of system, in turns: the machine's speed drifts, so only adjacent runs are comparable.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::Table;
use saga::shutdown::Shutdown;
use serde::Serialize;
use testbed::{Options, Reporter};

use super::{
    sagas::{Run, run},
    summary,
};
use crate::{figures::Figures, machine::Setting, plan::Plan, processes::Usage};

/// A kind of system, with a name.
#[derive(Debug, Clone)]
pub struct Kind {
    pub name: &'static str,
    pub options: Options,
}

/// The runs of each kind, by its name, in the order in which they were made.
#[derive(Debug, Serialize)]
pub struct Turns {
    /// What the others are compared with.
    pub base: &'static str,
    pub runs: BTreeMap<&'static str, Vec<Run>>,
    pub setting: Setting,
}

/// Runs the plan on each kind of system, `rounds` times over. The first kind is what the others are compared with; every second
/// round goes backwards, so that none always comes first. `None` if it was stopped.
///
/// # Errors
/// If a system cannot be started or reached.
///
/// # Panics
/// If there are no kinds.
pub async fn take(
    kinds: &[Kind],
    plan: &Plan,
    rounds: u32,
    reporter: &Reporter,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<Turns>> {
    let base = kinds.first().expect("a kind of system").name;
    let mut runs: BTreeMap<&'static str, Vec<Run>> = BTreeMap::new();
    let mut setting = None;
    for round in 0..rounds {
        let order: Vec<&Kind> = if round % 2 == 0 { kinds.iter().collect() } else { kinds.iter().rev().collect() };
        for kind in order {
            reporter.note(format!("round {} of {rounds}: {}", round + 1, kind.name));
            let Some(run) = run(plan, kind.options.clone(), reporter, shutdown).await? else { return Ok(None) };
            setting.get_or_insert_with(|| run.setting.clone());
            runs.entry(kind.name).or_default().push(run);
        }
    }
    Ok(setting.map(|setting| Turns { base, runs, setting }))
}

impl Turns {
    /// Tells whether each order of every run ended, and every audit holds.
    pub fn hold(&self) -> bool {
        let sound = |run: &Run| run.audit_holds && run.stages.iter().all(|stage| stage.failures() == 0);
        self.runs.values().flatten().all(sound)
    }

    /// One row for each kind and stage: the median of its runs with the lowest and the highest, and its throughput as a part of
    /// the base's.
    pub fn table(&self) -> Table {
        let mut table = summary::table(&[
            "stage",
            "system",
            "sagas/s",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "CPU ms a saga",
            "of the base",
        ]);
        for stage in self.stages() {
            let base = Spread::of(self.figures(self.base, stage).map(|figures| figures.sagas_per_second));
            for name in self.runs.keys() {
                let spread = |value: fn(&Figures) -> f64| Spread::of(self.figures(name, stage).map(value));
                let throughput = spread(|figures| figures.sagas_per_second);
                table.add_row([
                    stage.to_owned(),
                    (*name).to_owned(),
                    throughput.text(0),
                    spread(|figures| figures.latency.p50).text(0),
                    spread(|figures| figures.latency.p95).text(0),
                    spread(|figures| figures.latency.p99).text(0),
                    spread(|figures| cpu_of_a_saga(figures, |_| true)).text(2),
                    format!("{:.2}", throughput.median / base.median),
                ]);
            }
        }
        table
    }

    /// One row for each process: its CPU time a saga in this stage, in milliseconds, for each kind.
    pub fn processes(&self, stage: &str) -> Table {
        let kinds: Vec<&str> = self.runs.keys().copied().collect();
        let mut table = summary::table(&[&["CPU ms a saga"], &*kinds].concat());
        let processes: BTreeSet<&str> = kinds
            .iter()
            .flat_map(|kind| self.figures(kind, stage))
            .flat_map(|figures| figures.processes.iter().map(|usage| &*usage.process))
            .collect();
        for process in processes {
            let cells = kinds.iter().map(|kind| {
                let figures = self.figures(kind, stage);
                Spread::of(figures.map(|figures| cpu_of_a_saga(figures, |usage| usage.process == process))).text(3)
            });
            table.add_row(std::iter::once(process.to_owned()).chain(cells));
        }
        table
    }

    fn stages(&self) -> Vec<&str> {
        let first = self.runs.get(self.base).and_then(|runs| runs.first());
        first.into_iter().flat_map(|run| &run.stages).map(|figures| &*figures.stage).collect()
    }

    fn figures<'a>(&'a self, kind: &str, stage: &'a str) -> impl Iterator<Item = &'a Figures> {
        let stages = self.runs.get(kind).into_iter().flatten().flat_map(|run| &run.stages);
        stages.filter(move |figures| figures.stage == stage)
    }
}

/// Milliseconds of those of the programs and servers, and of the runner, that are counted.
fn cpu_of_a_saga(figures: &Figures, counts: impl Fn(&Usage) -> bool) -> f64 {
    let seconds: f64 = figures.processes.iter().filter(|usage| counts(usage)).map(|usage| usage.cpu_seconds).sum();
    1_000.0 * seconds / f64::from(figures.success.max(1))
}

/// The median of some samples, the lowest and the highest.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    fn of(samples: impl Iterator<Item = f64>) -> Self {
        let mut samples: Vec<f64> = samples.collect();
        samples.sort_by(f64::total_cmp);
        let at = |place: usize| samples.get(place).copied().unwrap_or(f64::NAN);
        let middle = samples.len() / 2;
        let median =
            if samples.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.wrapping_sub(1)), at(middle)) };
        Spread { low: at(0), median, high: at(samples.len().wrapping_sub(1)) }
    }

    fn text(self, digits: usize) -> String {
        format!("{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_between_the_lowest_and_the_highest() {
        let of = |samples: &[f64]| Spread::of(samples.iter().copied());
        assert_eq!(of(&[3.0, 1.0, 2.0]), Spread { low: 1.0, median: 2.0, high: 3.0 });
        assert_eq!(of(&[4.0, 1.0]), Spread { low: 1.0, median: 2.5, high: 4.0 });
        assert_eq!(of(&[1.0]).text(1), "1.0 (1.0–1.0)");
        assert!(of(&[]).median.is_nan());
    }
}
