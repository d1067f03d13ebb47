//! Buyers and requests under load.

use anyhow::Context;
use events::{
    OrderId, PaymentMethodId, ProductId, UserId,
    request::{OrderRequested, RequestedItem},
};
use operations::databases::Databases;
use testbed::{
    Database, Environment,
    cast::Method,
    methods::{self, NewMethod},
    seed::{self, MANY_PRODUCTS, MANY_USERS},
};

use super::mix::Fate;

/// A buyer and a product that no load can exhaust.
const HOT: i64 = 20_001;
/// Buyers without money, and products without stock.
const POOR: std::ops::RangeInclusive<i64> = 20_101..=20_200;
/// Buyers with a card in addition to their wallet.
const CARD_HOLDERS: std::ops::RangeInclusive<i64> = 1_001..=2_000;
/// Offset from a holder's id to the id of the card.
const CARD: i64 = 100_000;

/// What all successful orders of a stage have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Number of buyers who share the orders.
    pub users: u32,
    pub hot: Option<Hot>,
    pub card: bool,
}

/// A product or user that all orders share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Hot {
    /// All orders are for one product.
    Product,
    /// All orders are by one user.
    User,
}

impl Default for Choice {
    fn default() -> Self {
        Choice { users: 10_000, hot: None, card: false }
    }
}

impl Choice {
    /// A request for one piece that should lead to `fate`.
    pub fn request(&self, order: OrderId, fate: Fate) -> OrderRequested {
        let hot = match fate {
            Fate::HotProduct => Some(Hot::Product),
            Fate::HotUser => Some(Hot::User),
            Fate::Happy | Fate::Card | Fate::NoBalance | Fate::NoStock => self.hot,
        };
        let card = self.card || fate == Fate::Card;
        let user = match (fate, hot, card) {
            (Fate::NoBalance, ..) => any(&POOR),
            (_, Some(Hot::User), _) => HOT,
            (.., true) => any_of_first(&CARD_HOLDERS, self.users),
            (.., false) => any_of_first(&MANY_USERS, self.users),
        };
        let product = match (fate, hot) {
            (Fate::NoStock, _) => any(&POOR),
            (_, Some(Hot::Product)) => HOT,
            _ => any(&MANY_PRODUCTS),
        };
        let has_card = card && fate != Fate::NoBalance;
        OrderRequested {
            user_id: UserId(user),
            payment_method_id: PaymentMethodId(if has_card { CARD + user } else { user }),
            items: vec![RequestedItem { product_id: ProductId(product), quantity: 1 }],
            order_id: Some(order),
            idempotency_key: None,
            ship_to: None,
        }
    }
}

fn any(ids: &std::ops::RangeInclusive<i64>) -> i64 {
    rand::random_range(ids.clone())
}

fn any_of_first(ids: &std::ops::RangeInclusive<i64>, users: u32) -> i64 {
    let last = (*ids.start() + i64::from(users.max(1)) - 1).min(*ids.end());
    rand::random_range(*ids.start()..=last)
}

/// Seeds all of them. `cards` only if some orders are paid by card: the payment service adds them.
pub async fn seed(environment: &Environment, cards: bool) -> anyhow::Result<()> {
    seed::many(environment).await?;
    let databases = Databases::of(environment)?;
    let (first, last) = (*POOR.start(), *POOR.end());
    // One more than the poor: the hot user, who has plenty.
    let statements: [(Database, &'static str); 6] = [
        (
            Database::ACCOUNTS,
            "insert into users (id, username) select id, 'load-' || id from generate_series($1::bigint, $2) id
             union all select $3, 'load-' || $3 on conflict do nothing",
        ),
        (
            Database::ACCOUNTS,
            "insert into balances (user_id, currency, balance) select id, 'JPY', 0 from generate_series($1::bigint, $2) id
             union all select $3, 'JPY', 1000000000000 on conflict do nothing",
        ),
        (
            Database::PAYMENTS,
            "insert into payment_methods (id, user_id, method_type) select id, id, 'wallet' from generate_series($1::bigint, $2) id
             union all select $3, $3, 'wallet' on conflict do nothing",
        ),
        (
            Database::ORDERS,
            "insert into products (id, name, price, currency, kind)
             select id, 'load-' || id, 100, 'JPY', 'digital' from generate_series($1::bigint, $2) id
             union all select $3, 'load-' || $3, 100, 'JPY', 'digital' on conflict do nothing",
        ),
        (
            Database::INVENTORY,
            "insert into stock (product_id, stock_quantity) select id, 0 from generate_series($1::bigint, $2) id
             union all select $3, 1000000000000 on conflict do nothing",
        ),
        (
            Database::ENTITLEMENTS,
            "insert into catalogue (product_id, available) select id, true from generate_series($1::bigint, $2) id
             union all select $3, true on conflict do nothing",
        ),
    ];
    for (database, statement) in statements {
        let done =
            sqlx::query(statement).bind(first).bind(last).bind(HOT).execute(databases.of_operator(database)).await;
        done.with_context(|| format!("seeding {database}"))?;
    }
    if cards {
        let holders = CARD_HOLDERS.chain([HOT]);
        let cards: Vec<NewMethod> =
            holders.map(|holder| NewMethod::of(CARD + holder, holder, Method::Card("tok_visa"))).collect();
        let payments = databases.of_operator(Database::PAYMENTS);
        methods::add(payments, environment, &cards).await.context("seeding cards")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn request(choice: Choice, fate: Fate) -> (i64, i64, i64) {
        let request = choice.request(OrderId(Uuid::now_v7()), fate);
        (request.user_id.0, request.payment_method_id.0, request.items[0].product_id.0)
    }

    #[test]
    fn a_fate_chooses_buyer_method_and_product() {
        let everyone = Choice::default();
        let (user, method, product) = request(everyone, Fate::Happy);
        assert!(MANY_USERS.contains(&user) && method == user && MANY_PRODUCTS.contains(&product));
        let (user, method, _) = request(everyone, Fate::Card);
        assert!(CARD_HOLDERS.contains(&user) && method == CARD + user);
        assert_eq!(request(everyone, Fate::HotProduct).2, HOT);
        assert_eq!(request(everyone, Fate::HotUser).0, HOT);
        assert!(POOR.contains(&request(everyone, Fate::NoBalance).0));
        assert!(POOR.contains(&request(everyone, Fate::NoStock).2));
    }

    #[test]
    fn what_a_stage_has_in_common_goes_for_its_happy_orders() {
        let choice = Choice { users: 1, hot: Some(Hot::Product), card: true };
        assert_eq!(request(choice, Fate::Happy), (1_001, CARD + 1_001, HOT));
        let (poor, method, _) = request(choice, Fate::NoBalance);
        assert_eq!(method, poor, "who owns nothing has no card either");
    }
}
