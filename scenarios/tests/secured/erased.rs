//! A user is erased from a secured system, as the operator that the certificate names.

use scenarios::{
    databases::Databases,
    stack::{Database, until},
};
use serde_json::json;
use uuid::Uuid;

use crate::{BOUND, audited::runs, with_a_secured_system};

const ADDRESS: &str = "9 Canary Road, Ålesund";

#[test]
fn an_operator_erases_a_user_and_sees_everything_that_he_searches() {
    with_a_secured_system(async |stack| {
        let environment = stack.environment().clone();
        let order = events::OrderId(Uuid::now_v7());
        let items = json!([{"product_id": 18, "quantity": 1}]);
        let data = json!({"order_id": order, "user_id": 5, "payment_method_id": 5, "items": items, "ship_to": ADDRESS});
        scenarios::requests::Client::of(&environment)?.request(order, &data).await?;
        let databases = Databases::of(&environment)?;
        until("the order ends, with its mail", BOUND, async || {
            let told = "select 1 from notifications where order_id = $1 and sent_at is not null";
            let letters = databases.of_service(Database::NOTIFICATIONS);
            sqlx::query_scalar::<_, i32>(told).bind(order.0).fetch_optional(letters).await.ok().flatten()
        })
        .await?;
        let stored: Option<String> = sqlx::query_scalar("select facts ->> 'ship_to' from orders where id = $1")
            .bind(order.0)
            .fetch_one(databases.of_service(Database::ORDERS))
            .await?;
        assert!(stored.is_some_and(|stored| stored.starts_with("sealed:v1:5:")));
        let logs = stack.state().expect("ours").logs().display().to_string();
        let arguments = ["erase", "--user", "5", "--why", "asked for by letter", "--find", ADDRESS, "--logs", &logs];
        let (success, said) = runs(stack, &arguments).await?;
        assert!(success && said.contains("nothing found"), "{said}");
        let (_, listed) = runs(stack, &["audit", "list", "--object", "5"]).await?;
        assert!(listed.contains("operator") && listed.contains("asked for by letter"), "{listed}");
        let (success, said) = runs(stack, &["verify"]).await?;
        assert!(success, "{said}");
        Ok(())
    })
    .unwrap();
}
