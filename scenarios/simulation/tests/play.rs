//! Runs of the model on the services' real databases.

use saga_check::{Played, Simulation};
use simulation::{
    Case, Databases,
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
    ]
    .map(|(shop, wish)| Case::new(shop, vec![wish]))
    .to_vec()
}

/// Every line of every table taken away in turn: what the model finds happens on Postgres, step by step.
#[tokio::test]
async fn each_forgotten_line_that_the_model_notices_does_its_harm_on_postgres() {
    let databases = databases(&Shop::default()).await;
    let mut noticed = Vec::new();
    for (service, event) in simulation::lines() {
        let mut mutants = cases().into_iter().map(|case| case.without(service, event));
        let found = mutants.find_map(|case| Some((case.check().reduced().explore().broken?, case)));
        let Some((broken, case)) = found else { continue };
        // As from a file.
        let case = Case { schedule: broken.schedule.clone(), breaks: Some(broken.law.to_owned()), ..case };
        let case: Case = serde_json::from_str(&serde_json::to_string(&case).expect("JSON")).expect("the same");
        let played = played(&case, &databases).await;
        assert_eq!(played.broken.map(|broken| broken.law), Some(broken.law), "{service} without {event}: {broken}");
        noticed.push((service, event));
    }
    eprintln!("{} of {}: {noticed:?}", noticed.len(), simulation::lines().count());
}

#[tokio::test]
async fn seeds() {
    let databases = databases(&Shop::default()).await;
    for seed in 0..10 {
        let begun = std::time::Instant::now();
        let wishes = vec![Wish::of(1, 1, Pay::Wallet), Wish::of(1, 0, Pay::Card), Wish::of(0, 1, Pay::Card), Wish::of(1, 0, Pay::Wallet)];
        let case = Case::new(Shop { received: Some(2), ..Shop::default() }, wishes);
        databases.reset(&case.shop).await.expect("reset");
        let done = case.check().parks().simulate(Simulation { seed, deeds: 60 }, &databases.pools()).await;
        eprintln!("{seed}: {:?} {:?}", begun.elapsed(), done.unwrap_or_else(|error| panic!("seed {seed}: {error}")).unwrap_or_else(|broken| panic!("seed {seed}: {broken}")));
    }
}
