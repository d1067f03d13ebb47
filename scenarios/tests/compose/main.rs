//! Checks that `docker-compose.yml` and the programs' settings agree. Needs no containers.

mod file;
mod hardened;
mod pin;
mod programs;
mod secure;

use std::collections::BTreeSet;

use file::{Service, asked_for, compose, given, read};
use payment::keys::is_example_key;
use programs::Reads;
use scenarios::stack::{Database, Environment, Manifest, Program};

#[test]
fn every_program_is_a_service_of_one_image() {
    let compose = compose();
    let runner = &compose.services["scenarios"];
    for program in Manifest::of_the_shop().programs() {
        let service = &compose.services[program.name()];
        assert_eq!(service.words(), [program.name()]);
        assert_eq!(service.image, runner.image, "{program}");
    }
    let builders = compose.services.values().filter(|service| service.build.is_some()).count();
    assert_eq!(builders, 1, "one service builds the image, the others use it");
}

#[test]
fn programs_read_what_they_are_told_and_are_told_what_they_need() {
    let compose = compose();
    for program in Manifest::of_the_shop().programs() {
        let reads = Reads::of(program);
        let told: BTreeSet<String> = compose.services[program.name()].environment.keys().cloned().collect();
        let unread: Vec<_> = told.difference(&reads.all).collect();
        assert!(unread.is_empty(), "{program} does not read {unread:?}");
        let missing: Vec<_> = reads.required.difference(&told).collect();
        assert!(missing.is_empty(), "{program} is not told {missing:?}");
    }
}

#[test]
fn addresses_lead_to_services_that_listen_there() {
    let compose = compose();
    let http = |name: &str| format!("http://{name}:{}", compose.services[name].http_port());
    for program in Manifest::of_the_shop().programs() {
        let service = &compose.services[program.name()];
        let check = service.healthcheck.as_ref().expect("it has a health check");
        assert_eq!(check.test, ["CMD", "scenarios", "ready", &format!("http://127.0.0.1:{}", service.http_port())]);
        for (_, _, port) in service.published() {
            assert_eq!(port, service.http_port(), "{program}");
        }
    }
    for service in compose.services.values() {
        assert_eq!(service.value("GATEWAY_URL").unwrap_or(&http("payment-gateway")), http("payment-gateway"));
        assert_eq!(service.value("ORDER_API_URL").unwrap_or(&http("order")), http("order"));
        assert_eq!(service.value("SMTP_URL").unwrap_or("smtp://mail:1025"), "smtp://mail:1025");
    }
}

#[test]
fn kafka_sends_containers_and_this_machine_to_where_they_reach_it() {
    let compose = compose();
    let kafka = &compose.services["kafka"];
    let listeners = |name: &str| -> Vec<(String, String)> {
        let text = kafka.value(name).expect("the broker has listeners");
        let pair = |listener: &str| listener.split_once("://").map(|(name, at)| (name.to_owned(), at.to_owned()));
        text.split(',').filter_map(pair).collect()
    };
    let (open, advertised) = (listeners("KAFKA_LISTENERS"), listeners("KAFKA_ADVERTISED_LISTENERS"));
    let [(_, machine, container)] = kafka.published()[..] else { panic!("Kafka publishes one port") };
    let address_of = |port: &str| {
        let (name, _) = open.iter().find(|(_, at)| at == &format!(":{port}")).expect("a listener has that port");
        advertised.iter().find(|(advertised, _)| advertised == name).map(|(_, at)| at.as_str())
    };
    assert_eq!(address_of(container), Some(format!("127.0.0.1:{machine}").as_str()));
    let told = |service: &Service| service.value("KAFKA_BROKERS").map(str::to_owned);
    let brokers: BTreeSet<String> = compose.services.values().filter_map(told).collect();
    assert_eq!(brokers, BTreeSet::from(["kafka:9092".to_owned()]));
    assert_eq!(address_of("9092"), Some("kafka:9092"));
}

#[test]
fn each_service_opens_its_own_database() {
    let compose = compose();
    let given = given();
    let script = read("docker/postgres/databases.sh");
    let made = script.lines().find_map(|line| line.strip_prefix("for database in ")?.strip_suffix("; do"));
    let names: Vec<&str> = made.expect("the script names the databases").split(' ').collect();
    assert_eq!(names, Database::OF_THE_SHOP.map(Database::name));
    let secret = |database: Database| format!("DATABASE_PASSWORD_{}", database.name().to_uppercase());
    let url =
        |database: Database| format!("postgres://{database}:{}@postgres:5432/{database}", given[&secret(database)]);
    for database in Database::OF_THE_SHOP {
        let postgres = &compose.services["postgres"];
        assert_eq!(postgres.value(&secret(database)), Some(given[&secret(database)].as_str()));
        for user in ["outbox-relay", "scenarios"] {
            let url = url(database);
            assert_eq!(compose.services[user].value(&database.variable()), Some(url.as_str()), "{user}");
        }
    }
    for program in Manifest::of_the_shop().programs() {
        let own = program.database().map(url);
        assert_eq!(compose.services[program.name()].value("DATABASE_URL"), own.as_deref(), "{program}");
    }
}

#[test]
fn the_runner_finds_the_system_that_up_leaves_ready() {
    let compose = compose();
    let runner = &compose.services["scenarios"];
    let environment = Environment::from_variables(|name| runner.value(name).map(str::to_owned));
    let environment = environment.expect("it is complete").expect("it names a system");
    assert!(environment.order_api().is_ok() && environment.gateway().is_ok());
    assert_eq!(environment.payment.as_deref(), Some("http://payment:8080"));
    assert!(environment.payment_details_key.is_none(), "the runner has no key: the payment service encrypts for it");
    assert!(is_example_key(&given()["PAYMENT_DETAILS_KEY"]), "the example's key is not recognized");
    assert!(runner.depends_on.is_empty(), "it would start what a drill has stopped, and undo --scale");
    // `up` waits for the program that starts last.
    let last = &compose.services[Program::OUTBOX_RELAY.name()];
    for service in Manifest::of_the_shop().programs().filter(|program| program.database().is_some()) {
        let waited_for = last.depends_on.get(service.name()).map(|dependency| dependency.condition.as_str());
        assert_eq!(waited_for, Some("service_healthy"), "{service}");
    }
}

#[test]
fn secrets_have_no_defaults_and_every_variable_is_in_the_example() {
    let text = read("docker-compose.yml") + &read("docker-compose.secure.yml");
    for (name, rest) in asked_for(&text) {
        let secret = name.contains("PASSWORD") || name.ends_with("_KEY");
        assert_eq!(secret, rest.starts_with(":?"), "{name}{rest}");
        assert_eq!(secret, given().contains_key(name), "{name} in .env.example");
    }
    let example = read(".env.example");
    let passed_on = ["RUST_LOG", "LOG_FORMAT", "ORDER_TIMEOUT_SECONDS", "MAIL_API_URL", "PROGRAM_URLS"];
    let asked: BTreeSet<&str> = asked_for(&text).into_iter().map(|(name, _)| name).chain(passed_on).collect();
    let lines = example.lines().filter_map(|line| line.trim_start_matches('#').split_once('='));
    let explained: BTreeSet<&str> = lines.map(|(name, _)| name).collect();
    assert_eq!(explained, asked);
    for (name, rest) in asked_for(&text) {
        let Some(default) = rest.strip_prefix(":-") else { continue };
        assert!(example.contains(&format!("#{name}={default}\n")), "{name}={default} in .env.example");
    }
}

#[test]
fn services_can_be_scaled_and_only_this_machine_reaches_them() {
    let compose = compose();
    for (name, service) in &compose.services {
        assert_eq!(service.container_name, None, "{name}");
        let instance = service.value("KAFKA_INSTANCE_ID");
        assert!(matches!(instance, None | Some("@hostname")), "{name}: a name that is one process's alone");
        assert!(service.published().iter().all(|(address, ..)| *address == "127.0.0.1"), "{name}");
    }
    for program in Manifest::of_the_shop().programs().filter(|program| program.consumes()) {
        let instance = compose.services[program.name()].value("KAFKA_INSTANCE_ID");
        assert_eq!(instance, Some("@hostname"), "{program} comes back to its partitions at once");
    }
    // The entry point; all other services are reached by events.
    let shop = Manifest::of_the_shop();
    let publishing = shop.programs().filter(|program| !compose.services[program.name()].ports.is_empty());
    assert_eq!(publishing.collect::<Vec<_>>(), [Program::ORDER]);
}

#[test]
fn the_dockerfile_builds_what_the_workspace_has() {
    let compose = compose();
    let dockerfile = read("Dockerfile");
    let build =
        compose.services.values().find_map(|service| service.build.as_ref()).expect("a service builds the image");
    for (name, value) in &build.args {
        assert!(dockerfile.contains(&format!("ARG {name}={value}\n")), "{name}={value} in the Dockerfile");
    }
    let workspace = read("Cargo.toml");
    let members =
        workspace.lines().find_map(|line| line.strip_prefix("members = [")).expect("the workspace has members");
    let ignored = read(".dockerignore");
    for member in members.trim_end_matches(']').split(", ").map(|member| member.trim_matches('"')) {
        let directory = member.trim_end_matches("/*");
        // Or a folder that contains it.
        let is_let_in = |line: &str| {
            let rest = line.strip_prefix('!').and_then(|let_in| directory.strip_prefix(let_in));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        assert!(ignored.lines().any(is_let_in), ".dockerignore keeps {directory} out");
    }
}
