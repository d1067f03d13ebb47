//! Denied requests are in the audit log, in bounds; and the log holds nobody up.

use std::time::{Duration, Instant};

use audit_log::{Entry, Reader, Recorder, Roles, Wanted};
use axum::http::StatusCode;
use order::{Denied, Orders, Requests};
use saga::{
    Service as _, record::Record, sqlx::migrate::Migrator, table::Verdict, testing::TestDatabase, transport::Transport,
};
use uuid::Uuid;

use crate::{
    client::{one, shop},
    door::Guarded,
};

const LATER: Duration = Duration::from_secs(3600);

/// A database with an audit log, which the server's superuser writes and reads.
struct Log(TestDatabase);

impl Log {
    async fn create() -> Self {
        let log = TestDatabase::create(&Migrator::DEFAULT).await;
        // A new database has a service's tables; the log's migrations are another set.
        log.run("drop table _sqlx_migrations").await;
        let user: String = sqlx::query_scalar("select current_user::text").fetch_one(log.pool()).await.expect("a user");
        audit_log::prepare(log.pool(), Roles { writer: &user, reader: &user }).await.expect("prepared");
        Log(log)
    }

    fn recorder(&self) -> Recorder {
        Recorder::without_heads(&Transport::plain(), &self.0.url().into()).expect("a recorder")
    }

    /// Records what was counted, and returns all entries.
    async fn entries(&self, denied: &Denied) -> Vec<Entry> {
        denied.recorded(self.recorder(), LATER).finish().await;
        let reader = Reader::new(&Transport::plain(), &self.0.url().into()).expect("a reader");
        reader.list(&Wanted { latest: 10_000, ..Wanted::default() }).await.expect("read")
    }
}

fn lines(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn who_is_denied_what_and_why_is_in_the_log() {
    let (db, log, denied) = (shop().await, Log::create().await, Denied::default());
    let guarded = Guarded::counting(&db, 4, &denied);
    let id = guarded.as_user("1", &[]).place(one(1)).await.body["order_id"].as_str().expect("an id").to_owned();
    let path = format!("/orders/{id}");
    let mallory = guarded.as_user("2", &["openid"]);
    assert_eq!(mallory.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(mallory.cancel(&id).await.status, StatusCode::NOT_FOUND);
    assert_eq!(mallory.place(one(1)).await.status, StatusCode::FORBIDDEN);
    // An order that nobody has placed is no denial.
    assert_eq!(mallory.get(&format!("/orders/{}", Uuid::now_v7())).await.status, StatusCode::NOT_FOUND);
    assert_eq!(mallory.get(&path).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guarded.anyone.get(&path).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(guarded.anyone.with("a.b.c").get("/orders").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(guarded.as_user("1", &[]).get(&path).await.status, StatusCode::OK);

    let said = lines(&log.entries(&denied).await);
    let about = format!(r#"{{"first":"{id}","times":1}}"#);
    let expected = [
        format!("2 (token)  denied  route GET /orders/{{order_id}}  noted: another user's order  {about}"),
        format!("2 (token)  denied  route GET /orders/{{order_id}}  noted: too often  {about}"),
        format!("2 (token)  denied  route POST /orders/{{order_id}}/cancel  noted: another user's order  {about}"),
        r#"2 (token)  denied  route POST /orders  noted: for another user  {"times":1}"#.to_owned(),
        format!(
            "nobody (unverified)  denied  route GET /orders/{{order_id}}  noted: a bearer token is required  {about}"
        ),
        "nobody (unverified)  denied  route GET /orders  noted: the token is not a signed JWT".to_owned(),
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for expected in expected {
        assert!(said.iter().any(|line| line.contains(&expected)), "{expected}: {said:#?}");
    }
    assert!(!said.concat().contains("a.b.c"), "no token: {said:#?}");
    // Nothing is recorded twice, and a gate that counts elsewhere records nothing here.
    assert_eq!(log.entries(&denied).await.len(), said.len());
    let other = Denied::default();
    Guarded::over(&db).anyone.get(&path).await;
    assert_eq!(log.entries(&other).await.len(), said.len());
}

/// A flood of nobody, of one user, and of hundreds of users with tokens. `scenarios/tests/secured/audited.rs` has one of ten
/// thousand requests.
#[tokio::test]
async fn a_flood_of_denials_is_a_bounded_number_of_entries_with_their_counts() {
    let (db, log, denied) = (shop().await, Log::create().await, Denied::default());
    let guarded = Guarded::counting(&db, 1_000_000, &denied);
    let id = guarded.as_user("1", &[]).place(one(1)).await.body["order_id"].as_str().expect("an id").to_owned();
    let path = format!("/orders/{id}");
    let mallory = guarded.as_user("2", &[]);
    for _ in 0..400 {
        guarded.anyone.get(&path).await;
    }
    for _ in 0..400 {
        mallory.get(&path).await;
    }
    for user in 0..200 {
        guarded.as_user(&(1_000 + user).to_string(), &[]).get(&path).await;
    }
    let entries = log.entries(&denied).await;
    assert!(entries.len() <= 110, "{} entries", entries.len());
    let times = |entry: &Entry| {
        let details: serde_json::Value = serde_json::from_str(&entry.details).expect("JSON");
        details["times"].as_u64().expect("a count")
    };
    assert_eq!(entries.iter().map(times).sum::<u64>(), 1_000, "none is forgotten");
    let of = |actor: &str| entries.iter().filter(|entry| entry.actor == actor).map(times).sum::<u64>();
    assert_eq!((of("nobody"), of("2")), (400, 400));
    assert!(of("others") > 90, "{}", of("others"));
}

/// The log is away: the API answers as fast as before, and what was denied meanwhile is recorded later.
#[tokio::test]
async fn a_log_that_is_away_holds_nobody_up_and_gets_its_entries_later() {
    let (db, log, denied) = (shop().await, Log::create().await, Denied::default());
    let guarded = Guarded::counting(&db, 1_000_000, &denied);
    // Takes connections and says nothing, so that each attempt lasts as long as it may.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("postgres://w:x@{}/audit", silent.local_addr().expect("an address"));
    let away = Recorder::without_heads(&Transport::plain(), &url.into()).expect("a recorder");
    let recording = denied.recorded(away, Duration::from_millis(1));
    let begun = Instant::now();
    for _ in 0..200 {
        assert_eq!(guarded.anyone.get("/orders").await.status, StatusCode::UNAUTHORIZED);
        tokio::task::yield_now().await;
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(50)).await;
    guarded.anyone.get("/orders").await;
    recording.finish().await;
    let said = lines(&log.entries(&denied).await);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("a bearer token is required") && said[0].contains("\"times\":201"), "{said:#?}");
}

#[tokio::test]
async fn refused_requests_on_the_topic_are_in_the_log() {
    let (db, log, denied) = (shop().await, Log::create().await, Denied::default());
    let guarded = Guarded::over(&db);
    let judge = |denied: &Denied| {
        let requests = Requests::new(guarded.verifier.clone()).counting(denied.clone());
        Orders { requests: Some(requests), ..Orders::default() }.table_in_use()
    };
    let table = judge(&denied);
    let own = format!("Bearer {}", guarded.token("1", &[]));
    let others = format!("Bearer {}", guarded.token("2", &[]));
    let record = |tokens: &[&str]| Record {
        topic: "order.requests".to_owned(),
        value: Some(one(1).to_string().into()),
        headers: tokens.iter().map(|token| ("authorization".to_owned(), token.as_bytes().to_vec())).collect(),
        ..Record::default()
    };
    // A token over HTTP waits for the keys; on the topic nobody does.
    assert_eq!(guarded.as_user("1", &[]).get("/orders").await.status, StatusCode::OK);
    assert_eq!(table.enter(&mut record(&[&own]), None), Verdict::Admitted);
    for tokens in [&[][..], &[others.as_str()], &[others.as_str()], &["Bearer a.b.c"]] {
        assert!(matches!(table.enter(&mut record(tokens), None), Verdict::Refused(_)), "{tokens:?}");
    }
    let said = lines(&log.entries(&denied).await);
    let expected = [
        r#"2 (token)  denied  topic order.requests  noted: for another user  {"times":2}"#,
        "nobody (unverified)  denied  topic order.requests  noted: it has not one header authorization",
        "nobody (unverified)  denied  topic order.requests  noted: the token is not a signed JWT",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for expected in expected {
        assert!(said.iter().any(|line| line.contains(expected)), "{expected}: {said:#?}");
    }
}
