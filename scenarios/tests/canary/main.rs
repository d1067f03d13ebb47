//! Nothing tells who a buyer is but the few places that are meant to: canaries go into every input and every error path of a
//! whole system at its highest log level, and are looked for afterwards.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod allowed;
mod api;
mod collect;
mod outside;
mod programs;
mod search;
mod shop;
mod topic;

use std::collections::BTreeSet;

use events::OrderId;
use saga::shutdown::Shutdown;
use scenarios::stack::{self, Database, Reporter, until};

use allowed::leaks;
use outside::{MailServer, Provider};
use search::{Found, Place, Search};
use shop::{
    BOUND, Buyer, DIGITAL, EXCHANGED, GOOD, LATER_MAIL, NO_MAIL, PARKED, QUOTED, REFUSED_MAIL, Shop, UNPAID,
    UNPROCESSABLE,
};

/// Names of the canaries that the system is seeded with.
const SEEDED: &[&str] = &[
    "user",
    "contact",
    "former",
    "card",
    "unprocessable",
    "unpaid",
    "refusedmail",
    "latermail",
    "nomail",
    "exchanged",
    "scope",
    "declined",
];

#[tokio::test]
async fn what_names_a_buyer_is_nowhere_but_where_it_has_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let (provider, mail) = (Provider::start().await.unwrap(), MailServer::start().await.unwrap());
    let options = shop::options(&provider, &mail, folder.path()).unwrap();
    let (reporter, (_stop, shutdown)) = (Reporter::silent(), Shutdown::by_hand());
    let done = stack::with(options, &reporter, &shutdown, async |stack| {
        provider.real.set(stack.environment().gateway()?.to_owned()).unwrap();
        let shop = Shop::of(stack, folder.path()).await?;
        let (paid, unshippable) = topic::everything(&shop).await?;
        let quoted = buys(&shop).await?;
        let mut places = api::everything(&shop, paid).await?;
        shop.ends(paid, "COMPLETED").await?;
        shop.ends(unshippable, "CANCELLED").await?;
        settled(&shop).await?;
        places.extend(collect::commands(&shop, paid, folder.path()).await?);
        settled(&shop).await?;

        places.extend(collect::processes(stack));
        places.extend(collect::tables(&shop).await?);
        places.extend(collect::records(&shop).await?);
        places.extend(collect::files(stack)?);
        places.push(Place::new("mail server", mail.taken()));
        places.push(Place::new("errors", quoted.join("\n")));
        judge(&shop, &places, paid);
        card_details_lie_sealed_where_they_are_needed(&shop, &places).await
    });
    done.await.unwrap().unwrap();
}

/// Orders that go wrong in every way that is known; gives what is told of each.
async fn buys(shop: &Shop<'_>) -> anyhow::Result<Vec<String>> {
    let call = "select last_error from attempts where order_id = $1 and last_error is not null";
    let event = "select error from parked_events where order_id = $1 and error is not null";
    let mut told = Vec::new();
    let calls: [(Buyer, Database); 5] = [
        (UNPROCESSABLE, Database::PAYMENTS),
        (EXCHANGED, Database::PAYMENTS),
        (REFUSED_MAIL, Database::NOTIFICATIONS),
        (LATER_MAIL, Database::NOTIFICATIONS),
        (NO_MAIL, Database::NOTIFICATIONS),
    ];
    for (buyer, database) in calls {
        let order = shop.asks(buyer, DIGITAL, None).await?;
        told.push(shop.has(database, &format!("the call for buyer {} fails", buyer.id), call, order.0).await?);
    }
    for (buyer, name) in [(PARKED, "parked"), (QUOTED, "quoted")] {
        let order = shop.asks(buyer, DIGITAL, Some(&search::canary(name))).await?;
        told.push(shop.has(Database::ORDERS, "the request is parked", event, order.0).await?);
    }
    let declined = shop.asks(UNPAID, DIGITAL, None).await?;
    shop.ends(declined, "CANCELLED").await?;
    Ok(told)
}

/// Waits until every request has been read, and every dead letter is out.
async fn settled(shop: &Shop<'_>) -> anyhow::Result<()> {
    let last = shop.asks(GOOD, DIGITAL, None).await?;
    shop.ends(last, "COMPLETED").await?;
    for database in shop.databases.all() {
        let pool = shop.pool(database);
        let none = async || {
            let waiting =
                sqlx::query_scalar::<_, i64>("select count(*) from dead_letters").fetch_one(pool).await.ok()?;
            (waiting == 0).then_some(())
        };
        until("the dead letters are published", BOUND, none).await?;
    }
    Ok(())
}

fn judge(shop: &Shop<'_>, places: &[Place], paid: OrderId) {
    let names = SEEDED.iter().chain(topic::NAMES).chain(api::NAMES).copied();
    let search = Search::new(names.clone(), &passwords(shop));
    let found = search.find(places);
    let leaks = leaks(&found);
    assert!(leaks.is_empty(), "{} leaks: {leaks:#?}", leaks.len());
    finds_what_is_there(places, &found, paid);
    // Each that was written somewhere was seen there, unless it has no place at all.
    let seen: BTreeSet<&str> = found.iter().map(|found| found.what.as_str()).collect();
    for name in topic::NAMES {
        assert!(seen.contains(name), "{name} was written on a topic, and is not found there");
    }
}

/// Also sealed, details are with their method and in the calls that charge it alone; and the runner, which starts everything, has
/// no key to open them with.
async fn card_details_lie_sealed_where_they_are_needed(shop: &Shop<'_>, places: &[Place]) -> anyhow::Result<()> {
    let sealed: String = sqlx::query_scalar("select method_details from payment_methods where id = $1")
        .bind(GOOD.id)
        .fetch_one(shop.pool(Database::PAYMENTS))
        .await?;
    let having: BTreeSet<&str> =
        places.iter().filter(|place| place.text.contains(&sealed)).map(|place| place.name.as_str()).collect();
    let meant = [
        // The operator asked for all of a call.
        "command parked show",
        "table payments.attempts.request",
        "table payments.payment_methods.method_details",
    ];
    assert_eq!(having, BTreeSet::from(meant));
    let variables = shop.stack.variables();
    assert!(variables.iter().all(|(name, _)| name != stack::PAYMENT_DETAILS_KEY), "the runner has a key");
    let found = Search::new(SEEDED.iter().copied(), &[]).find(&[Place::new("variables", format!("{variables:?}"))]);
    assert!(found.is_empty(), "{found:#?}");
    Ok(())
}

/// The search finds the order in each kind of place.
fn finds_what_is_there(places: &[Place], found: &BTreeSet<Found>, paid: OrderId) {
    let seen = Search::new([], &[("order".to_owned(), paid.to_string())]).find(places);
    for place in [
        "table orders.orders.id",
        "table payments.attempts.order_id",
        "record order.events: value",
        "record order.events: key",
        "record order.requests: value",
        "file order.log",
        "file payment.log",
        "file gateway-ledger.jsonl",
        "mail server",
        "answer GET /orders/{id}",
    ] {
        assert!(seen.iter().any(|seen| seen.place.starts_with(place)), "{place} is not searched");
    }
    let texts = [
        ("GET /metrics of payment", "payment_gateway_circuit"),
        ("GET /openapi.json", "idempotency_key"),
        ("GET /choreography of order", "OrderRequested"),
        ("command line of order", "order"),
        ("command line of postgres", "postgres"),
        ("record order.requests-dlt: added header exception-message", "exception-message"),
        ("command dlt list", "Unreadable"),
        ("command trace ", "OrderCreated"),
        ("command verify", "orders"),
        ("command parked list", "tries"),
        ("file postgres.log", "violates check constraint"),
        ("table orders.dead_letters.why", ""),
        ("table audit.", ""),
        ("table personal.", ""),
        ("answer POST /orders", "application/problem+json"),
        ("answer POST /payment-methods", "malformed"),
    ];
    for (name, text) in texts {
        let there = places.iter().any(|place| place.name.starts_with(name) && place.text.contains(text));
        assert!(there, "{text:?} is not in {name}");
    }
    let sealed = places.iter().filter(|place| place.text.contains("sealed:v1:7001:")).count();
    assert!(sealed > 0, "addresses are sealed");
    for place in allowed::ALLOWED {
        let used = found.iter().any(|found| place.covers(found));
        assert!(used, "nothing is allowed to be {place}: take it off the list");
    }
}

/// Passwords and keys of the system.
fn passwords(shop: &Shop<'_>) -> Vec<(String, String)> {
    let variables = shop.stack.variables().into_iter();
    let secret = |(name, value): (String, String)| {
        let password = value.split_once("://")?.1.split_once('@')?.0.split_once(':')?.1.to_owned();
        Some((format!("password in {name}"), password))
    };
    let passwords: Vec<_> = variables.filter_map(secret).collect();
    assert!(passwords.len() > 7);
    let key = shop.environment.payment_details_key().ok().map(secrecy::ExposeSecret::expose_secret);
    passwords.into_iter().chain(key.map(|key| ("password of cards".to_owned(), key.to_owned()))).collect()
}

#[test]
fn programs_print_nothing_of_their_settings() {
    let folder = tempfile::tempdir().unwrap();
    let search = Search::new(programs::NAMES.iter().copied(), &[]);
    let (mut places, settings) = programs::helps(folder.path());
    assert!(settings.contains(&("order".to_owned(), "DATABASE_URL".to_owned())), "{settings:?}");
    places.extend(programs::refusals(&settings, folder.path()));
    let found = search.find(&places);
    assert!(found.is_empty(), "{found:#?}");
    for (name, text) in [
        ("order --help", "[env: DATABASE_URL"),
        ("outbox-relay --help", "[env: "),
        ("scenarios dlt --help", "[env: "),
        ("payment keys", "Usage:"),
        ("order with DATABASE_URL", "is not of the form"),
        ("payment with GATEWAY_URL", "GATEWAY_URL"),
    ] {
        let there = places.iter().any(|place| place.name.starts_with(name) && place.text.contains(text));
        assert!(there, "{text:?} is not in {name}");
    }
}
