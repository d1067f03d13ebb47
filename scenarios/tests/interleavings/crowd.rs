//! Several orders of one buyer for the same products: too many interleavings to explore, so they are sampled at random.
//!
//! A failure prints the smallest run that shows it, and saves its seed in `crowd.regressions`, which every later run replays
//! first. `PROPTEST_CASES` sets the number of runs, `PROPTEST_RNG_SEED` repeats those of a printed seed.

use std::{cell::Cell, time::Instant};

use proptest::{
    collection::vec,
    prelude::*,
    sample::subsequence,
    test_runner::{Config, FileFailurePersistence, RngSeed, TestRunner},
};

use payment_gateway::payment::Operation;

use crate::{
    bus::{Action, Bus, Change, Disturbances, LEDGER_FIRST_ORDERS_LAST, World},
    laws::LAWS,
    report::announce,
    shop::{self, BUYER, NEIGHBOUR, NOWHERE, PRICE, STRANGER, Shop},
    story,
    wish::{Pay, Wish},
};

/// A shop, the orders, the allowed disturbances, and a choice for each step; and whether repetitions reach the decisions.
#[derive(Debug)]
struct Run {
    shop: Shop,
    wishes: Vec<Wish>,
    may: Disturbances,
    forgetful: bool,
    choices: Vec<u16>,
}

fn wish() -> impl Strategy<Value = Wish> {
    let pay = prop_oneof![
        4 => Just(Pay::Wallet),
        4 => Just(Pay::Card),
        1 => Just(Pay::DeclinedCard),
        1 => Just(Pay::FaithlessCard),
        1 => Just(Pay::Points),
        1 => Just(Pay::Nothing),
    ];
    let user = prop_oneof![15 => Just(BUYER), 4 => Just(NEIGHBOUR), 1 => Just(STRANGER)];
    let ship_to = prop_oneof![4 => Just("Kyoto"), 1 => Just(NOWHERE)];
    let odd = proptest::bool::weighted(0.2);
    ((user, 0..3_i64, 0..3_i64, pay, ship_to), (0..2_i64, odd, odd)).prop_map(
        |((user, digital, physical, pay, ship_to), (another, piecemeal, points))| Wish {
            user,
            digital,
            physical,
            another,
            piecemeal,
            points,
            pay,
            ship_to: ship_to.into(),
            key: None,
        },
    )
}

/// No disturbance, or a few of them.
fn disturbances() -> impl Strategy<Value = Disturbances> {
    let changes = subsequence(Change::ALL.to_vec(), 0..=3);
    let provider = subsequence(vec![Operation::Void, Operation::Capture, Operation::Refund], 0..=3);
    let others = (changes, provider, any::<bool>(), any::<bool>(), proptest::bool::weighted(0.3));
    let some = others.prop_map(|(changes, provider, parks, calls_park, reconciles)| {
        let torn = reconciles.then_some(LEDGER_FIRST_ORDERS_LAST);
        Disturbances { changes, provider, parks, calls_park, torn, ..Disturbances::default() }
    });
    prop_oneof![Just(Disturbances::default()), some]
}

fn run() -> impl Strategy<Value = Run> {
    let shop = (0..20_i64, 0..10_i64, proptest::bool::weighted(0.8)).prop_map(|(pieces, received, unlocks)| Shop {
        deposit: pieces * PRICE,
        received: Some(received),
        unlocks: Some(unlocks),
        ..Shop::default()
    });
    (shop, vec(wish(), 1..=6), disturbances(), any::<bool>(), vec(any::<u16>(), 0..400)).prop_map(
        |(shop, wishes, may, forgetful, choices)| {
            // Parking relies on the inbox: a service does not read again what it has parked.
            let forgetful = forgetful && !may.parks;
            Run { shop, wishes, may, forgetful, choices }
        },
    )
}

#[test]
fn any_crowd_of_orders_comes_to_a_good_end() {
    let begun = Instant::now();
    let mut config = Config {
        cases: std::env::var("PROPTEST_CASES").map_or(500, |_| Config::default().cases),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        source_file: Some(file!()),
        ..Config::default()
    };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => rand::random(),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    let steps = Cell::new(0);
    let runs = config.cases;
    if let Err(failure) = TestRunner::new(config).run(&run(), |run| play(&run, &steps)) {
        panic!("PROPTEST_RNG_SEED={seed}: {failure}");
    }
    let (steps, seconds) = (steps.get(), begun.elapsed().as_secs_f64());
    announce(&format!("crowds of orders: {runs} runs, {steps} steps in {seconds:.1} s, PROPTEST_RNG_SEED={seed}"));
}

/// Takes a step for every choice, and then all owed steps; checks every state.
fn play(run: &Run, taken: &Cell<usize>) -> Result<(), TestCaseError> {
    let bus = Bus { forgetful: run.forgetful, may: run.may.clone(), ..Bus::default() };
    let begin = shop::open(&run.shop, &run.wishes, &bus.cast);
    let mut world = begin.clone();
    let mut steps = Vec::new();
    let mut choices = run.choices.iter();
    while !world.is_at_rest() {
        let Some((step, next)) = next(&bus, &world, choices.next().copied()) else { continue };
        steps.push(step);
        taken.set(taken.get() + 1);
        for law in LAWS {
            if let Err(how) = (law.holds)(&run.shop, &bus, &next) {
                let story = story::tell(&bus, &begin, &steps);
                return Err(TestCaseError::fail(format!("broken: {} ({how})\n{story}", law.name)));
            }
        }
        world = next;
    }
    Ok(())
}

/// One choice in six may be any step, the others are owed steps. Without a choice: the first step that changes anything, owed
/// steps first.
fn next(bus: &Bus, world: &World, choice: Option<u16>) -> Option<(Action, World)> {
    let steps = bus.steps(world);
    let take = |step: Action| Some((step, bus.take(world, step)?));
    let owed = || steps.iter().copied().filter(|step| step.what.is_owed());
    match choice.map(usize::from) {
        Some(choice) if choice % 6 == 0 => take(steps[choice / 6 % steps.len()]),
        Some(choice) => take(owed().nth(choice / 6 % owed().count().max(1))?),
        None => owed().chain(steps.iter().copied()).find_map(take),
    }
}
