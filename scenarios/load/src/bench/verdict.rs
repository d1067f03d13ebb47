//! Compares each figure with its target, its baseline and the naive configuration.

use serde::Serialize;
use testbed::Manifest;

use super::{
    floor::Floor,
    relay::Relayed,
    sagas::{self, Sagas},
    summary::{Row, Target},
};
use crate::{figures::Figures, machine::Setting};

/// All results of a bench.
#[derive(Debug, Serialize)]
pub struct Bench {
    pub command: String,
    pub setting: Setting,
    pub floor: Option<Floor>,
    pub relay: Option<Relayed>,
    pub sagas: Option<Sagas>,
    pub summary: Vec<Row>,
}

fn at_least(now: f64, goal: f64) -> [Target; 2] {
    [Target::AtLeast(now), Target::AtLeast(goal)]
}

fn at_most(now: f64, goal: f64) -> [Target; 2] {
    [Target::AtMost(now), Target::AtMost(goal)]
}

/// A row for each figure that was measured.
pub fn rows(floor: Option<&Floor>, relay: Option<&Relayed>, sagas: Option<&Sagas>) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(sagas) = sagas {
        of_sagas(sagas, floor, &mut rows);
    }
    if let Some(relay) = relay {
        of_relay(relay, floor, &mut rows);
    }
    rows
}

fn of_sagas(sagas: &Sagas, floor: Option<&Floor>, rows: &mut Vec<Row>) {
    let beside = |row: Row, value: fn(&Floor) -> f64| match floor {
        Some(floor) => row.floor(value(floor)),
        None => row,
    };
    let (ours, naive) = sagas.throughput();
    let throughput = Row::new("whole sagas, wallet", "/s", at_least(1_000.0, 2_500.0), ours).naive(Some(naive));
    rows.push(beside(throughput, Floor::sagas_per_second));
    for (figure, stage, now, goal) in [
        ("… all of one product", sagas::ONE_PRODUCT, 700.0, 1_700.0),
        ("… all by one user", sagas::ONE_USER, 700.0, 1_700.0),
        ("… through the gateway, card", sagas::CARD, 400.0, 1_000.0),
    ] {
        let stage = sagas.stage(stage);
        rows.extend(stage.map(|figures| {
            beside(Row::new(figure, "/s", at_least(now, goal), figures.sagas_per_second), Floor::sagas_per_second)
        }));
    }
    if let Some(idle) = sagas.stage(sagas::IDLE) {
        let median = Row::new("one saga on an idle system, p50", "ms", at_most(50.0, 25.0), idle.latency.p50);
        rows.push(beside(median.naive(Some(sagas.naive_idle())), Floor::saga_milliseconds));
        rows.push(Row::new("… p99", "ms", [Target::NONE, Target::AtMost(50.0)], idle.latency.p99));
    }
    if let Some(heavy) = sagas.stage(sagas::HEAVY) {
        let stages: Vec<&Figures> =
            ["light", "medium", sagas::HEAVY].iter().filter_map(|name| sagas.stage(name)).collect();
        let failures: u32 = stages.iter().map(|figures| figures.failures()).sum();
        rows.push(Row::new("50, 200, 1000 at once: technical failures", "", at_most(0.0, 0.0), f64::from(failures)));
        rows.push(Row::new("1000 at once, mean", "ms", [Target::AtMost(500.0), Target::NONE], heavy.latency.mean));
        rows.push(Row::new("1000 at once, p99", "ms", [Target::NONE, Target::AtMost(500.0)], heavy.latency.p99));
    }
    if let Some(peak) = largest_service(sagas) {
        rows.push(Row::new("memory of the largest service, peak", "MiB", at_most(60.0, 30.0), peak));
    }
}

fn largest_service(sagas: &Sagas) -> Option<f64> {
    let usages = sagas.ours.iter().flat_map(|run| &run.stages).flat_map(|figures| &figures.processes);
    let shop = Manifest::of_the_shop();
    let services = usages.filter(|usage| shop.program(&usage.process).is_some_and(|program| program.consumes()));
    services.map(|usage| usage.peak_mib).max_by(f64::total_cmp)
}

fn of_relay(relay: &Relayed, floor: Option<&Floor>, rows: &mut Vec<Row>) {
    let drained =
        Row::new("relay, backlog drained", "rows/s", at_least(60_000.0, 120_000.0), relay.backlog.rows_per_second);
    rows.push(match floor {
        Some(floor) => drained.floor(floor.relayed_per_second()),
        None => drained,
    });
    if let Some(delay) = relay.at(2_000) {
        let median = Row::new("commit → consumer at 2,000/s, p50", "ms", at_most(4.0, 2.0), delay.latency.p50);
        let tail = Row::new("… p99", "ms", at_most(15.0, 8.0), delay.latency.p99);
        match floor {
            Some(floor) => rows.extend([median.floor(floor.echo.p50), tail.floor(floor.echo.p99)]),
            None => rows.extend([median, tail]),
        }
    }
    rows.push(Row::new("relay, idle", "% of a core", at_most(5.0, 1.0), relay.idle.cpu_percent));
}
