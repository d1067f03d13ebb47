//! Reads that would take longer than a lease.

use std::time::Duration;

use outbox_relay::{Drained, Relay, Settings, Timing};

use crate::support::{in_a_world, lead};

/// The server may spend a second on a read; to make the text of these rows takes several.
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
