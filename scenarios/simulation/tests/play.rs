//! Runs of the model on the services' real databases.

use std::{collections::BTreeMap, io::Write};

use events::request::ORDER_REQUESTED;
use saga_check::{PlayError, Played, Simulated, Simulation};
use simulation::{
    Case, Databases, Fault,
    shop::{NOWHERE, Shop},
    wish::{Pay, Wish},
};

async fn databases(shop: &Shop) -> Databases {
    let server = std::env::var("TEST_DATABASE_URL").expect("`scenarios exec -- cargo test` starts a Postgres");
    Databases::create(&server.parse().expect("a URL"), shop).await.expect("first rows")
}

async fn played(case: &Case, databases: &Databases) -> Played {
    databases.reset(&case.shop).await.expect("first rows");
    let played = case.check().play(&case.schedule, &databases.pools()).await;
    played.unwrap_or_else(|error| panic!("{error}"))
}

/// Shops and orders in which each service has something to refuse.
fn cases() -> Vec<Case> {
    let shop = Shop::default;
    let mixed = Wish::of(1, 1, Pay::Wallet);
    let unshippable = Wish { ship_to: NOWHERE.into(), ..mixed.clone() };
    [
        (shop(), mixed.clone()),
        (Shop { deposit: 0, ..shop() }, mixed.clone()),
        (Shop { received: Some(0), ..shop() }, mixed.clone()),
        (Shop { unlocks: Some(false), ..shop() }, mixed),
        (shop(), unshippable),
        (shop(), Wish::of(1, 0, Pay::Card)),
        (shop(), Wish::of(1, 0, Pay::Nothing)),
        (shop(), Wish::of(0, 0, Pay::Wallet)),
    ]
    .map(|(shop, wish)| Case::new(shop, vec![wish]))
    .to_vec()
}

/// Lines without which no law is broken, and why.
const HARMLESS: [(&str, &str, &str); 13] = [
    ("account", "OrderCreated", NO_ORDER),
    ("account", "StockReserved", NO_ORDER),
    ("payment", "BalanceReserved", NO_ORDER),
    ("payment", "BalanceDebited", NO_ORDER),
    ("inventory", "PaymentAuthorized", NO_ORDER),
    ("inventory", "PaymentCaptured", NO_ORDER),
    ("inventory", "PaymentCaptureFailed", "the deadline undoes what the refused capture would have"),
    ("inventory", "OrderCancelRequested", "nobody has promised that a cancellation comes in time"),
    ("inventory", "OrderTimedOut", "nothing is ever late here"),
    ("account", "UserErased", NOBODY_ERASED),
    ("payment", "UserErased", NOBODY_ERASED),
    ("shipping", "UserErased", NOBODY_ERASED),
    ("notification", "UserErased", NOBODY_ERASED),
];
const NOBODY_ERASED: &str = "nobody is erased here: what a search then finds, the tests of erasures show";
const NO_ORDER: &str = "no order completes: the deadline cancels each of them";

/// Every line of every table taken away in turn: what the model finds happens on Postgres, step by step.
#[tokio::test]
async fn each_forgotten_line_that_the_model_notices_does_its_harm_on_postgres() {
    let databases = databases(&Shop::default()).await;
    // Without its requests a shop has no orders.
    for (service, event) in simulation::lines().filter(|(_, event)| *event != ORDER_REQUESTED) {
        let mutants = || cases().into_iter().map(|case| case.without(service, event));
        let found = mutants().find_map(|case| Some((case.check().reduced().explore().broken?, case)));
        let harmless = HARMLESS.iter().find(|(of, line, _)| (*of, *line) == (service, event));
        let Some((broken, case)) = found else {
            let (.., why) = harmless.unwrap_or_else(|| panic!("nobody notices: {service} without {event}"));
            let mut reports = mutants().map(|case| case.check().reduced().explore());
            let completes = reports.any(|report| report.endings.keys().flatten().any(|end| *end == "OrderCompleted"));
            assert_eq!(!completes, *why == NO_ORDER, "{service} without {event}");
            continue;
        };
        assert_eq!(harmless, None, "{service} without {event}: {broken}");
        // As from a file.
        let case = Case { schedule: broken.schedule.clone(), breaks: Some(broken.law.to_owned()), ..case };
        let case: Case = serde_json::from_str(&serde_json::to_string(&case).expect("JSON")).expect("the same");
        let played = played(&case, &databases).await;
        assert_eq!(played.broken.map(|broken| broken.law), Some(broken.law), "{service} without {event}: {broken}");
    }
}

/// The same for what is wrong in decisions. Where a constraint keeps the harm out of the database, the event is parked there.
#[tokio::test]
async fn each_fault_that_the_model_notices_does_its_harm_on_postgres() {
    let databases = databases(&Shop::default()).await;
    let mut kept_out = Vec::new();
    for fault in Fault::ALL {
        let mutants = cases().into_iter().map(|case| Case { fault: Some(fault), ..case });
        let mut found = mutants.filter_map(|case| Some((case.check().reduced().explore().broken?, case)));
        let (broken, case) = found.next().unwrap_or_else(|| panic!("nobody notices: {fault:?}"));
        let case = Case { schedule: broken.schedule.clone(), ..case };
        let case: Case = serde_json::from_str(&serde_json::to_string(&case).expect("JSON")).expect("the same");
        databases.reset(&case.shop).await.expect("first rows");
        match case.check().play(&case.schedule, &databases.pools()).await {
            Ok(played) => {
                assert_eq!(played.broken.map(|broken| broken.law), Some(broken.law), "{fault:?}: {broken}");
            }
            Err(PlayError::Parted(parted)) if parted.schedule == broken.schedule => {
                let service = &broken.schedule.steps.last().expect("a step").service;
                let why: Vec<String> = sqlx::query_scalar("select error from parked_events where error is not null")
                    .fetch_all(&databases.pools()[service.as_str()])
                    .await
                    .expect("parked events");
                assert!(why.iter().any(|why| why.contains("violates check constraint")), "{fault:?}: {parted}{why:?}");
                kept_out.push(fault);
            }
            Err(error) => panic!("{fault:?}: {error}"),
        }
    }
    assert_eq!(kept_out, [Fault::LateConfirm]);
}

#[tokio::test]
async fn a_run_that_the_databases_do_not_follow_shows_where_they_part() {
    let case = Case::new(Shop::default(), vec![Wish::of(1, 0, Pay::Wallet)]);
    let databases = databases(&case.shop).await;
    let never = case.check().law("nothing is reserved", |view| {
        if view.said().any(|event| event.event_type == "StockReserved") { Err("it is".to_owned()) } else { Ok(()) }
    });
    let schedule = never.explore().broken.expect("it is").schedule;
    let (pools, check) = (databases.pools(), case.check());
    assert_eq!(check.play(&schedule, &pools).await.expect("both agree").steps, schedule.steps.len());

    databases.reset(&case.shop).await.expect("first rows");
    sqlx::raw_sql("update stock set stock_quantity = 0").execute(&pools["inventory"]).await.expect("no stock");
    let Err(PlayError::Parted(parted)) = check.play(&schedule, &pools).await else { panic!("both cannot agree") };
    assert_eq!(parted.schedule, schedule);
    assert!(parted.how.contains("StockRejected"), "{parted}");
    assert!(parted.story.last().is_some_and(|step| step.starts_with("PaymentAuthorized → inventory")), "{parted}");
}

#[tokio::test]
async fn a_run_with_a_step_that_cannot_be_taken_is_refused() {
    let mut case = Case::new(Shop::default(), vec![Wish::of(1, 0, Pay::Wallet)]);
    let databases = databases(&case.shop).await;
    for (step, why) in [
        (r#"{"service": "stock", "saga": ID, "step": "retry"}"#, "no service `stock` is checked"),
        (r#"{"service": "order", "saga": ID, "step": "retry"}"#, "nothing is set aside"),
        (
            r#"{"service": "account", "saga": ID, "step": {"event": {"from": "order", "type": "OrderCreated"}}}"#,
            "it has read all of them",
        ),
        (
            r#"{"service": "payment", "saga": ID, "step": {"answer": {"call": "void", "answer": "voided"}}}"#,
            "no such call is open",
        ),
        (
            r#"{"service": "order", "saga": ID, "step": {"occasion": {"what": "a whim"}}}"#,
            "`order` is asked: a whim, about 00000000-0000-0000-0000-000000000001: not any more, or never",
        ),
    ] {
        let step = step.replace("ID", r#""00000000-0000-0000-0000-000000000001""#);
        case.schedule = serde_json::from_str(&format!(r#"{{"steps": [{step}]}}"#)).expect("a schedule");
        let refused = case.check().play(&case.schedule, &databases.pools()).await;
        let Err(PlayError::Schedule(error)) = refused else { panic!("{step}: {refused:?}") };
        assert!(error.starts_with("step 1: ") && error.contains(why), "{error}");
    }
}

/// Another seed with each run; `SIMULATION_SEED` repeats one, `SIMULATIONS` says how many follow it.
#[tokio::test]
async fn random_runs_are_the_same_on_postgres_and_in_the_model() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("SIMULATION_SEED").unwrap_or_else(|| rand::random_range(0..u64::MAX / 2));
    let seeds = number("SIMULATIONS").unwrap_or(20);
    let databases = databases(&Shop::default()).await;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in first..first + seeds {
        let orders = 1 + usize::try_from(seed % 6).expect("a few");
        for (deed, times) in simulated(seed, orders, 60, &databases).await.deeds {
            *seen.entry(deed).or_default() += times;
        }
    }
    writeln!(std::io::stderr(), "{seeds} seeds from {first}: {seen:?}").expect("stderr takes a line");
    assert!(seeds < 20 || seen.len() == 12, "something never happens: {seen:?}");
}

#[tokio::test]
async fn a_crowd_fills_large_batches() {
    let seed = rand::random();
    let databases = databases(&Shop::default()).await;
    let crowd = simulated(seed, 100, 150, &databases).await;
    assert!(crowd.largest_batch > 10 && crowd.steps > 300, "seed {seed}: {crowd:?}");
}

async fn simulated(seed: u64, orders: usize, deeds: usize, databases: &Databases) -> Simulated {
    let case = Case::random(seed, orders);
    databases.reset(&case.shop).await.expect("first rows");
    let run = case.check().parks().simulate(Simulation { seed, deeds }, &databases.pools()).await;
    let run = run.unwrap_or_else(|error| panic!("SIMULATION_SEED={seed}, {orders} orders: {error}"));
    run.unwrap_or_else(|broken| panic!("SIMULATION_SEED={seed}, {orders} orders: {broken}"))
}

/// What the databases do with these triggers, no service means.
#[tokio::test]
async fn a_database_that_does_something_else_is_noticed() {
    for (service, sabotage, how) in [
        (
            "account",
            "create trigger lost before insert on outbox for each row when (new.type = 'BalanceReserved')
             execute function nothing()",
            "`account` has said something else",
        ),
        (
            "inventory",
            "create trigger stolen before update on stock for each row execute function one_less()",
            "the rows of `inventory` differ",
        ),
        (
            "payment",
            "create trigger stubborn before insert on attempts for each row execute function never_gives_up()",
            "`payment` has asked for other calls",
        ),
    ] {
        let case = Case::new(Shop::default(), vec![Wish::of(0, 1, Pay::Card)]);
        let databases = databases(&case.shop).await;
        let functions = "
            create function nothing() returns trigger language plpgsql as 'begin return null; end';
            create function one_less() returns trigger language plpgsql as
                'begin new.stock_quantity := new.stock_quantity - 1; return new; end';
            create function never_gives_up() returns trigger language plpgsql as
                'begin new.gives_up := false; return new; end';";
        let pools = databases.pools();
        for sql in [functions, sabotage] {
            sqlx::raw_sql(sql).execute(&pools[service]).await.expect("a trigger");
        }
        let run = case.check().simulate(Simulation { seed: 1, deeds: 0 }, &pools).await;
        let Err(error) = run else { panic!("not noticed: {sabotage}") };
        let error = error.to_string();
        assert!(error.contains(how) && error.contains("OrderRequested → order (place) → OrderCreated"), "{error}");
    }
}
