//! A whole system at its highest log level, with buyers all of whose texts can be told from all else.

use std::{path::Path, time::Duration};

use access::{Grant, Issuer};
use events::OrderId;
use scenarios::{
    databases::Databases,
    requests::Client,
    seed,
    stack::{Broker, Database, Environment, Options, Program, Stack, until},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

use crate::{
    outside::{MailServer, Provider},
    search::canary,
};

pub(crate) const BOUND: Duration = Duration::from_secs(45);
pub(crate) const DIGITAL: i64 = 1;
pub(crate) const PHYSICAL: i64 = 18;

const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "shop";

/// A buyer: his id, which is that of his card too, and the names of the canaries in his mail address and in his card's token.
#[derive(Clone, Copy)]
pub(crate) struct Buyer {
    pub(crate) id: i64,
    contact: &'static str,
    card: &'static str,
}

pub(crate) const GOOD: Buyer = Buyer { id: 7001, contact: "contact", card: "card" };
/// The provider does not understand his card, and quotes it: a person has to look at the call.
pub(crate) const UNPROCESSABLE: Buyer = Buyer { id: 7002, contact: "", card: "unprocessable" };
/// The provider declines his card, and quotes it.
pub(crate) const UNPAID: Buyer = Buyer { id: 7003, contact: "", card: "unpaid" };
/// The mail server does not know his address, and quotes it.
pub(crate) const REFUSED_MAIL: Buyer = Buyer { id: 7004, contact: "refusedmail", card: "" };
/// The mail server takes his mail later, and quotes his address.
pub(crate) const LATER_MAIL: Buyer = Buyer { id: 7005, contact: "latermail", card: "" };
/// What he gave is no mail address.
pub(crate) const NO_MAIL: Buyer = Buyer { id: 7006, contact: "nomail", card: "" };
/// The database refuses the rows of his orders.
pub(crate) const PARKED: Buyer = Buyer { id: 7007, contact: "", card: "" };
/// The database refuses the rows of his orders, and its message quotes a text.
pub(crate) const QUOTED: Buyer = Buyer { id: 7008, contact: "", card: "" };
/// His card's details are those of another.
pub(crate) const EXCHANGED: Buyer = Buyer { id: 7009, contact: "", card: "exchanged" };

const BUYERS: [Buyer; 9] = [GOOD, UNPROCESSABLE, UNPAID, REFUSED_MAIL, LATER_MAIL, NO_MAIL, PARKED, QUOTED, EXCHANGED];

/// Settings of the system; `folder` is for the issuer's key.
pub(crate) fn options(provider: &Provider, mail: &MailServer, folder: &Path) -> anyhow::Result<Options> {
    let key = folder.join("issuer.pem");
    Issuer::open_or_create(&key)?;
    let options = Options { partitions: 1, ..Options::new(Broker::Embedded) };
    Ok(options
        .sealed()
        .setting_of_all("RUST_LOG", "trace")
        .setting(Program::NOTIFICATION, "SMTP_URL", &mail.url)
        .setting(Program::NOTIFICATION, "RETRY_DELAYS_MS", "100,600000")
        .setting(Program::PAYMENT, "GATEWAY_URL", &provider.url)
        .setting(Program::PAYMENT_GATEWAY, "DECLINED_TOKENS", canary("declined"))
        .setting(Program::ORDER, "JWT_ISSUER", ISSUER)
        .setting(Program::ORDER, "JWT_AUDIENCE", AUDIENCE)
        .setting(Program::ORDER, "JWT_JWKS_FILE", Issuer::key_set_file(&key).display().to_string()))
}

pub(crate) struct Shop<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) environment: &'a Environment,
    pub(crate) databases: Databases,
    pub(crate) client: Client,
    pub(crate) http: reqwest::Client,
    issuer: Issuer,
}

impl<'a> Shop<'a> {
    pub(crate) async fn of(stack: &'a Stack, folder: &Path) -> anyhow::Result<Self> {
        let environment = stack.environment();
        seed::well_known(environment).await?;
        let shop = Shop {
            stack,
            environment,
            databases: Databases::of(environment)?,
            client: Client::new(&environment.brokers)?,
            http: environment.transport.http()?.build()?,
            issuer: Issuer::open(&folder.join("issuer.pem"))?,
        };
        shop.adds_buyers().await?;
        shop.breaks_tables().await?;
        Ok(shop)
    }

    pub(crate) fn pool(&self, database: Database) -> &PgPool {
        self.databases.of_operator(database)
    }

    /// A session of the superuser in any database.
    pub(crate) async fn superuser(&self, database: &str) -> anyhow::Result<PgPool> {
        let variables = self.stack.variables();
        let (_, url) = variables.iter().find(|(name, _)| name == "POSTGRES_URL").unwrap();
        let options = url.parse::<sqlx::postgres::PgConnectOptions>()?.database(database);
        Ok(PgPoolOptions::new().max_connections(1).connect_with(options).await?)
    }

    async fn adds_buyers(&self) -> anyhow::Result<()> {
        let ids: Vec<i64> = BUYERS.iter().map(|buyer| buyer.id).collect();
        let accounts = self.pool(Database::ACCOUNTS);
        let users = "insert into users (id, username) select id, $2 || ' ' || id from unnest($1::bigint[]) id";
        sqlx::query(users).bind(&ids).bind(format!("Käte {}", canary("user"))).execute(accounts).await?;
        let balances =
            "insert into balances (user_id, currency, balance) select id, 'JPY', 100000 from unnest($1::bigint[]) id";
        sqlx::query(balances).bind(&ids).execute(accounts).await?;
        let contact =
            "insert into contacts values ($1, $2) on conflict (user_id) do update set address = excluded.address";
        for buyer in BUYERS.iter().filter(|buyer| !buyer.contact.is_empty()) {
            let host = if buyer.id == NO_MAIL.id { " at home" } else { "@buyers.test" };
            for name in ["former", buyer.contact] {
                let address = format!("{}{host}", canary(name));
                let insert = sqlx::query(contact).bind(buyer.id).bind(address);
                insert.execute(self.pool(Database::NOTIFICATIONS)).await?;
            }
        }
        let methods: Vec<Value> = BUYERS.iter().map(Buyer::method).collect();
        sqlx::query("update stock set stock_quantity = 1000").execute(self.pool(Database::INVENTORY)).await?;
        let url = format!("{}/payment-methods", self.environment.payment.as_deref().unwrap());
        let answer = self.http.post(url).json(&methods).send().await?;
        assert!(answer.status().is_success(), "{}", answer.text().await?);
        let exchange = "update payment_methods set method_details =
                            (select method_details from payment_methods where id = $1) where id = $2";
        let exchange = sqlx::query(exchange).bind(GOOD.id).bind(EXCHANGED.id);
        exchange.execute(self.databases.of_service(Database::PAYMENTS)).await?;
        Ok(())
    }

    /// Constraints that refuse rows, and a function whose message quotes what it was given.
    async fn breaks_tables(&self) -> anyhow::Result<()> {
        let (refused, quoting) = (PARKED.id, QUOTED.id);
        let quoted = canary("quoted");
        let orders = self.superuser("orders").await?;
        for statement in [
            format!("alter table orders add constraint no_parked_buyer check (user_id <> {refused})"),
            format!(
                "create function quotes() returns trigger language plpgsql as $$ begin
                     perform (case new.user_id when {quoting} then '{quoted}' else '1' end)::int;
                     return new;
                 end $$"
            ),
            "create trigger quotes before insert on orders for each row execute function quotes()".to_owned(),
        ] {
            sqlx::query(AssertSqlSafe(statement)).execute(&orders).await?;
        }
        // The server quotes the row that it refuses, in what it logs.
        let accounts = self.superuser("accounts").await?;
        sqlx::query("alter table users add constraint short check (length(username) < 60)").execute(&accounts).await?;
        let long = format!("{} {}", canary("user"), "x".repeat(60));
        let update = sqlx::query("update users set username = $1 where id = $2").bind(long).bind(GOOD.id);
        assert!(update.execute(&accounts).await.is_err());
        Ok(())
    }

    /// A token, with a canary in its scope.
    pub(crate) fn token(&self, buyer: Buyer) -> String {
        let (subject, scopes) = (buyer.id.to_string(), [canary("scope")]);
        let ttl = Duration::from_secs(300);
        self.issuer
            .grant(&Grant { issuer: ISSUER, audience: AUDIENCE, subject: &subject, scopes: &scopes, ttl })
            .unwrap()
    }

    /// Asks for a product on the topic, and gives the order's id.
    pub(crate) async fn asks(&self, buyer: Buyer, product: i64, ship_to: Option<&str>) -> anyhow::Result<OrderId> {
        let order = OrderId(Uuid::now_v7());
        let mut request = buyer.request(product);
        request["order_id"] = json!(order);
        request["ship_to"] = json!(ship_to);
        self.client.request(order, &request).await?;
        Ok(order)
    }

    pub(crate) async fn ends(&self, order: OrderId, status: &str) -> anyhow::Result<()> {
        let ended = async || {
            let query = sqlx::query_scalar::<_, i32>("select 1 from orders where id = $1 and status = $2");
            let query = query.bind(order.0).bind(status).fetch_optional(self.pool(Database::ORDERS));
            query.await.ok().flatten()
        };
        until(&format!("order {order} is {status}"), BOUND, ended).await.map(drop)
    }

    /// Waits until a query has a row with a text, and gives it.
    pub(crate) async fn has(
        &self,
        database: Database,
        what: &str,
        query: &'static str,
        id: Uuid,
    ) -> anyhow::Result<String> {
        let pool = self.pool(database);
        let ask = async || sqlx::query_scalar::<_, String>(query).bind(id).fetch_optional(pool).await.ok().flatten();
        until(what, BOUND, ask).await
    }
}

impl Buyer {
    /// A request without an address.
    pub(crate) fn request(&self, product: i64) -> Value {
        let items = json!([{ "product_id": product, "quantity": 1 }]);
        json!({ "user_id": self.id, "payment_method_id": self.id, "items": items })
    }

    fn method(&self) -> Value {
        match self.card {
            "" => json!({ "id": self.id, "user_id": self.id, "method_type": "wallet" }),
            card => {
                json!({ "id": self.id, "user_id": self.id, "method_type": "card", "token": format!("tok_{}", canary(card)) })
            }
        }
    }
}
