//! The shop with a role for each program.

use std::time::Duration;

use futures::future::try_join_all;
use saga::shutdown::Shutdown;
use scenarios::{
    audit, catalogue,
    play::Play,
    report::Verdict,
    seed,
    stack::{
        self, Broker, Database, Foundation, Launch, Options, PARTITIONS, Program, Reporter, Stack, StateDir,
        Supervisor, until,
    },
    stage::Stage,
};
use secrecy::ExposeSecret;

use crate::ground::{Ground, tried};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_works_and_the_books_balance_with_a_role_for_each_program() {
    let (_stop, shutdown) = Shutdown::by_hand();
    let (options, reporter) = (Options::new(Broker::Embedded).with_roles(), Reporter::on_stderr());
    stack::with(options, &reporter, &shutdown, async |stack| played(stack).await).await.unwrap();
}

async fn played(stack: &Stack) -> anyhow::Result<()> {
    let environment = stack.environment();
    seed::well_known(environment).await?;
    let stage = Stage::new(environment, PATIENCE).await?;
    let plays = catalogue::ALL.iter().map(|scenario| {
        let mut play = Play::new(stage.clone());
        async move {
            (scenario.play)(&mut play).await?;
            anyhow::Ok(Verdict::of_play(*scenario, play, Duration::ZERO))
        }
    });
    for verdict in try_join_all(plays).await? {
        assert!(verdict.passed(), "{}: {:?}", verdict.name, verdict.checks);
    }
    let report = audit::run(environment, PATIENCE).await?;
    assert!(report.holds(), "{report:?}");
    Ok(())
}

/// A service that may not migrate waits for its owner, says so, and does not die of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_waits_for_its_owner_to_migrate() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::create_in(directory.path()).unwrap();
    let reporter = Reporter::on_stderr();
    let foundation = Foundation::start(Broker::Embedded, PARTITIONS, &state, &reporter).await.unwrap();
    let roles = foundation.postgres.divide().await.unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let launch = Launch {
        transport: transport::Transport::plain(),
        name: "account".to_owned(),
        binary: stack::binary_of(Program::ACCOUNT).unwrap(),
        arguments: Vec::new(),
        variables: vec![
            pair("KAFKA_BROKERS", foundation.broker.brokers()),
            pair("DATABASE_URL", roles.url(Database::ACCOUNTS, "app").expose_secret()),
            pair("HTTP_ADDR", &format!("127.0.0.1:{port}")),
        ],
        log: state.log_of("account"),
    };
    let account = Supervisor::start(launch.clone(), reporter, |_| ()).unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let http = transport::Transport::plain().http().unwrap().build().unwrap();
    let says = async || {
        let answer = http.get(format!("{url}/readyz")).send().await.ok()?;
        let text = answer.text().await.ok()?;
        text.contains("account --migrate-only").then_some(())
    };
    until("the service says what it waits for", PATIENCE, says).await.unwrap();

    let mut migration = tokio::process::Command::new(&launch.binary);
    migration.arg("--migrate-only").envs(launch.variables.iter().cloned());
    migration.env("DATABASE_OWNER_URL", roles.url(Database::ACCOUNTS, stack::OWNER).expose_secret());
    assert!(migration.status().await.unwrap().success());
    account.ready(&url, PATIENCE).await.unwrap();
    assert_eq!(account.life().deaths, 0);
    account.stop().await.unwrap();
    foundation.stop().await.unwrap();
}

/// A migration that has been applied and whose rights have not been granted yet is not there for the service.
#[tokio::test]
async fn a_service_starts_when_the_rights_are_granted_and_not_before() {
    let ground = Ground::of(&[Database::ACCOUNTS]).await;
    let mut db = ground.connect(Database::ACCOUNTS, "app").await;
    assert!(tried(&mut db, "select from _sqlx_migrations").await.is_err());
    let granted = "select count(*) from granted_migrations";
    let seen: i64 = sqlx::query_scalar(granted).fetch_one(&mut db).await.unwrap();
    let applied: i64 = sqlx::query_scalar("select count(*) from _sqlx_migrations")
        .fetch_one(&mut ground.admin(Database::ACCOUNTS).await)
        .await
        .unwrap();
    assert_eq!(seen, applied);
    ground.stop().await;
}
