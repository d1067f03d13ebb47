//! The sequence of faults, drawn from a seed; every kind comes up once before any repeats.

use std::time::Duration;

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use testbed::{Database, Manifest, Mode, Program, Side};

use super::{
    Fault, Kind,
    fault::{PAST_THE_SESSION, Patience, Server},
};

/// Pause between two faults, in seconds.
const PAUSE: std::ops::Range<f64> = 0.6..1.8;
/// Longer than the lease of the relays under chaos.
const PAST_THE_LEASE: Duration = Duration::from_secs(4);

/// How faults follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The next fault begins while the last continues.
    Overlapping,
    /// The next fault begins when orders flow again.
    Apart,
}

/// A fault, and the pause after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Injection {
    pub fault: Fault,
    pub pace: Pace,
    pub pause: Duration,
}

/// An endless sequence of faults. The same seed draws the same sequence.
#[derive(Debug)]
pub struct Plan {
    random: StdRng,
    programs: Vec<Program>,
    databases: Vec<Database>,
    /// Programs that a rolling change exchanges; any one program if empty.
    changing: Vec<Program>,
    kinds: Vec<Kind>,
    long: bool,
    apart: bool,
    deck: Vec<Kind>,
    decks: usize,
}

impl Plan {
    /// A plan for this system, with these kinds. A long run has time for long outages, and for one fault after the other in every
    /// other round.
    pub fn new(manifest: &Manifest, seed: u64, kinds: Vec<Kind>, long: bool) -> Self {
        let (programs, databases) = (manifest.programs().collect(), manifest.databases().collect());
        let random = StdRng::seed_from_u64(seed);
        Plan {
            random,
            programs,
            databases,
            changing: Vec::new(),
            kinds,
            long,
            apart: false,
            deck: Vec::new(),
            decks: 0,
        }
    }

    /// Runs one fault after the other, in every round.
    #[must_use]
    pub fn apart(self) -> Self {
        Plan { apart: true, ..self }
    }

    /// Has every rolling change exchange these programs, in this order.
    #[must_use]
    pub fn changing(self, changing: Vec<Program>) -> Self {
        Plan { changing, ..self }
    }

    fn draw(&mut self, kind: Kind) -> Fault {
        let Plan { long, programs, databases, changing, random, .. } = self;
        let (long, programs, databases) = (*long, programs.as_slice(), databases.as_slice());
        let service = |random: &mut StdRng| chosen(random, programs, Program::consumes);
        let client = |random: &mut StdRng| chosen(random, programs, Program::speaks_kafka);
        // A short run has no time for a long outage.
        let silence = if long { 5.0..20.0 } else { 5.0..8.0 };
        match kind {
            Kind::KillService => Fault::Kill(service(random)),
            Kind::KillRelay => Fault::Kill(Program::OUTBOX_RELAY),
            Kind::KillGateway => Fault::Kill(Program::PAYMENT_GATEWAY),
            Kind::Freeze => Fault::Freeze(one_of(random, programs), seconds(random, 1.0..4.0)),
            Kind::FreezePastSession => Fault::Freeze(service(random), PAST_THE_SESSION),
            Kind::FreezeInTransaction => Fault::FreezeInTransaction(service(random), PAST_THE_SESSION),
            Kind::LostHost => Fault::LostHost(service(random)),
            Kind::SecondInstance => Fault::SecondInstance(service(random), seconds(random, 3.0..6.0)),
            Kind::SecondRelay => Fault::SecondRelay(PAST_THE_LEASE),
            Kind::RollingChange => {
                let programs = if changing.is_empty() { vec![client(random)] } else { changing.clone() };
                Fault::RollingChange(programs, seconds(random, 1.0..2.0))
            }
            Kind::CrashPostgres => Fault::CrashPostgres,
            Kind::StrandedDatabase => Fault::StrandDatabase(client(random)),
            Kind::SilentDatabase => {
                let side = if random.random_bool(0.5) { Side::Both } else { Side::Answers };
                Fault::Break(client(random), Server::Postgres, Mode::Silent(side), seconds(random, silence))
            }
            Kind::SilentKafka => {
                Fault::Break(client(random), Server::Kafka, Mode::Silent(Side::Both), seconds(random, silence))
            }
            Kind::PartitionedDatabase => partition(client(random), random, Server::Postgres),
            Kind::PartitionedKafka => partition(client(random), random, Server::Kafka),
            Kind::SlowNetwork => {
                let server = if random.random_bool(0.5) { Server::Postgres } else { Server::Kafka };
                let mode = Mode::Slow(Duration::from_millis(random.random_range(20..100)));
                Fault::Break(client(random), server, mode, seconds(random, 3.0..6.0))
            }
            Kind::HeldTransaction => Fault::HoldTransaction(one_of(random, databases), seconds(random, 2.0..6.0)),
            Kind::LockedTable => Fault::LockTable(one_of(random, databases), seconds(random, 2.0..6.0)),
            Kind::StatementTimeout => {
                Fault::Impatient(service(random), Patience::Statements, seconds(random, 3.0..6.0))
            }
            Kind::LockTimeout => Fault::Impatient(service(random), Patience::Locks, seconds(random, 3.0..6.0)),
            Kind::StopKafka => Fault::StopKafka(seconds(random, if long { 2.0..30.0 } else { 2.0..6.0 })),
            Kind::RejectedWrites => Fault::RejectWrites(seconds(random, 2.0..6.0)),
            Kind::Repeat => Fault::Repeat { records: random.random_range(50..300) },
            Kind::BadRequests => Fault::BadRequests { records: random.random_range(10..40) },
            Kind::HostileRecords => Fault::HostileRecords { records: random.random_range(20..60) },
            Kind::ClockAhead => Fault::ClockAhead(service(random), seconds(random, 4.0..8.0)),
            Kind::ShortDeadlines => Fault::ShortDeadlines(seconds(random, 4.0..8.0)),
        }
    }
}

impl Iterator for Plan {
    type Item = Injection;

    fn next(&mut self) -> Option<Injection> {
        if self.deck.is_empty() {
            self.deck.clone_from(&self.kinds);
            self.deck.shuffle(&mut self.random);
            self.decks += 1;
        }
        let kind = self.deck.pop()?;
        let fault = self.draw(kind);
        let pace = if self.apart || self.long && self.decks % 2 == 1 { Pace::Apart } else { Pace::Overlapping };
        Some(Injection { fault, pace, pause: seconds(&mut self.random, PAUSE) })
    }
}

fn seconds(random: &mut impl Rng, range: std::ops::Range<f64>) -> Duration {
    Duration::from_secs_f64(random.random_range(range))
}

fn one_of<T: Copy>(random: &mut impl Rng, all: &[T]) -> T {
    all[random.random_range(0..all.len())]
}

fn partition(client: Program, random: &mut impl Rng, server: Server) -> Fault {
    let mode = if random.random_bool(0.5) { Mode::Refuse } else { Mode::Reset };
    Fault::Break(client, server, mode, seconds(random, 3.0..8.0))
}

/// A random program that fits.
fn chosen(random: &mut impl Rng, programs: &[Program], fits: fn(Program) -> bool) -> Program {
    let fitting: Vec<Program> = programs.iter().copied().filter(|program| fits(*program)).collect();
    one_of(random, &fitting)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn first(seed: u64, steps: usize, long: bool) -> Vec<Injection> {
        Plan::new(&Manifest::of_the_shop(), seed, Kind::ALL.to_vec(), long).take(steps).collect()
    }

    #[test]
    fn a_seed_draws_the_same_plan_and_another_seed_another() {
        assert_eq!(first(7, 60, true), first(7, 60, true));
        assert_ne!(first(7, 60, true), first(8, 60, true));
    }

    #[test]
    fn every_kind_comes_before_any_comes_again() {
        for seed in 0..20 {
            let steps = first(seed, Kind::ALL.len() * 2, true);
            for deck in steps.chunks(Kind::ALL.len()) {
                let kinds: BTreeSet<Kind> = deck.iter().map(|step| step.fault.kind()).collect();
                assert_eq!(kinds, Kind::ALL.into_iter().collect(), "seed {seed}");
            }
        }
    }

    #[test]
    fn what_a_manifest_adds_is_shaken_like_the_shop() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "[[programs]]\nname = 'loyalty'\ndatabase = 'points'\n").expect("written");
        let manifest = Manifest::with_file(file.path()).expect("a manifest");
        let loyalty = manifest.program("loyalty").expect("it is in it");
        let faults: Vec<Fault> =
            Plan::new(&manifest, 1, Kind::ALL.to_vec(), true).take(2_000).map(|step| step.fault).collect();
        assert!(faults.contains(&Fault::Kill(loyalty)), "killed");
        let locked =
            |fault: &Fault| matches!(fault, Fault::LockTable(database, _) if loyalty.database() == Some(*database));
        assert!(faults.iter().any(locked), "its tables are locked");
        let all: Vec<Program> = manifest.programs().collect();
        assert!(Fault::CrashPostgres.programs(&all).contains(&loyalty), "and it loses its server with the others");
    }

    #[test]
    fn only_what_is_asked_for_comes() {
        let plan = Plan::new(&Manifest::of_the_shop(), 1, vec![Kind::StopKafka, Kind::KillService], false);
        assert!(plan.take(9).all(|step| matches!(step.fault.kind(), Kind::StopKafka | Kind::KillService)));
        assert_eq!(Plan::new(&Manifest::of_the_shop(), 1, Vec::new(), false).count(), 0);
    }

    #[test]
    fn a_rolling_change_is_of_what_is_asked_for_or_else_of_one_program() {
        let plan = || Plan::new(&Manifest::of_the_shop(), 1, vec![Kind::RollingChange], false);
        let changed = |plan: Plan| -> Vec<Vec<Program>> {
            let programs = |step: Injection| match step.fault {
                Fault::RollingChange(programs, _) => programs,
                other => panic!("{other}"),
            };
            plan.take(200).map(programs).collect()
        };
        let wanted = vec![Program::ACCOUNT, Program::INVENTORY];
        assert!(changed(plan().changing(wanted.clone())).iter().all(|programs| *programs == wanted));
        let all: BTreeSet<Program> = changed(plan())
            .into_iter()
            .flat_map(|programs| {
                assert_eq!(programs.len(), 1);
                programs
            })
            .collect();
        let running = Manifest::of_the_shop().programs().filter(|program| program.speaks_kafka()).collect();
        assert_eq!(all, running, "each service, and the relay");
    }

    #[test]
    fn a_long_run_measures_first_and_then_lets_faults_overlap() {
        let paces = |long| first(3, Kind::ALL.len() + 1, long).into_iter().map(|step| step.pace).collect::<Vec<_>>();
        let (long, short) = (paces(true), paces(false));
        assert!(
            Plan::new(&Manifest::of_the_shop(), 1, Kind::ALL.to_vec(), false)
                .apart()
                .take(60)
                .all(|step| step.pace == Pace::Apart)
        );
        assert!(long[..Kind::ALL.len()].iter().all(|pace| *pace == Pace::Apart));
        assert_eq!(long.last(), Some(&Pace::Overlapping));
        assert!(short.iter().all(|pace| *pace == Pace::Overlapping));
    }

    #[test]
    fn a_kind_has_one_name_and_is_found_by_it() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("kill".parse::<Kind>().is_err());
    }
}
