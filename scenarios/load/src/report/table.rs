//! The tables in the terminal.

use comfy_table::{CellAlignment, Table, presets::UTF8_BORDERS_ONLY};

use super::chart::milliseconds;
use crate::figures::Figures;

/// Shows every stage, then what each process cost.
pub fn show(stages: &[Figures]) {
    println!();
    println!("{}", outcomes(stages));
    for figures in stages {
        let reasons = figures.refused.iter().chain(&figures.failed);
        let reasons: Vec<String> = reasons.map(|(reason, orders)| format!("{orders} {reason}")).collect();
        if !reasons.is_empty() {
            println!("{}: {}", figures.stage, reasons.join(", "));
        }
        if figures.surprises > 0 {
            println!("{}: {} orders ended in another way than they were made for", figures.stage, figures.surprises);
        }
    }
    let processes = processes(stages);
    if processes.row_count() > 0 {
        println!("{processes}");
    }
}

fn outcomes(stages: &[Figures]) -> Table {
    let mut table = table(&[
        "stage", "requests", "success", "refused", "failed", "mean", "p50", "p95", "p99", "max", "sagas/s", "CPU s",
    ]);
    for figures in stages {
        let latency = figures.latency;
        let cpu: f64 = figures.processes.iter().map(|usage| usage.cpu_seconds).sum();
        table.add_row([
            figures.stage.clone(),
            format!("{}, {}", figures.orders, figures.pace),
            figures.success.to_string(),
            figures.refusals().to_string(),
            figures.failures().to_string(),
            milliseconds(latency.mean),
            milliseconds(latency.p50),
            milliseconds(latency.p95),
            milliseconds(latency.p99),
            milliseconds(latency.max),
            format!("{:.0}", figures.sagas_per_second),
            if figures.processes.is_empty() { String::new() } else { format!("{cpu:.1}") },
        ]);
    }
    table
}

fn processes(stages: &[Figures]) -> Table {
    let names: Vec<String> = stages.iter().map(|figures| format!("{} CPU s", figures.stage)).collect();
    let mut header = vec!["process"];
    header.extend(names.iter().map(String::as_str));
    header.push("peak MiB");
    let mut table = table(&header);
    let Some(last) = stages.last() else { return table };
    for usage in &last.processes {
        let of = |figures: &Figures| {
            let same = figures.processes.iter().find(|other| other.process == usage.process);
            same.map_or(String::new(), |usage| format!("{:.2}", usage.cpu_seconds))
        };
        let mut row = vec![usage.process.clone()];
        row.extend(stages.iter().map(of));
        row.push(format!("{:.0}", usage.peak_mib));
        table.add_row(row);
    }
    table
}

/// First column left-aligned, numbers right-aligned.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
