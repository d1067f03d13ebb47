//! Records that are too large: for the service, for a dead letter, for the dead letter topic.

use rdkafka::{Message, error::RDKafkaErrorCode, producer::FutureProducer};
use saga::{EventId, SagaId, testing::TestDatabase};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Ground, REPORTS, REQUESTS, WITHDRAWALS, envelope, eventually, header, letter, producer, publish};

/// Unpublished letters, and the number of tries of each.
async fn waiting(db: &TestDatabase) -> Vec<(String, i64, i32)> {
    sqlx::query_as("select topic, record_offset, tries from dead_letters order by id")
        .fetch_all(db.pool())
        .await
        .expect("read")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_into_no_letter_becomes_a_letter_without_its_value_and_the_partition_goes_on() {
    let ground = Ground::prepare().await;
    let gzip: FutureProducer = producer("gzip").create().expect("a producer");
    let (blanks, nearly) = (vec![b' '; 2_500_000], vec![b'x'; 1_999_850]);
    let headers = envelope(EventId::new(), "Reported", "/services/reporter");
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();

    let blank = publish(&gzip, REPORTS, "blank", &blanks, &headers).await.expect("a few kilobytes on the wire");
    let near = ground.publish(REPORTS, "near", &nearly, &headers).await;
    let many: Vec<String> = (0..30_000).map(|number| format!("h{number}")).collect();
    let many: Vec<(&str, &str)> = headers.iter().copied().chain(many.iter().map(|name| (name.as_str(), "x"))).collect();
    let crowded = ground.publish(REPORTS, "crowded", b"no JSON", &many).await;
    let key = "k".repeat(2_000_000);
    let keyed = ground.publish(REPORTS, &key, b"no JSON", &headers).await;
    let foreign = envelope(EventId::new(), "Reported", "/services/notification");
    let foreign: Vec<(&str, &str)> = foreign.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let foreign = ground.publish(REPORTS, "foreign", br#"{"task_id":null}"#, &foreign).await;
    let order = SagaId(Uuid::now_v7());
    ground.note(order, 1).await;

    let running = ground.start::<1>();
    ground.noted(order, &[1]).await;
    for (offset, value, without) in [(blank, &blanks, "value"), (near, &nearly, "value")] {
        let letter = letter(REPORTS, offset).await;
        assert_eq!(letter.payload(), None);
        assert_eq!(header(&letter, "kafka_dlt-without").as_deref(), Some(without.as_bytes()));
        let size = i64::try_from(value.len()).expect("it fits");
        assert_eq!(header(&letter, "kafka_dlt-value-size").as_deref(), Some(&size.to_be_bytes()[..]));
        let sha256: String = Sha256::digest(value).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(header(&letter, "kafka_dlt-value-sha256").as_deref(), Some(sha256.as_bytes()));
        assert_eq!(header(&letter, "kafka_dlt-original-topic").as_deref(), Some(REPORTS.as_bytes()));
        let why = String::from_utf8(header(&letter, "kafka_dlt-exception-message").expect("why")).expect("text");
        assert!(why.contains(&size.to_string()), "{why}");
    }
    let crowd = letter(REPORTS, crowded).await;
    assert_eq!((crowd.payload(), header(&crowd, "h29999")), (Some(&b"no JSON"[..]), Some(b"x".to_vec())));
    let keyed = letter(REPORTS, keyed).await;
    assert_eq!(keyed.key(), None, "the key alone is more than a letter holds");
    assert_eq!(header(&keyed, "kafka_dlt-without").as_deref(), Some(&b"value, key, headers"[..]));
    let why = header(&letter(REPORTS, foreign).await, "kafka_dlt-exception-message").expect("why");
    assert!(String::from_utf8_lossy(&why).contains("only /services/reporter publishes on reporter.events"));
    let all_out = async || waiting(&ground.db).await.iter().all(|row| row.0 != REPORTS).then_some(());
    eventually("all letters to be out of the database", all_out).await;
    running.stop().await;
}

/// On topics that the service has created.
#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_request_is_measured_as_it_is_and_what_the_topic_takes_fits_into_a_letter() {
    let ground = Ground::prepare().await;
    let running = ground.start::<1>();
    let first = SagaId(Uuid::now_v7());
    ground.note(first, 1).await;
    ground.noted(first, &[1]).await;

    let gzip: FutureProducer = producer("gzip").create().expect("a producer");
    let lz4: FutureProducer = producer("lz4").create().expect("a producer");
    for bomber in [&gzip, &lz4] {
        let refused = publish(bomber, REQUESTS, "bomb", &vec![b' '; 2_500_000], &[]).await.expect_err("a bomb");
        assert_eq!(refused.rdkafka_error_code(), Some(RDKafkaErrorCode::MessageSizeTooLarge), "{refused}");
    }
    let large = vec![b' '; 1_599_000];
    let offset = publish(&gzip, REQUESTS, "large", &large, &[]).await.expect("taken");
    let order = SagaId(Uuid::now_v7());
    let request = serde_json::json!({ "user_id": 1, "payment_method_id": 1, "items": [], "task_id": order });
    ground.publish(REQUESTS, "good", request.to_string().as_bytes(), &[]).await;
    ground.noted(order, &[0]).await;
    assert_eq!(letter(REQUESTS, offset).await.payload(), Some(&large[..]), "as it came");
    running.stop().await;
}

/// The dead letter topic accepts nothing: the decision that refuses is committed nevertheless, later events are
/// processed, other letters are published, and the program stops on request.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_cannot_go_out_stays_in_the_database_and_stops_nobody() {
    let ground = Ground::prepare().await;
    let order = SagaId(Uuid::now_v7());
    let headers = |id| envelope(id, "Withdrawn", "/services/archive");
    let (mut stuck, key) = (Vec::new(), order.to_string());
    for (value, key) in [
        (format!(r#"{{"task_id":"{order}","note":7,"refuse":true}}"#), key.as_str()),
        ("no JSON".to_owned(), "of no order"),
        (format!(r#"{{"task_id":"{order}","note":8}}"#), key.as_str()),
    ] {
        let headers = headers(EventId::new());
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        stuck.push(ground.publish(WITHDRAWALS, key, value.as_bytes(), &headers).await);
    }
    let running = ground.start::<1>();
    ground.noted(order, &[8]).await;
    let tried = async || {
        let waiting = waiting(&ground.db).await;
        let tried = |offset: i64| waiting.iter().any(|row| row.0 == WITHDRAWALS && row.1 == offset && row.2 >= 2);
        (tried(stuck[0]) && tried(stuck[1])).then_some(())
    };
    eventually("two letters that were tried twice", tried).await;
    let other = ground.publish(REQUESTS, "k", b"no JSON", &[]).await;
    assert_eq!(letter(REQUESTS, other).await.payload(), Some(&b"no JSON"[..]));
    let kept: Vec<Option<Vec<u8>>> = sqlx::query_scalar("select value from dead_letters where record_offset = $1")
        .bind(stuck[1])
        .fetch_all(ground.db.pool())
        .await
        .expect("read");
    assert_eq!(kept, [Some(b"no JSON".to_vec())]);
    running.stop().await;
}
