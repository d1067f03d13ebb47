//! When what is done: drawn from a seed, every kind of trouble before any comes a second time.

use std::time::Duration;

use rand::{Rng, RngExt, seq::SliceRandom};

use super::Deed;
use crate::stack::{Broker, Database, Program};

/// Between two deeds, in seconds.
const PAUSE: std::ops::Range<f64> = 0.6..1.8;
/// Longer than a consumer's session at the broker.
const PAST_THE_SESSION: Duration = Duration::from_secs(12);
/// Longer than the lease that chaos gives its relays.
const PAST_THE_LEASE: Duration = Duration::from_secs(4);

/// A run with time for everything.
const LONG: Duration = Duration::from_secs(120);

/// What to do and when, within `lasting`. The same seed draws the same plan.
pub fn draw(random: &mut impl Rng, lasting: Duration, broker: Broker) -> Vec<(Duration, Deed)> {
    let mut plan = Vec::new();
    let mut deck = Vec::new();
    let mut at = Duration::from_secs(1);
    while at < lasting {
        let deed = deck.pop().unwrap_or_else(|| {
            deck = shuffled(random, lasting, broker);
            deck.pop().unwrap_or(Deed::CrashPostgres)
        });
        plan.push((at, deed));
        at += Duration::from_secs_f64(random.random_range(PAUSE));
    }
    plan
}

/// Every kind of trouble once, and kills more often.
fn shuffled(random: &mut impl Rng, lasting: Duration, broker: Broker) -> Vec<Deed> {
    let seconds = |random: &mut _, range| Duration::from_secs_f64(RngExt::random_range(random, range));
    let mut deck = vec![
        Deed::Freeze(any(random), seconds(random, 1.0..4.0)),
        Deed::Freeze(service(random), PAST_THE_SESSION),
        Deed::HoldTransaction(Database::ALL[random.random_range(0..Database::ALL.len())], seconds(random, 2.0..6.0)),
        Deed::CrashPostgres,
        Deed::Repeat { records: random.random_range(50..300) },
        Deed::Litter { records: random.random_range(10..40) },
        Deed::SecondRelay(PAST_THE_LEASE),
        Deed::SecondInstance(service(random), seconds(random, 3.0..6.0)),
        Deed::Kill(Program::OutboxRelay),
        Deed::Kill(Program::Payment),
        Deed::Kill(Program::PaymentGateway),
    ];
    deck.extend((0..3).map(|_| Deed::Kill(service(random))));
    if broker == Broker::Kafka {
        // A short run has no time for a long outage.
        let longest = if lasting >= LONG { 30.0 } else { 6.0 };
        deck.push(Deed::StopKafka(seconds(random, 2.0..longest)));
    }
    deck.shuffle(random);
    deck
}

fn any(random: &mut impl Rng) -> Program {
    Program::ALL[random.random_range(0..Program::ALL.len())]
}

/// One with a consumer.
fn service(random: &mut impl Rng) -> Program {
    let services: Vec<Program> = Program::ALL.into_iter().filter(|program| program.database().is_some()).collect();
    services[random.random_range(0..services.len())]
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, mem::discriminant};

    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn plan(seed: u64, seconds: u64, broker: Broker) -> Vec<(Duration, Deed)> {
        draw(&mut StdRng::seed_from_u64(seed), Duration::from_secs(seconds), broker)
    }

    #[test]
    fn a_seed_draws_the_same_plan_and_another_seed_another() {
        assert_eq!(plan(7, 60, Broker::Kafka), plan(7, 60, Broker::Kafka));
        assert_ne!(plan(7, 60, Broker::Kafka), plan(8, 60, Broker::Kafka));
    }

    #[test]
    fn every_kind_comes_before_any_comes_twice_over_and_all_end_in_time() {
        for seed in 0..20 {
            let plan = plan(seed, 40, Broker::Kafka);
            let kinds: HashSet<_> = plan.iter().take(15).map(|(_, deed)| discriminant(deed)).collect();
            assert_eq!(kinds.len(), 9, "seed {seed}: {plan:?}");
            assert!(plan.iter().all(|(at, _)| *at < Duration::from_secs(40)));
        }
    }

    #[test]
    fn the_embedded_broker_cannot_be_stopped() {
        assert!(plan(1, 120, Broker::Embedded).iter().all(|(_, deed)| !matches!(deed, Deed::StopKafka(_))));
    }
}
