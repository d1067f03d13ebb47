//! A client of the order API without a network, and the products on sale.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use events::order_id::Derivation;
use order::{MIGRATIONS, Orders, api};
use personal_data::Vault;
use saga::testing::TestDatabase;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) struct Client {
    router: Router,
    token: Option<String>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A database with a digital product 1 for 100 JPY, a physical product 2 for 250 JPY and a digital product 3 for 50 PTS.
pub(crate) async fn shop() -> TestDatabase {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run(
        "insert into products (id, name, price, currency, kind) values
         (1, 'Bitcoin', 100, 'JPY', 'digital'), (2, 'Mug', 250, 'JPY', 'physical'), (3, 'Hero', 50, 'PTS', 'digital')",
    )
    .await;
    db
}

impl Client {
    pub(crate) fn new(db: &TestDatabase) -> Self {
        Client::over(api::routes(db.work(Orders::default()), Derivation::default(), None, Vault::default()))
    }

    pub(crate) fn over(routes: Router) -> Self {
        Client { router: routes, token: None }
    }

    /// The same API, called with this token.
    pub(crate) fn with(&self, token: impl Into<String>) -> Self {
        Client { router: self.router.clone(), token: Some(token.into()) }
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        if let Some(token) = &self.token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
        }
        let response = self.router.clone().oneshot(request).await.expect("the router never fails");
        let (parts, body) = response.into_parts();
        let wanted = if parts.status.is_success() { "application/json" } else { "application/problem+json" };
        assert_eq!(parts.headers["content-type"], wanted, "content type of a {}", parts.status);
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a whole body");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        if !parts.status.is_success() {
            assert_eq!(body["status"], parts.status.as_u16());
            for field in ["type", "title", "detail"] {
                assert!(body[field].is_string(), "a problem has a {field}: {body}");
            }
        }
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl ToString) -> Answer {
        let mut request = Request::post(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.to_string().into()).expect("a request")).await
    }

    pub(crate) async fn place(&self, order: Value) -> Answer {
        self.post("/orders", &[], order).await
    }

    pub(crate) async fn cancel(&self, order: &str) -> Answer {
        self.post(&format!("/orders/{order}/cancel"), &[], "").await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }
}

/// One piece of a product for user 1.
pub(crate) fn one(product: i64) -> Value {
    json!({"user_id": 1, "payment_method_id": 1, "items": [{"product_id": product, "quantity": 1}]})
}

/// `base` with added or replaced fields.
pub(crate) fn with(mut base: Value, more: Value) -> Value {
    let fields = more.as_object().expect("an object").clone();
    base.as_object_mut().expect("an object").extend(fields);
    base
}
