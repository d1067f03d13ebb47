//! Publishing again.

use chrono::{DateTime, TimeDelta, Utc};
use outbox_relay::{Drained, Span, replay};

use crate::support::{append_at, in_a_world, lead};

#[tokio::test]
async fn a_span_is_published_again_in_its_order_and_no_cursor_moves() {
    in_a_world(async |world| {
        let noon: DateTime<Utc> = "2025-01-31T12:00:00Z".parse().unwrap();
        let minutes = TimeDelta::minutes;
        for (name, at) in [("Before", -1), ("First", 0), ("Second", 5), ("After", 10)] {
            append_at(&world.pool, &world.aggregatetype, name, noon + minutes(at)).await;
        }
        assert_eq!(lead(&world.relay()).await.drain().await.unwrap(), Drained::Empty);
        append_at(&world.pool, &world.aggregatetype, "NotPublishedYet", noon).await;

        let span = Span { since: noon, until: noon + minutes(10) };
        assert_eq!(replay(&world.options, &world.kafka, Some(&world.aggregatetype), span).await.unwrap(), 2);
        assert_eq!(world.published().await, ["Before", "First", "Second", "After", "First", "Second"]);
        assert_eq!(world.cursor().await, 4);
    })
    .await;
}

#[tokio::test]
async fn a_long_span_is_replayed_whole() {
    in_a_world(async |world| {
        sqlx::query(
            "insert into outbox (id, aggregatetype, aggregateid, type, payload)
             select gen_random_uuid(), $1, 'k', n::text, '{}' from generate_series(1, 9000) n",
        )
        .bind(&world.aggregatetype)
        .execute(&world.pool)
        .await
        .unwrap();
        sqlx::query("update relay_cursor set last_seq = 9000").execute(&world.pool).await.unwrap();

        let span = Span { since: Utc::now() - TimeDelta::hours(1), until: Utc::now() + TimeDelta::hours(1) };
        assert_eq!(replay(&world.options, &world.kafka, Some(&world.aggregatetype), span).await.unwrap(), 9000);
        assert_eq!(world.published().await, (1..=9000).map(|n| n.to_string()).collect::<Vec<_>>());
    })
    .await;
}
