//! Recovery times: from the end of a fault until orders flow again.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde_json::{Value, json};

use super::Kind;

/// Recovery times by kind, for faults that did not overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recoveries(BTreeMap<Kind, Vec<Duration>>);

impl Recoveries {
    pub fn note(&mut self, kind: Kind, took: Duration) {
        self.0.entry(kind).or_default().push(took);
    }

    /// Kinds whose slowest recovery exceeded the promised time.
    pub fn missed(&self) -> impl Iterator<Item = (Kind, Duration)> {
        self.0.iter().filter_map(|(kind, times)| {
            let slowest = times.iter().max()?;
            (*slowest > kind.target()?).then_some((*kind, *slowest))
        })
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The table as JSON, in milliseconds.
    pub fn to_json(&self) -> Value {
        let rows = self.0.iter().map(|(kind, times)| {
            let Summary { least, median, most } = Summary::of(times);
            json!({
                "fault": kind.name(), "times": times.len(), "target_ms": kind.target().map(|target| target.as_millis()),
                "min_ms": least.as_millis(), "median_ms": median.as_millis(), "max_ms": most.as_millis(),
            })
        });
        Value::Array(rows.collect())
    }
}

struct Summary {
    least: Duration,
    median: Duration,
    most: Duration,
}

impl Summary {
    fn of(times: &[Duration]) -> Self {
        let mut times = times.to_vec();
        times.sort_unstable();
        let at = |place: usize| times.get(place).copied().unwrap_or_default();
        Summary { least: at(0), median: at(times.len() / 2), most: at(times.len().saturating_sub(1)) }
    }
}

impl fmt::Display for Recoveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<22} {:>5} {:>8} {:>8} {:>8} {:>8}",
            "recovery after", "times", "min", "median", "max", "target"
        )?;
        for (kind, times) in &self.0 {
            let Summary { least, median, most } = Summary::of(times);
            let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
            let target = kind.target();
            let missed = if target.is_some_and(|target| most > target) { "  missed" } else { "" };
            let target = target.map_or("-".to_owned(), |target| format!("{} s", target.as_secs()));
            let (least, median, most) = (seconds(least), seconds(median), seconds(most));
            writeln!(f, "{kind:<22} {:>5} {least:>8} {median:>8} {most:>8} {target:>8}{missed}", times.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recoveries() -> Recoveries {
        let mut recoveries = Recoveries::default();
        for ms in [900, 3100, 400] {
            recoveries.note(Kind::KillService, Duration::from_millis(ms));
        }
        recoveries.note(Kind::StopKafka, Duration::from_millis(4900));
        recoveries.note(Kind::Repeat, Duration::from_secs(60));
        recoveries
    }

    #[test]
    fn a_target_is_missed_by_the_slowest() {
        let missed: Vec<_> = recoveries().missed().collect();
        assert_eq!(missed, [(Kind::KillService, Duration::from_millis(3100))]);
    }

    #[test]
    fn the_table_tells_least_median_and_most() {
        let text = recoveries().to_string();
        let row = text.lines().find(|line| line.starts_with("kill-service")).expect("a row");
        assert_eq!(row.split_whitespace().collect::<Vec<_>>().join(" "), "kill-service 3 0.4 s 0.9 s 3.1 s 3 s missed");
        let json = recoveries().to_json();
        assert_eq!(json[0]["median_ms"], 900);
        assert_eq!(json[0]["target_ms"], 3000);
    }
}
