//! The guarded API, and the issuer of its tokens.

use personal_data::Vault;
use std::{num::NonZeroU32, time::Duration};

use access::{Grant, Issuer, Jwt, Rate, Verifier};
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use events::order_id::Derivation;
use order::{
    Denied, Orders,
    api::{self, Gate},
};
use saga::testing::TestDatabase;

use crate::client::{Client, one, shop};

pub(crate) const ISSUER: &str = "https://issuer.test";
pub(crate) const AUDIENCE: &str = "shop";

/// The guarded API over a database; it must outlive its clients, whose tokens need its keys.
pub(crate) struct Guarded {
    pub(crate) issuer: Issuer,
    pub(crate) anyone: Client,
    pub(crate) verifier: Verifier,
    _folder: tempfile::TempDir,
}

impl Guarded {
    pub(crate) fn over(db: &TestDatabase) -> Self {
        Guarded::with_burst(db, 1_000)
    }

    pub(crate) fn with_burst(db: &TestDatabase, burst: u32) -> Self {
        Guarded::counting(db, burst, &Denied::default())
    }

    pub(crate) fn counting(db: &TestDatabase, burst: u32, denied: &Denied) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("key.pem");
        let issuer = Issuer::open_or_create(&key).expect("a key");
        let settings = Jwt {
            jwt_issuer: Some(ISSUER.to_owned()),
            jwt_audience: Some(AUDIENCE.to_owned()),
            jwt_jwks_file: Some(Issuer::key_set_file(&key).display().to_string()),
            jwt_jwks_max_age_seconds: 3600,
            ..Jwt::default()
        };
        let verifier =
            settings.verifier(true, || anyhow::bail!("it is a file")).expect("settings").expect("a verifier");
        let rate = Rate::new(NonZeroU32::MIN, NonZeroU32::new(burst).expect("not 0"));
        let gate = Gate::new(verifier.clone(), rate).counting(denied.clone());
        let routes = api::routes(db.work(Orders::default()), Derivation::default(), Some(&gate), Vault::default());
        Guarded { issuer, anyone: Client::over(routes), verifier, _folder: folder }
    }

    pub(crate) fn token(&self, subject: &str, scopes: &[&str]) -> String {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.grant(&Grant {
            issuer: ISSUER,
            audience: AUDIENCE,
            subject,
            scopes: &scopes,
            ttl: Duration::from_secs(60),
        })
    }

    pub(crate) fn grant(&self, grant: &Grant<'_>) -> String {
        self.issuer.grant(grant).expect("signed")
    }

    /// The API as a user calls it.
    pub(crate) fn as_user(&self, subject: &str, scopes: &[&str]) -> Client {
        self.anyone.with(self.token(subject, scopes))
    }
}

const GRANT: Grant<'_> =
    Grant { issuer: ISSUER, audience: AUDIENCE, subject: "1", scopes: &[], ttl: Duration::from_secs(60) };

#[tokio::test]
async fn without_a_valid_token_nothing_is_done() {
    let db = shop().await;
    let guarded = Guarded::over(&db);
    let missing = guarded.anyone.place(one(1)).await;
    assert_eq!(
        (missing.status, &missing.headers["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Bearer".parse().expect("a value"))
    );
    for (grant, why) in [
        (Grant { issuer: "https://other.test", ..GRANT }, "another issuer"),
        (Grant { audience: "other", ..GRANT }, "another audience"),
        (Grant { subject: "alice", ..GRANT }, "not a user id in decimal"),
        (Grant { subject: "01", ..GRANT }, "not a user id in decimal"),
    ] {
        let refused = guarded.anyone.with(guarded.grant(&grant)).place(one(1)).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{why}");
        let detail = refused.body["detail"].as_str().expect("a detail");
        assert!(detail.contains(why), "{detail}");
        let challenge = refused.headers["www-authenticate"].to_str().expect("text");
        assert!(challenge.starts_with("Bearer error=\"invalid_token\"") && challenge.contains(why), "{challenge}");
    }
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.";
    assert_eq!(guarded.anyone.with(none).place(one(1)).await.status, StatusCode::UNAUTHORIZED);
    let orders: i64 = sqlx::query_scalar("select count(*) from orders").fetch_one(db.pool()).await.expect("counted");
    assert_eq!(orders, 0);
    // Without the gate the request is carried out.
    assert_eq!(Client::new(&db).place(one(1)).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_description_is_for_everyone_and_names_the_owner_rules() {
    let db = shop().await;
    let guarded = Guarded::over(&db).anyone.get("/openapi.json").await;
    assert_eq!(guarded.status, StatusCode::OK);
    let operation = &guarded.body["paths"]["/orders"]["get"];
    assert_eq!((&operation["x-owner"], operation["security"][0]["bearer"].is_array()), (&"subject".into(), true));
    let open = Client::new(&db).get("/openapi.json").await.body;
    assert!(open["paths"]["/orders"]["get"].is_null() && open["paths"]["/orders"]["post"]["security"].is_null());
}

#[tokio::test]
async fn one_who_asks_too_often_is_told_when_to_come_again() {
    let db = shop().await;
    let id = uuid::Uuid::now_v7();
    let guarded = Guarded::with_burst(&db, 2);
    let client = guarded.as_user("1", &[]);
    let mut last = client.get(&format!("/orders/{id}")).await;
    for _ in 0..2 {
        assert_eq!(last.status, StatusCode::NOT_FOUND);
        last = client.get(&format!("/orders/{id}")).await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(last.headers["retry-after"].to_str().expect("text").parse::<u64>().expect("seconds") >= 1);
    // Another token of the same subject does not help; another subject is not concerned.
    assert_eq!(guarded.as_user("1", &["openid"]).get("/orders").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guarded.as_user("2", &[]).get("/orders").await.status, StatusCode::OK);
    // With a larger burst it goes through.
    let guarded = Guarded::with_burst(&db, 3);
    let client = guarded.as_user("1", &[]);
    for _ in 0..3 {
        assert_eq!(client.get(&format!("/orders/{id}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn headers_are_bounded() {
    let db = shop().await;
    let large =
        || Request::get("/openapi.json").header("x-large", "x".repeat(20_000)).body(Body::empty()).expect("a request");
    assert_eq!(Guarded::over(&db).anyone.send(large()).await.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(Client::new(&db).send(large()).await.status, StatusCode::OK, "without the gate");
}
