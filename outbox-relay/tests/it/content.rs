//! The content and the order of published records.

use outbox_relay::Drained;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{append, in_a_world, lead};

#[tokio::test]
async fn a_row_becomes_a_cloud_event_in_binary_mode() {
    in_a_world(async |world| {
        let cause = Uuid::now_v7();
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let payload = json!({ "order": { "total": 100 }, "note": "„ü“ \u{1f389}" });
        let id = append(&world.pool, &world.aggregatetype, "order-1", "OrderCreated", payload.clone()).await;
        sqlx::query(
            "update outbox set causationid = $1, traceparent = $2, dataversion = 3,
                     created_at = '2025-01-31T12:00:00.123456Z'",
        )
        .bind(cause)
        .bind(traceparent)
        .execute(&world.pool)
        .await
        .unwrap();

        assert_eq!(lead(&world.relay()).await.drain().await.unwrap(), Drained::Empty);

        let records = world.records().await;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].key, "order-1");
        assert_eq!(serde_json::from_str::<Value>(&records[0].value).unwrap(), payload);
        let headers: Vec<(&str, &str)> =
            records[0].headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            headers,
            [
                ("ce_causationid", cause.to_string().as_str()),
                ("ce_dataversion", "3"),
                ("ce_id", id.to_string().as_str()),
                ("ce_source", format!("/services/{}", world.aggregatetype).as_str()),
                ("ce_specversion", "1.0"),
                ("ce_subject", "order-1"),
                ("ce_time", "2025-01-31T12:00:00.123456Z"),
                ("ce_type", "OrderCreated"),
                ("content-type", "application/json"),
                ("traceparent", traceparent),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn what_a_row_does_not_have_is_left_out() {
    in_a_world(async |world| {
        world.append("order-1", "OrderCreated").await;
        assert_eq!(lead(&world.relay()).await.drain().await.unwrap(), Drained::Empty);
        let headers = &world.records().await[0].headers;
        assert!(!headers.contains_key("ce_causationid") && !headers.contains_key("traceparent"), "{headers:?}");
    })
    .await;
}

/// The relay may be upgraded before the services, each of which adds the column to its own table.
#[tokio::test]
async fn rows_of_a_service_that_knows_no_versions_are_published_before_and_after_it_is_upgraded() {
    in_a_world(async |world| {
        let sql = async |sql: &'static str| sqlx::raw_sql(sql).execute(&world.pool).await.map(drop).unwrap();
        sql("alter table outbox drop column dataversion").await;
        let mut tenure = lead(&world.relay()).await;
        world.append("order-1", "OrderCreated").await;
        assert_eq!(tenure.drain().await.unwrap(), Drained::Empty);
        // The same relay, with the statements that it has prepared.
        sql("alter table outbox add column dataversion int not null default 1").await;
        world.append("order-1", "OrderPaid").await;
        sql("update outbox set dataversion = 2 where type = 'OrderPaid'").await;
        assert_eq!(tenure.drain().await.unwrap(), Drained::Empty);
        let records = world.records().await;
        let versions: Vec<&str> = records.iter().map(|record| record.headers["ce_dataversion"].as_str()).collect();
        assert_eq!(versions, ["1", "2"]);
    })
    .await;
}

#[tokio::test]
async fn a_backlog_is_published_in_order_per_key_and_once() {
    in_a_world(async |world| {
        // More than the batches that may be in flight at once.
        sqlx::query(
            "insert into outbox (id, aggregatetype, aggregateid, type, payload)
             select gen_random_uuid(), $1, (n % 7)::text, 'Counted', jsonb_build_object('n', n)
             from generate_series(1, 12345) n",
        )
        .bind(&world.aggregatetype)
        .execute(&world.pool)
        .await
        .unwrap();

        assert_eq!(lead(&world.relay()).await.drain().await.unwrap(), Drained::Empty);

        let records = world.records().await;
        assert_eq!(records.len(), 12345);
        let number = |value: &str| serde_json::from_str::<Value>(value).unwrap()["n"].as_i64().unwrap();
        for key in 0..7 {
            let of_key: Vec<_> = records.iter().filter(|record| record.key == key.to_string()).collect();
            assert!(of_key.iter().all(|record| record.partition == of_key[0].partition), "one key, one partition");
            let numbers: Vec<i64> = of_key.iter().map(|record| number(&record.value)).collect();
            assert!(numbers.is_sorted(), "key {key} out of order");
        }
        assert_eq!(world.cursor().await, 12345);
    })
    .await;
}

#[tokio::test]
async fn an_empty_outbox_is_empty() {
    in_a_world(async |world| {
        let mut tenure = lead(&world.relay()).await;
        assert_eq!(tenure.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.records().await.len(), 0);
    })
    .await;
}
