//! A user is erased from a whole system, on a real Apache Kafka; and what is left of one is found, wherever it is.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod shop;

use std::time::Duration;

use personal_data::Sealed;
use saga::shutdown::Shutdown;
use scenarios::{
    audit,
    cast::{ERIN, HEIDI, KEN, LAURA},
    stack::{self, Broker, Database, Options, Reporter, seed, until},
};
use serde_json::json;
use shop::{BOUND, Shop, address, contact, key, name, texts};

const DIGITAL: i64 = 1;
const PHYSICAL: i64 = 18;

#[tokio::test]
async fn a_user_is_erased_and_what_is_left_of_one_is_found() {
    let (reporter, (_stop, shutdown)) = (Reporter::silent(), Shutdown::by_hand());
    let options = Options::new(Broker::Kafka).sealed().setting_of_all("RUST_LOG", "trace");
    let done = stack::with(options, &reporter, &shutdown, async |stack| {
        seed::well_known(stack.environment()).await?;
        let shop = Shop::of(stack)?;
        for user in [ERIN.id, LAURA.id, HEIDI.id] {
            shop.names(user).await?;
        }
        one_with_an_order_under_way_is_not_erased(&shop).await?;
        all_of_a_user_goes(&shop).await?;
        addresses_go(&shop).await?;
        another_user_keeps_everything(&shop).await?;
        let report = audit::run(shop.environment, BOUND).await?;
        assert!(report.holds(), "{report:#?}");
        what_is_left_is_found(&shop).await
    });
    done.await.unwrap().unwrap();
}

async fn one_with_an_order_under_way_is_not_erased(shop: &Shop<'_>) -> anyhow::Result<()> {
    // Ken's card takes more time than the payment service has.
    let order = shop.requests(&KEN, DIGITAL, json!({})).await?;
    let orders = shop.pool(Database::ORDERS);
    let is_there = async || {
        sqlx::query_scalar::<_, i32>("select 1 from orders where id = $1")
            .bind(order.0)
            .fetch_optional(orders)
            .await
            .ok()
            .flatten()
    };
    until("the order is placed", BOUND, is_there).await?;
    let (success, said) = shop.erase(KEN.id, &[]).await?;
    assert!(!success && said.contains("nothing was erased: user 11 has 1 orders that have not ended"), "{said}");
    shop.ends(order, "CANCELLED").await?;
    let (success, said) = shop.erase(KEN.id, &[]).await?;
    assert!(success && said.contains("nothing found"), "{said}");
    Ok(())
}

async fn all_of_a_user_goes(shop: &Shop<'_>) -> anyhow::Result<()> {
    let order = shop.requests(&ERIN, DIGITAL, json!({ "ship_to": address(ERIN.id) })).await?;
    let (status, placed) = shop.posts(&ERIN, DIGITAL, json!({ "idempotency_key": key(ERIN.id) })).await?;
    assert_eq!(status, 202, "{placed}");
    let placed: events::OrderId = placed["order_id"].as_str().unwrap().parse().unwrap();
    for order in [order, placed] {
        shop.ends(order, "COMPLETED").await?;
    }
    let mails = || std::fs::read_dir(shop.environment.mail_dir().unwrap()).unwrap().count();
    let before = mails();
    let logs = shop.stack.state().unwrap().logs();
    let (success, said) = shop.erase_and_find(ERIN.id, &logs).await?;
    assert!(success && said.contains("nothing found"), "{said}");
    assert!(!said.contains("anary Road") && !said.contains("@canary"), "what it looked for is not repeated: {said}");
    assert_eq!(mails(), before - 2);
    let kept = "select concat_ws(' ', status, total_amount, request_hash is null) from orders where user_id = $1";
    let kept: Vec<String> = sqlx::query_scalar(kept).bind(ERIN.id).fetch_all(shop.pool(Database::ORDERS)).await?;
    assert!(kept.iter().all(|kept| kept.starts_with("COMPLETED ") && kept.ends_with(" t")), "{kept:?}");

    let (status, problem) = shop.posts(&ERIN, DIGITAL, json!({})).await?;
    assert_eq!((status, &problem["type"]), (410, &json!("user-erased")), "{problem}");
    let refused = shop.requests(&ERIN, DIGITAL, json!({})).await?;
    shop.ends(refused, "REJECTED").await?;
    for _ in 0..2 {
        let (success, said) = shop.erase_and_find(ERIN.id, &logs).await?;
        assert!(success && said.contains("nothing found"), "{said}");
    }
    Ok(())
}

/// An address is in the facts of an order, which travel with each of its events.
async fn addresses_go(shop: &Shop<'_>) -> anyhow::Result<()> {
    let order = shop.requests(&LAURA, PHYSICAL, json!({ "ship_to": address(LAURA.id) })).await?;
    shop.ends(order, "COMPLETED").await?;
    let (success, said) = shop.erase_and_find(LAURA.id, &shop.stack.state().unwrap().logs()).await?;
    let places: Vec<&str> = said.lines().filter(|line| line.starts_with("found: ")).collect();
    assert!(success && places.is_empty(), "{said}");
    Ok(())
}

async fn another_user_keeps_everything(shop: &Shop<'_>) -> anyhow::Result<()> {
    let order = shop.requests(&HEIDI, DIGITAL, json!({})).await?;
    shop.ends(order, "COMPLETED").await?;
    let letter: (String, String) = sqlx::query_as("select recipient, body from notifications where order_id = $1")
        .bind(order.0)
        .fetch_one(shop.pool(Database::NOTIFICATIONS))
        .await?;
    assert!(Sealed::claims(&letter.0) && Sealed::claims(&letter.1), "{letter:?}");
    let keys = shop.databases.vault().keys_of(&[HEIDI.id]).await?;
    let letter = (keys.shown(&letter.0), keys.shown(&letter.1));
    assert!(letter.0 == contact(HEIDI.id) && letter.1.contains(&order.to_string()), "{letter:?}");
    let former: i64 = sqlx::query_scalar("select count(*) from former_contacts where user_id = $1")
        .bind(HEIDI.id)
        .fetch_one(shop.pool(Database::NOTIFICATIONS))
        .await?;
    assert!(former > 0);
    let named: String = sqlx::query_scalar("select username from users where id = $1")
        .bind(HEIDI.id)
        .fetch_one(shop.pool(Database::ACCOUNTS))
        .await?;
    assert_eq!(named, name(HEIDI.id));
    Ok(())
}

/// Each place in which something is put afterwards is named.
async fn what_is_left_is_found(shop: &Shop<'_>) -> anyhow::Result<()> {
    let user = ERIN.id;
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("old"))?;
    std::fs::write(folder.path().join("old/order.log"), format!("WARN the buyer {} is angry", name(user)))?;
    std::fs::write(shop.environment.mail_dir().unwrap().join("stray.eml"), format!("To: {}\r\n", contact(user)))?;
    let inventory = shop.pool(Database::INVENTORY);
    sqlx::query("create table notes (id int, note bytea)").execute(inventory).await?;
    sqlx::query("insert into notes values (1, $1)").bind(address(user).into_bytes()).execute(inventory).await?;
    shop.publishes(&format!(r#"{{"user_id": "{}", "ship_to": "{}"}}"#, name(user), address(user))).await?;
    let letter = async || {
        let topics = ["order.requests-dlt".to_owned()];
        let brokers = shop.environment.brokers.clone();
        let mut seen = false;
        let read = tokio::task::spawn_blocking(move || {
            scenarios::operations::archive::read(&brokers, &topics, |_| seen = true).map(|()| seen)
        });
        read.await.ok()?.ok().filter(|seen| *seen).map(drop)
    };
    until("there is a dead letter", BOUND + Duration::from_secs(1), letter).await?;
    let (success, said) = shop.erase_and_find(user, folder.path()).await?;
    assert!(!success, "{said}");
    for place in
        ["old/order.log", "stray.eml", "inventory: public.notes.note, row (0,1)", "the record order.requests-dlt/"]
    {
        assert!(said.lines().any(|line| line.starts_with("found: ") && line.contains(place)), "{place}:\n{said}");
    }
    assert!(said.contains("scenarios dlt show order.requests-dlt/"), "{said}");
    assert!(texts(user).iter().all(|text| !said.contains(text)), "what it looked for is not repeated: {said}");
    // What cannot be seen is no success.
    let (success, said) = shop.erase(user, &["--find", "nobody has this", "--find", "ab", "--logs", "/absent"]).await?;
    assert!(!success && said.contains("not searched: the log directory /absent"), "{said}");
    assert!(said.contains("not searched for: a text to find, which has fewer than 4 characters"), "{said}");
    Ok(())
}
