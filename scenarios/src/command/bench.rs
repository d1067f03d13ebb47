//! `scenarios bench`: figures beside their baseline and beside the naive way.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand};
use load::{
    bench::{
        floor::{self, Floor},
        ground::{self, Ground},
        relay::{self, Relayed},
        sagas::{self, Extent},
        summary,
        turns::{self, Kind},
        verdict::{self, Bench as Found},
    },
    machine::Setting,
    report::{self, Report},
};
use saga::shutdown::Shutdown;
use testbed::{Environment, Reporter, StateDir};

use crate::command::load::command_line;

/// Measures the machine's baseline, the relay, and whole sagas.
///
/// Starts its own PostgreSQL and Apache Kafka, and the system several times.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The baseline (fsync, the services' SQL, the broker), then whole sagas, alternating with the naive way.
    Floor {
        #[command(flatten)]
        orders: Orders,
    },
    /// The relay: draining a backlog, delay from commit to consumer at several rates, CPU and memory, idle and loaded.
    Relay {
        #[command(flatten)]
        rows: Rows,
    },
    /// The system with every door closed, beside the plain one, in turns.
    Doors {
        #[command(flatten)]
        orders: Orders,
        /// Number of runs of each.
        #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
        rounds: u32,
    },
    /// The baseline, the relay, and every figure of whole sagas.
    All {
        #[command(flatten)]
        orders: Orders,
        #[command(flatten)]
        rows: Rows,
    },
}

#[derive(Debug, Clone, Copy, Args)]
struct Orders {
    /// Number of orders in the largest stage; smaller stages use a fraction of it.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    orders: u32,
}

#[derive(Debug, Clone, Copy, Args)]
struct Rows {
    /// Number of rows in the relay's backlog, about 500 bytes each.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    rows: u64,
}

/// Results on a database and a broker without services.
struct Grounded {
    state: StateDir,
    setting: Setting,
    floor: Option<Floor>,
    relay: Option<Relayed>,
}

impl Bench {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(
            Environment::from_process()?.is_none(),
            "KAFKA_BROKERS and DATABASE_URL_… name a running system; unset them, because a bench starts its own"
        );
        let shutdown = Shutdown::on_signals()?;
        let reporter = Reporter::on_stderr();
        if let What::Doors { orders, rounds } = self.what {
            return doors(orders.orders, rounds, &reporter, &shutdown).await;
        }
        let on_ground = async |ground: &Ground| self.on_ground(ground, &reporter).await;
        let Some(grounded) = ground::with(&reporter, &shutdown, on_ground).await? else { return Ok(ExitCode::FAILURE) };
        let Grounded { state, setting, floor, relay } = grounded;
        let sagas = match self.what {
            What::Floor { orders } => sagas::alternate(Extent::Throughput, orders.orders, &reporter, &shutdown).await?,
            What::All { orders, .. } => {
                sagas::alternate(Extent::Everything, orders.orders, &reporter, &shutdown).await?
            }
            What::Relay { .. } | What::Doors { .. } => None,
        };
        if shutdown.is_requested() {
            return Ok(ExitCode::FAILURE);
        }
        let summary = verdict::rows(floor.as_ref(), relay.as_ref(), sagas.as_ref());
        let found = Found { command: command_line(), setting, floor, relay, sagas, summary };
        show(&found);
        let holds = write(found, &state)?;
        Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn on_ground(&self, ground: &Ground, reporter: &Reporter) -> anyhow::Result<Grounded> {
        let (broker, database) = ground.versions();
        let setting = tokio::task::spawn_blocking(move || Setting::find(broker, database)).await??;
        let (with_floor, rows) = match self.what {
            What::Floor { .. } => (true, None),
            What::Relay { rows } => (false, Some(rows.rows)),
            What::Doors { .. } => (false, None),
            What::All { rows, .. } => (true, Some(rows.rows)),
        };
        // The relay first: it publishes the outbox, where the baseline measurement leaves many rows.
        let relay = match rows {
            Some(rows) => Some(relay::measure(ground, rows, reporter).await?),
            None => None,
        };
        let floor = if with_floor { Some(floor::measure(ground, reporter).await?) } else { None };
        Ok(Grounded { state: ground.state.clone(), setting, floor, relay })
    }
}

/// Every door closed, and none, in turns.
async fn doors(orders: u32, rounds: u32, reporter: &Reporter, shutdown: &Shutdown) -> anyhow::Result<ExitCode> {
    let kinds = [
        Kind { name: "plain", options: sagas::quiet().optimized() },
        Kind { name: "secured", options: sagas::quiet().optimized().secured() },
    ];
    let plan = sagas::at_every_load(orders);
    let Some(turns) = turns::take(&kinds, &plan, rounds, reporter, shutdown).await? else {
        return Ok(ExitCode::FAILURE);
    };
    println!("\nmedian of {rounds} runs in turns, the lowest and the highest\n{}", turns.table());
    println!("\n{}", turns.processes(sagas::WALLET));
    println!("{}", turns.setting.line());
    Ok(if turns.hold() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(found: &Found) {
    if let Some(floor) = &found.floor {
        println!("\n{}", floor.table(&found.setting));
    }
    if let Some(relay) = &found.relay {
        println!("\n{}", relay.table());
    }
    if let Some(sagas) = &found.sagas {
        sagas.ours.iter().for_each(|run| report::show(&run.stages));
        println!("\nthe naive way: one event in a transaction, one message in a request");
        sagas.naive.iter().for_each(|run| report::show(&run.stages));
    }
    println!("\n{}", summary::all(&found.summary));
    println!("{}", found.setting.line());
}

/// Writes figures and charts, and tells whether every audit held.
fn write(found: Found, state: &StateDir) -> anyhow::Result<bool> {
    let logs = state.logs();
    let directory = logs.parent().context("the log directory has no parent")?.join("bench");
    std::fs::create_dir_all(&directory).with_context(|| format!("creating the directory {}", directory.display()))?;
    write_figures(&found, &directory)?;
    let Found { command, setting, sagas, summary, .. } = found;
    let Some(sagas) = sagas else { return Ok(true) };
    let audit_holds = sagas.audits_hold();
    let stages = sagas.ours.into_iter().next().map_or_else(Vec::new, |run| run.stages);
    let written = Report { command, setting, caution: None, summary: summary::cells(&summary), stages, audit_holds }
        .write(&directory)?;
    println!("pictures: {}", written.page.display());
    Ok(audit_holds)
}

fn write_figures(found: &Found, directory: &Path) -> anyhow::Result<()> {
    let path = directory.join("bench.json");
    let text = serde_json::to_string_pretty(found)?;
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    println!("\nfigures:  {}", path.display());
    Ok(())
}
