//! What is left of an erased user.

use events::{
    Order, PaymentMethodId, UserId, erasure,
    testing::{order, physical},
};
use payment::{Command, Payment, lifecycle::Step};
use saga::testing::{commit, event};
use serde_json::{Value, json};

use crate::{
    api::{alices, post},
    shop::Shop,
};

async fn texts(shop: &Shop, sql: &'static str) -> Vec<Value> {
    sqlx::query_scalar(sql).fetch_all(shop.db.pool()).await.expect("JSON")
}

#[tokio::test]
async fn details_and_addresses_go_and_payments_stay() {
    let shop = Shop::open().await;
    let mut bobs = alices();
    (bobs["id"], bobs["user_id"]) = (json!(2), json!(2));
    post(&shop, json!([alices(), bobs])).await;
    let work = shop.db.work(Payment);
    let of = |user: i64, ship_to: &str| Order {
        user_id: UserId(user),
        payment_method_id: PaymentMethodId(user),
        ship_to: Some(ship_to.to_owned()),
        ..order([physical(1, 1)])
    };
    let (mine, sealed, others) = (of(1, "1 Canary Road"), of(1, "sealed:v1:1:order:AAAA"), of(2, "2 Canary Road"));
    for order in [&mine, &sealed, &others] {
        commit(&work, &[event("BalanceReserved", Command::asked(order.clone(), Step::Authorize))]).await;
    }
    shop.db.run("update attempts set status = 'done'").await;
    for _ in 0..2 {
        for said in erasure::of_user(UserId(1), &[mine.order_id, sealed.order_id]) {
            commit(&work, &[event("UserErased", Command::Scrub(said))]).await;
        }
    }
    let kept = "select jsonb_build_array(user_id, method_details is not null) from payment_methods order by id";
    assert_eq!(texts(&shop, kept).await, [json!([1, false]), json!([2, true])]);
    let paid =
        "select jsonb_build_array(user_id, amount, facts -> 'ship_to') from payment_transactions order by user_id, 1";
    let rows = texts(&shop, paid).await;
    assert!(
        rows.contains(&json!([1, 100, null])) && rows.contains(&json!([1, 100, "sealed:v1:1:order:AAAA"])),
        "{rows:?}"
    );
    assert!(rows.contains(&json!([2, 100, "2 Canary Road"])), "{rows:?}");
    let calls = "select jsonb_build_array(t.user_id, a.request ? 'erased') from attempts a join payment_transactions t using (order_id)";
    let calls = texts(&shop, calls).await;
    assert_eq!(calls.iter().filter(|call| **call == json!([1, true])).count(), 2, "{calls:?}");
    assert!(calls.contains(&json!([2, false])), "{calls:?}");

    let mut another = alices();
    another["id"] = json!(3);
    let (status, problem) = post(&shop, json!([another])).await;
    assert_eq!((status.as_u16(), &problem["type"]), (410, &json!("user-erased")), "{problem}");
}
