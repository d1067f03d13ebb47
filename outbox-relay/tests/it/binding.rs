//! Each database is bound to its publisher.

use chrono::Utc;
use outbox_relay::{Drained, Lost, Relay, Settings, Span, replay};
use serde_json::json;

use crate::support::{World, append, create_topic, in_a_world, lead, published_on, stop, until, until_drained};

/// A row that names another publisher, whose topic exists.
async fn forge(world: &World) -> String {
    let other = format!("{}_other", world.aggregatetype);
    create_topic(&world.kafka, &format!("{other}.events")).await;
    append(&world.pool, &other, "order-1", "Forged", json!({})).await;
    other
}

#[tokio::test]
async fn a_row_that_names_another_publisher_goes_nowhere_and_nothing_passes_it() {
    in_a_world(async |world| {
        world.append("order-1", "First").await;
        let other = forge(world).await;
        world.append("order-1", "Second").await;
        let mut tenure = lead(&world.relay()).await;
        until_drained(&mut tenure, &Drained::Refused).await;
        assert_eq!(world.published().await, ["First"]);
        assert_eq!(world.cursor().await, 1);

        sqlx::query("delete from outbox where type = 'Forged'").execute(&world.pool).await.unwrap();
        until_drained(&mut tenure, &Drained::Empty).await;
        assert_eq!(world.published().await, ["First", "Second"]);
        assert!(published_on(world, &other).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_relay_before_a_forged_row_is_not_ready_and_says_why() {
    in_a_world(async |world| {
        forge(world).await;
        let (relay, stopping) = world.run(world.settings());
        let trouble = until("it is in trouble", || async {
            relay.trouble().filter(|trouble| trouble.contains("names the publisher"))
        });
        let trouble = trouble.await;
        assert!(trouble.contains(&world.aggregatetype) && trouble.contains("seq 1"), "{trouble}");
        sqlx::query("delete from outbox").execute(&world.pool).await.unwrap();
        until("it is well", || async { relay.trouble().is_none().then_some(()) }).await;
        stop(stopping).await;
    })
    .await;
}

#[tokio::test]
async fn what_nobody_has_named_is_what_the_database_declares_and_else_nothing() {
    in_a_world(async |world| {
        world.append("order-1", "First").await;
        let relay = Relay::new(Settings { publisher: None, ..world.settings() });
        let undeclared = relay.stand_by().await.unwrap().try_to_lead().await.err();
        assert!(matches!(undeclared, Some(Lost::NoPublisher)), "{undeclared:?}");

        sqlx::query("select declare_publisher($1)").bind(&world.aggregatetype).execute(&world.pool).await.unwrap();
        assert_eq!(lead(&relay).await.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.published().await, ["First"]);
    })
    .await;
}

#[tokio::test]
async fn of_two_databases_that_declare_one_publisher_neither_is_led() {
    in_a_world(async |world| {
        sqlx::query("select declare_publisher($1)").bind(&world.aggregatetype).execute(&world.pool).await.unwrap();
        in_a_world(async |copy| {
            sqlx::query("select declare_publisher($1)").bind(&world.aggregatetype).execute(&copy.pool).await.unwrap();
            let settings = [world, copy].map(|world| Settings { publisher: None, ..world.settings() });
            let [first, second] = &Relay::all(settings)[..] else { panic!("two relays") };
            let mut leads = lead(first).await;
            let refused = second.stand_by().await.unwrap().try_to_lead().await.err();
            assert!(matches!(refused, Some(Lost::SamePublisher { .. })), "{refused:?}");
            // The first to claim may be the copy all the same.
            let leads = tokio::sync::Mutex::new(&mut leads);
            let lost = until("it has heard of the second", || async { leads.lock().await.step().await.err() }).await;
            assert!(matches!(lost, Lost::SamePublisher { .. }), "{lost}");
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_replay_stops_before_a_row_that_names_another_publisher() {
    in_a_world(async |world| {
        world.append("order-1", "First").await;
        let other = forge(world).await;
        sqlx::query("update relay_cursor set last_seq = 2").execute(&world.pool).await.unwrap();
        let span = Span { since: Utc::now() - chrono::TimeDelta::hours(1), until: Utc::now() };
        let error = replay(&world.options, &world.kafka, Some(&world.aggregatetype), span).await.unwrap_err();
        assert!(error.to_string().contains("names the publisher"), "{error:#}");
        assert!(published_on(world, &other).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_database_that_has_declared_its_publisher_takes_no_row_of_another() {
    in_a_world(async |world| {
        let declare = || sqlx::query("select declare_publisher($1)").bind(&world.aggregatetype).execute(&world.pool);
        declare().await.unwrap();
        declare().await.unwrap();
        let other = sqlx::query("select declare_publisher('other')").execute(&world.pool).await;
        assert!(other.is_err(), "it belongs to one publisher");
        sqlx::query("select ensure_day_partition('outbox', current_date + 30)").execute(&world.pool).await.unwrap();
        for id in ["019f0000-0000-7000-8000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff"] {
            let forged = sqlx::query(
                "insert into outbox (id, aggregatetype, aggregateid, type, payload) values ($1::uuid, 'other', 'k', 'T', '{}')",
            );
            assert!(forged.bind(id).execute(&world.pool).await.is_err(), "{id}");
        }
        world.append("order-1", "First").await;
        until_drained(&mut lead(&world.relay()).await, &Drained::Empty).await;
        assert_eq!(world.published().await, ["First"]);
    })
    .await;
}
