//! Reads that would take longer than a lease.

use std::time::{Duration, Instant};

use outbox_relay::{Drained, Relay, Settings, Timing};

use crate::support::{in_a_world, lead, until};

/// The server may spend a second on a read; producing the text of these rows takes several.
const SHORT: Timing = Timing {
    lease: Duration::from_secs(2),
    max_poll: Duration::from_millis(200),
    acknowledged_within: Duration::from_secs(20),
};
const ROWS: i64 = 2000;

#[tokio::test]
async fn rows_so_large_that_a_full_read_would_outlast_the_lease_are_published() {
    in_a_world(async |world| {
        sqlx::query(
            "insert into outbox (id, aggregatetype, aggregateid, type, payload)
             select gen_random_uuid(), $1, n::text, 'Large', jsonb_build_object('n', (select jsonb_agg(i) from generate_series(1, 6000) i))
             from generate_series(1, $2) n",
        )
        .bind(&world.aggregatetype)
        .bind(ROWS)
        .execute(&world.pool)
        .await
        .unwrap();

        let relay = Relay::new(Settings { timing: SHORT, ..world.settings() });
        assert_eq!(lead(&relay).await.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.cursor().await, ROWS);
    })
    .await;
}

/// After small rows, from which the relay expects more of the kind, a read returns far more than the relay keeps of one. The
/// server cancels the rest of that read sooner or later, which must affect no other statement.
#[tokio::test]
async fn a_read_that_is_cut_off_leaves_nothing_to_the_next_statement() {
    in_a_world(async |world| {
        for (rows, bytes) in [(100, 10), (100, 900_000)] {
            sqlx::query(
                "insert into outbox (id, aggregatetype, aggregateid, type, payload)
                 select gen_random_uuid(), $1, n::text, 'Large', jsonb_build_object('n', repeat('x', $3))
                 from generate_series(1, $2) n",
            )
            .bind(&world.aggregatetype)
            .bind(rows)
            .bind(bytes)
            .execute(&world.pool)
            .await
            .unwrap();
        }
        let relay = Relay::new(Settings { timing: SHORT, ..world.settings() });
        let mut tenure = lead(&relay).await;
        for _ in 0..8 {
            tenure.step().await.expect("it goes on");
            // Longer than the server lets a statement last.
            let pause = Instant::now() + SHORT.lease * 55 / 100;
            until("time has passed", || async { (Instant::now() >= pause).then_some(()) }).await;
        }
        assert_eq!(tenure.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.cursor().await, 200);
    })
    .await;
}
