//! Crashes every program at every crash point, on real parts: Postgres, Apache Kafka, every program a process.
//!
//! Only with the feature `crash-points`, as `make test` builds it. A point is armed in all programs that pass it at once; orders
//! with different outcomes flow until each program has crashed there and come back, and then everything has to agree.

#![cfg(feature = "crash-points")]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]
#![expect(clippy::print_stdout, reason = "figures, for whoever runs it with --nocapture")]

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use events::OrderId;
use saga::shutdown::Shutdown;
use scenarios::{
    audit,
    cast::{JUDY, KEN, Person, SONG},
    chaos::{
        shoppers::{Shoppers, enrich},
        tally::Tally,
    },
    databases::Databases,
    play::Wish,
    requests::Client,
    stack::{self, Broker, Database, Options, Program, Reporter, Stack, until},
};
use tokio::sync::Mutex;

const SEED: u64 = 20_260_731;
const PATIENCE: Duration = Duration::from_secs(90);

const CONSUMERS: &[Program] = &[
    Program::ORDER,
    Program::ACCOUNT,
    Program::PAYMENT,
    Program::INVENTORY,
    Program::SHIPPING,
    Program::ENTITLEMENT,
    Program::NOTIFICATION,
];
const CALLERS: &[Program] = &[Program::PAYMENT, Program::NOTIFICATION];
const ORDER: &[Program] = &[Program::ORDER];
const RELAY: &[Program] = &[Program::OUTBOX_RELAY];

/// Points passed by the same programs, each with the passages at which all of them crash, in turn. The audit follows.
struct Round {
    programs: &'static [Program],
    points: &'static [(&'static str, &'static [u32])],
}

const ROUNDS: &[Round] = &[
    Round { programs: CONSUMERS, points: &[("batch.before-commit", &[1, 3])] },
    Round { programs: CONSUMERS, points: &[("consumer.before-offsets", &[1, 3])] },
    Round { programs: CONSUMERS, points: &[("consumer.after-offsets", &[1])] },
    Round { programs: ORDER, points: &[("letters.published", &[1, 2])] },
    Round { programs: ORDER, points: &[("request.before-commit", &[1, 2]), ("request.after-commit", &[1, 2])] },
    // In one round: a program that crashes with a claimed call resumes it within seconds, once its database session is gone.
    Round {
        programs: CALLERS,
        points: &[("attempts.claimed", &[1]), ("attempts.called", &[1, 2]), ("attempts.settled", &[1])],
    },
    Round { programs: RELAY, points: &[("relay.sent", &[1, 4])] },
    Round { programs: RELAY, points: &[("relay.acknowledged", &[1, 4])] },
    Round { programs: RELAY, points: &[("relay.saved", &[1, 4])] },
];

fn names() -> impl Iterator<Item = &'static str> {
    ROUNDS.iter().flat_map(|round| round.points).map(|(point, _)| *point)
}

/// File that names a program's crash point.
fn armed_by(directory: &tempfile::TempDir, program: Program) -> PathBuf {
    directory.path().join(program.name())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_wherever_a_program_dies() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(Broker::Kafka);
    for program in CONSUMERS.iter().chain(RELAY) {
        options = options.setting(*program, "CRASH_AT", armed_by(&directory, *program).display().to_string());
    }
    // No deadline may overtake a call whose claimant has crashed; deadlines are tested separately below.
    options = options.setting(Program::ORDER, "ORDER_TIMEOUT_SECONDS", "600");
    let _alone = ONE_SYSTEM.lock().await;
    let (_stop, shutdown) = Shutdown::by_hand();
    let reporter = Reporter::on_stderr();
    let crashes = stack::with(options, &reporter, &shutdown, async |stack| {
        let mut drill = Drill::new(stack, &directory).await?;
        let mut crashes = 0;
        for Round { programs, points } in ROUNDS {
            let begun = Instant::now();
            for (point, passages) in *points {
                for passage in *passages {
                    drill.crash_at(point, programs, *passage).await?;
                    crashes += programs.len();
                }
            }
            let tally = drill.settle().await.with_context(|| format!("after {points:?} of {programs:?}"))?;
            println!("{points:?} of {programs:?}: {tally}; {:.1} s", begun.elapsed().as_secs_f64());
        }
        Ok(crashes)
    });
    let crashes = crashes.await.unwrap().unwrap();
    println!("{} points, {crashes} crashes survived, seed {SEED}", names().count());
}

/// The order service crashes in the middle of a cancellation and in the middle of a deadline, before and after the commit; no
/// other transaction triggers these points. The cancellation or the timeout takes effect all the same, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_and_a_deadline_survive_the_death_of_their_program() {
    let directory = tempfile::tempdir().unwrap();
    let file = armed_by(&directory, Program::ORDER);
    let options = Options::new(Broker::Kafka)
        .setting(Program::ORDER, "CRASH_AT", file.display().to_string())
        // Long enough for a cancellation, although the program crashes on it and has to restart.
        .setting(Program::ORDER, "ORDER_TIMEOUT_SECONDS", "8")
        .setting(Program::ORDER, "ORDER_DEADLINE_CHECK_MS", "200")
        // Longer than the deadline: an order that waits for the bank's answer times out.
        .setting(Program::PAYMENT_GATEWAY, "SLOW_MS", "15000");
    let _alone = ONE_SYSTEM.lock().await;
    let (_stop, shutdown) = Shutdown::by_hand();
    let reporter = Reporter::on_stderr();
    let survived = stack::with(options, &reporter, &shutdown, async |stack| {
        let mut drill = Drill::new(stack, &directory).await?;
        for point in ["request.before-commit", "request.after-commit"] {
            for passage in [1, 2] {
                std::fs::write(&file, format!("{point} ({}):{passage}", order::POST_CANCEL))?;
                let cancelled = drill.cancel_until_dead(&file).await?;
                std::fs::write(&file, format!("{point} ({}):{passage}", order::DEADLINE_PASSED))?;
                let timed_out = drill.wait_until_dead(&file).await?;
                drill.settle().await?;
                drill.said_once(&cancelled, "OrderCancelRequested", "cancelled_by_user").await?;
                drill.said_once(&timed_out, "OrderTimedOut", "timed_out").await?;
                println!("{point}:{passage}: {} cancelled, {} timed out", cancelled.len(), timed_out.len());
            }
        }
        Ok(())
    });
    survived.await.unwrap().unwrap();
}

/// Two systems at once would be slow, and deadlines would pass.
static ONE_SYSTEM: Mutex<()> = Mutex::const_new(());

struct Drill<'a> {
    stack: &'a Stack,
    directory: &'a tempfile::TempDir,
    databases: Databases,
    client: Client,
    http: reqwest::Client,
    shoppers: Shoppers,
    /// All orders so far.
    orders: Vec<OrderId>,
}

impl<'a> Drill<'a> {
    async fn new(stack: &'a Stack, directory: &'a tempfile::TempDir) -> anyhow::Result<Self> {
        let environment = stack.environment();
        enrich(environment).await?;
        Ok(Drill {
            databases: Databases::of(environment)?,
            client: Client::new(&environment.brokers)?,
            http: environment.transport.http()?.timeout(Duration::from_secs(5)).build()?,
            shoppers: Shoppers::new(SEED),
            orders: Vec::new(),
            stack,
            directory,
        })
    }

    /// Crashes each of `programs` at its `passage` of `point`, while orders flow.
    async fn crash_at(&mut self, point: &str, programs: &[Program], passage: u32) -> anyhow::Result<()> {
        for program in programs {
            std::fs::write(armed_by(self.directory, *program), format!("{point}:{passage}"))?;
        }
        let alive = || {
            let armed = programs.iter().filter(|program| armed_by(self.directory, **program).exists());
            armed.copied().collect::<Vec<Program>>()
        };
        for _ in 0..30 {
            let orders = self.place_some().await?;
            self.orders.extend(orders);
            // If these orders were not enough, the next ones follow.
            if until("all have died", Duration::from_secs(1), async || alive().is_empty().then_some(())).await.is_ok() {
                return Ok(());
            }
        }
        bail!("{point}:{passage} was not passed by {:?}", alive())
    }

    /// Cancels orders during their card authorization until the order service has crashed. Each cancellation is retried until it
    /// is answered.
    async fn cancel_until_dead(&mut self, armed: &Path) -> anyhow::Result<Vec<OrderId>> {
        let mut cancelled = Vec::new();
        for _ in 0..10 {
            let order = self.place_slow(JUDY).await?;
            let url = format!("{}/orders/{order}/cancel", self.stack.environment().order_api()?);
            let taken = async || {
                let answer = self.http.post(&url).send().await.ok()?;
                (answer.status() == reqwest::StatusCode::ACCEPTED).then_some(())
            };
            until("the order API takes a cancel", PATIENCE, taken).await?;
            cancelled.push(order);
            if !armed.exists() {
                return Ok(cancelled);
            }
        }
        bail!("{} was not passed by a cancel", std::fs::read_to_string(armed)?)
    }

    /// Lets deadlines pass during the card authorization until the order service has crashed.
    async fn wait_until_dead(&mut self, armed: &Path) -> anyhow::Result<Vec<OrderId>> {
        let mut timed_out = Vec::new();
        for _ in 0..5 {
            for _ in 0..2 {
                timed_out.push(self.place_slow(KEN).await?);
            }
            let dead = until("it has died", Duration::from_secs(30), async || (!armed.exists()).then_some(()));
            if dead.await.is_ok() {
                return Ok(timed_out);
            }
        }
        bail!("{} was not passed by a deadline", std::fs::read_to_string(armed)?)
    }

    /// Places an order with a slow card; it is PENDING when this returns.
    async fn place_slow(&mut self, person: Person) -> anyhow::Result<OrderId> {
        let wish = Wish::of(person, &[(SONG, 1)]);
        let order = wish.order_id();
        self.client.request(order, wish.data()).await?;
        self.orders.push(order);
        let placed = async || {
            let found = sqlx::query_scalar("select status from orders where id = $1").bind(order.0);
            let status: Option<String> =
                found.fetch_optional(self.databases.of_service(Database::ORDERS)).await.ok()?;
            status.filter(|status| status == "PENDING")
        };
        until("the order is placed", PATIENCE, placed).await?;
        Ok(order)
    }

    /// Each order has published `event_type` once and ended for this reason.
    async fn said_once(&self, orders: &[OrderId], event_type: &str, reason: &str) -> anyhow::Result<()> {
        for order in orders {
            let (said, status, why): (i64, String, Option<String>) = sqlx::query_as(
                "select (select count(*) from outbox where aggregateid = $1::text and type = $2), status, reason
                 from orders where id = $1",
            )
            .bind(order.0)
            .bind(event_type)
            .fetch_one(self.databases.of_service(Database::ORDERS))
            .await?;
            ensure!(
                (said, status.as_str(), why.as_deref()) == (1, "CANCELLED", Some(reason)),
                "order {order} has said {event_type} {said} times and is {status}, {why:?}"
            );
        }
        Ok(())
    }

    /// Waits for the end of all orders so far, and audits.
    async fn settle(&self) -> anyhow::Result<Tally> {
        let tally = Tally::settled(&self.databases, &self.orders, PATIENCE).await?;
        let audited = audit::run(self.stack.environment(), PATIENCE).await?;
        ensure!(tally.holds(), "{tally}; lost {:?}, doubled {:?}, stuck {:?}", tally.lost, tally.doubled, tally.stuck);
        let complaints: Vec<_> = audited.invariants.iter().filter(|invariant| !invariant.findings.is_empty()).collect();
        ensure!(complaints.is_empty(), "{complaints:#?}");
        Ok(tally)
    }

    /// A dozen orders through both entry points, and an unreadable request.
    async fn place_some(&mut self) -> anyhow::Result<Vec<OrderId>> {
        self.client.bare(None, Some(b"no request at all")).await?;
        let mut orders = Vec::new();
        let url = format!("{}/orders", self.stack.environment().order_api()?);
        for number in 0..12 {
            let wish = self.shoppers.next_wish();
            if number % 3 == 0 {
                // A client that gets no answer retries.
                let taken = async || {
                    self.http
                        .post(&url)
                        .json(wish.data())
                        .send()
                        .await
                        .ok()
                        .filter(|answer| answer.status().is_success())
                };
                until("the order API takes an order", PATIENCE, taken).await?;
            } else {
                self.client.request(wish.order_id(), wish.data()).await?;
            }
            orders.push(wish.order_id());
        }
        Ok(orders)
    }
}

/// A point that is not armed is not tested: the points in the sources and those listed here have to be the same.
#[test]
fn every_point_in_the_sources_is_listed() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut named = Vec::new();
    for directory in ["saga/src", "outbox-relay/src", "process/src", "services"] {
        collect(&root.join(directory), &mut named);
    }
    named.sort_unstable();
    named.dedup();
    let mut listed: Vec<&str> = names().collect();
    listed.sort_unstable();
    assert_eq!(named, listed);
}

fn collect(directory: &Path, named: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, named);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            for call in ["crash::point(\"", "crash::point_of(\""] {
                let points = text.split(call).skip(1).filter_map(|rest| rest.split('"').next());
                named.extend(points.map(str::to_owned));
            }
        }
    }
}
