//! On a real Postgres: what is left of an erased user.

use events::{
    Order, UserId, erasure,
    testing::{order, physical},
};
use saga::testing::{TestDatabase, commit, event};
use shipping::{Ask, Command, MIGRATIONS, Shipping};

#[tokio::test]
async fn the_address_goes_and_the_parcel_stays() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let parcel = |ship_to: &str| Order { ship_to: Some(ship_to.to_owned()), ..order([physical(1, 1)]) };
    let (mine, refused, others) = (parcel("1 Canary Road"), parcel("Atlantis, 2 Canary Road"), parcel("3 Canary Road"));
    let work = db.work(Shipping::default());
    for order in [&mine, &refused, &others] {
        commit(&work, &[event("StockCommitted", Command::new(order.clone(), Ask::Arrange))]).await;
    }
    for _ in 0..2 {
        let said = erasure::of_user(UserId(1), &[mine.order_id, refused.order_id]);
        let said: Vec<_> = said.into_iter().map(|said| event("UserErased", Command::Scrub(said))).collect();
        commit(&work, &said).await;
    }
    let rows: Vec<(String, String, bool)> =
        sqlx::query_as("select ship_to, status, tracking_no is not null from shipments order by ship_to, status")
            .fetch_all(db.pool())
            .await
            .expect("rows");
    let row = |ship_to: &str, status: &str, booked| (ship_to.to_owned(), status.to_owned(), booked);
    assert_eq!(
        rows,
        [row("3 Canary Road", "CONFIRMED", true), row("erased", "CONFIRMED", true), row("erased", "REJECTED", false)]
    );
}
