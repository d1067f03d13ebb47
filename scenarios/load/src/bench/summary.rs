//! Summary table: each figure with its target, the measurement, the baseline and the naive configuration.

use comfy_table::{CellAlignment, Table, presets::UTF8_BORDERS_ONLY};
use serde::Serialize;

/// A target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    /// No target.
    pub const NONE: Target = Target::AtMost(f64::INFINITY);

    pub fn is_met_by(self, measured: f64) -> bool {
        match self {
            Target::AtLeast(target) => measured >= target,
            Target::AtMost(target) => measured <= target,
        }
    }

    /// The number; empty without a target.
    fn text(self) -> String {
        match self {
            Target::AtLeast(target) | Target::AtMost(target) if target.is_finite() => thousands(target),
            Target::AtLeast(_) | Target::AtMost(_) => String::new(),
        }
    }
}

/// One figure. All numbers have the same unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub figure: &'static str,
    pub unit: &'static str,
    /// The target, and the stretch target.
    pub targets: [Target; 2],
    pub measured: f64,
    pub floor: Option<f64>,
    pub naive: Option<f64>,
}

impl Row {
    pub fn new(figure: &'static str, unit: &'static str, targets: [Target; 2], measured: f64) -> Self {
        Row { figure, unit, targets, measured, floor: None, naive: None }
    }

    #[must_use]
    pub fn floor(mut self, floor: f64) -> Self {
        self.floor = Some(floor);
        self
    }

    #[must_use]
    pub fn naive(mut self, naive: Option<f64>) -> Self {
        self.naive = naive;
        self
    }

    /// Two ticks for the stretch target, one for the target, a cross for neither.
    fn mark(&self) -> &'static str {
        let met = |target: Target| (target != Target::NONE).then(|| target.is_met_by(self.measured));
        match self.targets.map(met) {
            [_, Some(true)] => "✓✓",
            [Some(true), _] => "✓",
            [Some(false), _] => "✗",
            [None, _] => "",
        }
    }

    fn ratio(&self, other: Option<f64>) -> String {
        match other {
            Some(other) if other > 0.0 => format!("{:.2}", self.measured / other),
            Some(_) | None => String::new(),
        }
    }
}

/// All figures as text: a header, then one row each.
pub fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let header = ["figure", "to reach", "goal", "measured", "", "floor", "÷ floor", "naive", "÷ naive"];
    let row = |row: &Row| {
        let [now, goal] = row.targets.map(|target| target.text());
        let number = |value: Option<f64>| value.map_or(String::new(), thousands);
        vec![
            row.figure.to_owned(),
            now,
            goal,
            format!("{} {}", thousands(row.measured), row.unit),
            row.mark().to_owned(),
            number(row.floor),
            row.ratio(row.floor),
            number(row.naive),
            row.ratio(row.naive),
        ]
    };
    std::iter::once(header.map(str::to_owned).to_vec()).chain(rows.iter().map(row)).collect()
}

/// All figures as a table.
pub fn all(rows: &[Row]) -> Table {
    let cells = cells(rows);
    let header: Vec<&str> = cells.first().into_iter().flatten().map(String::as_str).collect();
    let mut table = table(&header);
    table.add_rows(cells.iter().skip(1));
    table
}

/// First column left-aligned, numbers right-aligned.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Rounded to the digits that are meaningful.
pub fn thousands(value: f64) -> String {
    if value != 0.0 && value.abs() < 10.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (value, text) in [(0.0, "0"), (0.44, "0.4"), (12.6, "13"), (999.0, "999"), (1_234_567.0, "1,234,567")] {
            assert_eq!(thousands(value), text);
        }
    }

    #[test]
    fn more_is_better_or_less_is() {
        let row = |targets, measured| Row::new("x", "/s", targets, measured);
        let more = [Target::AtLeast(1_000.0), Target::AtLeast(2_500.0)];
        let less = [Target::AtMost(50.0), Target::AtMost(25.0)];
        assert_eq!([900.0, 1_000.0, 3_000.0].map(|measured| row(more, measured).mark()), ["✗", "✓", "✓✓"]);
        assert_eq!([60.0, 50.0, 20.0].map(|measured| row(less, measured).mark()), ["✗", "✓", "✓✓"]);
        let either = [[Target::NONE, Target::AtMost(50.0)], [Target::AtMost(50.0), Target::NONE]];
        assert_eq!(either.map(|targets| row(targets, 60.0).mark()), ["", "✗"]);
        assert_eq!(either.map(|targets| row(targets, 40.0).mark()), ["✓✓", "✓"]);
        assert_eq!(row(more, 500.0).floor(2_000.0).ratio(Some(2_000.0)), "0.25");
    }
}
