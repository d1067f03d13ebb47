//! The token of a card goes through the whole system at the highest log level, and is looked for afterwards: in logs, events,
//! tables, the gateway's file, the mails and the variables of the runner.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use events::OrderId;
use saga::shutdown::Shutdown;
use scenarios::{
    cast::ALICE,
    databases::Databases,
    listener::{Listener, Since},
    requests::Client,
    seed,
    stack::{self, Broker, Database, Environment, Options, Program, Reporter, Stack, binary_of, until},
};
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

const BOUND: Duration = Duration::from_secs(90);

/// Part of each token.
const CANARY: &str = "canary7d1f";
const GOOD: (i64, &str) = (5001, "tok_canary7d1f_good");
const DECLINED: (i64, &str) = (5002, "tok_canary7d1f_declined");
/// Its row has the details of another, so that its call is parked.
const EXCHANGED: (i64, &str) = (5003, "tok_canary7d1f_exchanged");

/// A place where the canary must not be, and its content.
struct Trace {
    place: String,
    text: String,
}

/// The ways in which a program might write it.
fn disguises(secret: &str) -> [String; 3] {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    [secret.to_owned(), hex.clone(), hex.to_uppercase()]
}

fn found<'a>(traces: &'a [Trace], secret: &str) -> Vec<&'a str> {
    let disguises = disguises(secret);
    let has = |trace: &&Trace| disguises.iter().any(|disguise| trace.text.contains(disguise));
    traces.iter().filter(has).map(|trace| trace.place.as_str()).collect()
}

#[tokio::test]
async fn the_token_of_a_card_is_nowhere_but_at_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = folder.path().join("keyring");
    fs::write(&keyring, "").unwrap();
    fs::set_permissions(&keyring, fs::Permissions::from_mode(0o600)).unwrap();
    let options = Options::new(Broker::Embedded)
        .setting_of_all("RUST_LOG", "trace")
        .setting(Program::PAYMENT, "PAYMENT_KEYRING", keyring.display().to_string())
        .setting(Program::PAYMENT_GATEWAY, "DECLINED_TOKENS", DECLINED.1);
    let (reporter, (_stop, shutdown)) = (Reporter::silent(), Shutdown::by_hand());
    let done = stack::with(options, &reporter, &shutdown, async |stack| {
        let environment = stack.environment().clone();
        adds_a_key(&environment, &keyring)?;
        seed::well_known(&environment).await?;
        adds_cards(&environment).await?;
        let databases = Databases::of(&environment)?;
        let payments = databases.of_service(Database::PAYMENTS);
        let exchange = "update payment_methods set method_details =
                            (select method_details from payment_methods where id = 5001) where id = 5003";
        sqlx::query(exchange).execute(payments).await?;
        let listener = Listener::start(&environment.brokers, Since::Beginning).await?;

        let paid = buys(&environment, GOOD.0).await?;
        let declined = buys(&environment, DECLINED.0).await?;
        let parked = buys(&environment, EXCHANGED.0).await?;
        ends(databases.of_service(Database::ORDERS), paid, "COMPLETED").await?;
        ends(databases.of_service(Database::ORDERS), declined, "CANCELLED").await?;
        let is_parked = async || {
            let why = "select last_error from attempts where order_id = $1 and status = 'parked'";
            sqlx::query_scalar::<_, String>(why).bind(parked.0).fetch_optional(payments).await.ok().flatten()
        };
        let why = until("the call is parked", BOUND, is_parked).await?;
        assert!(why.contains("have been tampered with"), "{why}");

        let mut traces = tables(&databases).await?;
        for order in [paid, declined, parked] {
            let text = listener.of(order).iter().map(|event| format!("{event:?}\n")).collect();
            traces.push(Trace { place: "events".to_owned(), text });
        }
        traces.push(Trace { place: "dead letters".to_owned(), text: format!("{:?}", listener.dead_letters()) });
        traces.extend(files(stack)?);
        let variables = stack.variables();
        traces.push(Trace { place: "variables".to_owned(), text: format!("{variables:?}") });
        assert_eq!(found(&traces, CANARY), [""; 0], "the token is there");
        assert!(variables.iter().all(|(name, _)| name != stack::PAYMENT_DETAILS_KEY), "the runner has a key");

        // The search finds what is there: the order, in each kind of place.
        let seen = found(&traces, &paid.to_string());
        for place in ["payments.attempts", "events", "gateway-ledger.jsonl", "payment.log"] {
            assert!(seen.contains(&place), "{place} is not searched: {seen:?}");
        }
        assert!(found(&traces, "serving HTTP").contains(&"payment-gateway.log"));
        let sealed = found(&traces, "v2:canary-key:");
        assert_eq!(sealed, ["payments.payment_methods"], "sealed details are in their rows alone");
        Ok(())
    });
    done.await.unwrap().unwrap();
}

#[test]
fn a_canary_is_found_in_every_disguise() {
    let trace = |text: &str| [Trace { place: "there".to_owned(), text: text.to_owned() }];
    for disguise in disguises(CANARY) {
        assert_eq!(found(&trace(&format!("x{disguise}x")), CANARY), ["there"], "{disguise}");
    }
    assert!(found(&trace("sparrow"), CANARY).is_empty());
}

fn adds_a_key(environment: &Environment, keyring: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(binary_of(Program::PAYMENT)?);
    command.args(["keys", "add", "canary-key"]).env("PAYMENT_KEYRING", keyring);
    command.env("DATABASE_URL", environment.database(Database::PAYMENTS)?.expose_secret());
    let output = command.output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

async fn adds_cards(environment: &Environment) -> anyhow::Result<()> {
    let cards = [GOOD, DECLINED, EXCHANGED]
        .map(|(id, token)| json!({ "id": id, "user_id": ALICE.id, "method_type": "card", "token": token }));
    let url = format!("{}/payment-methods", environment.payment.as_deref().unwrap());
    let answer = environment.transport.http()?.build()?.post(url).json(&cards).send().await?;
    assert!(answer.status().is_success(), "{}", answer.text().await?);
    Ok(())
}

async fn buys(environment: &Environment, method: i64) -> anyhow::Result<OrderId> {
    let order = OrderId(Uuid::now_v7());
    let items = json!([{ "product_id": 1, "quantity": 1 }]);
    let request = json!({
        "order_id": order, "user_id": ALICE.id, "payment_method_id": method, "items": items, "ship_to": "1 High Street",
    });
    Client::new(&environment.brokers)?.request(order, &request).await?;
    Ok(order)
}

async fn ends(orders: &PgPool, order: OrderId, status: &str) -> anyhow::Result<()> {
    let ended = async || {
        let query = sqlx::query_scalar::<_, i32>("select 1 from orders where id = $1 and status = $2");
        query.bind(order.0).bind(status).fetch_optional(orders).await.ok().flatten()
    };
    until("the order has ended", BOUND, ended).await.map(drop)
}

/// All rows of all tables of all services.
async fn tables(databases: &Databases) -> anyhow::Result<Vec<Trace>> {
    let mut traces = Vec::new();
    for database in databases.all() {
        let pool = databases.of_service(database);
        let names = "select table_name::text from information_schema.tables
                     where table_schema = 'public' and table_type = 'BASE TABLE'";
        let names: Vec<String> = sqlx::query_scalar(names).fetch_all(pool).await?;
        for name in names {
            let rows = format!(r#"select coalesce(string_agg(t::text, E'\n'), '') from "{name}" t"#);
            let text = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(pool).await?;
            traces.push(Trace { place: format!("{database}.{name}"), text });
        }
    }
    Ok(traces)
}

/// Logs, mails, and the gateway's file.
fn files(stack: &Stack) -> anyhow::Result<Vec<Trace>> {
    let state = stack.state().unwrap();
    let mut found = vec![state.ledger()];
    for folder in [state.logs(), state.mail()] {
        let paths: Result<Vec<PathBuf>, _> =
            fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect();
        found.extend(paths?);
    }
    let trace = |path: PathBuf| {
        let place = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Trace { place, text: String::from_utf8_lossy(&fs::read(path)?).into_owned() })
    };
    found.into_iter().filter(|path| path.is_file()).map(trace).collect()
}
