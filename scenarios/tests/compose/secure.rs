//! `docker-compose.secure.yml`: every program has to be secure, and has what it needs for it.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::stack::{Database, Manifest, Program};

use crate::{
    file::{Service, read, secured},
    programs::Reads,
};

/// Values that allow plain text, or that leave security off.
fn weak(service: &Service) -> Vec<&str> {
    let is_weak = |value: &str| {
        let plain = ["http://", "smtp://"].iter().any(|scheme| value.contains(scheme));
        let unverified = value.starts_with("postgres://") && !value.ends_with("?sslmode=verify-full");
        plain || unverified
    };
    let values = service.environment.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let mut weak: Vec<&str> = values.filter(|(_, value)| is_weak(value)).map(|(name, _)| name.as_str()).collect();
    weak.extend((service.value("SECURITY") != Some("required")).then_some("SECURITY"));
    weak.extend((service.value("TLS_DIR") != Some("/run/tls")).then_some("TLS_DIR"));
    weak
}

/// Services with programs of ours that reach others.
fn ours() -> BTreeMap<String, Service> {
    let system = secured();
    let image = system.services["scenarios"].image.clone();
    system.services.into_iter().filter(|(name, service)| service.image == image && name != "certs").collect()
}

#[test]
fn every_program_is_required_to_be_secure() {
    let ours = ours();
    assert_eq!(ours.len(), 14);
    for (name, service) in &ours {
        assert_eq!(weak(service), [""; 0], "{name}");
    }
    for program in Manifest::of_the_shop().programs() {
        let service = &ours[program.name()];
        let check = &service.healthcheck.as_ref().expect("it has a health check").test;
        assert_eq!(check, &["CMD", "scenarios", "ready", "https://127.0.0.1:9443"], "{program}");
        assert_eq!(service.value("OPS_ADDR"), Some("0.0.0.0:9443"), "{program}");
        let expects = program != Program::PAYMENT_GATEWAY;
        assert_eq!(service.value("KAFKA_TOPICS"), expects.then_some("expect"), "{program}");
    }
    assert_eq!(ours["outbox-relay"].value("RELAY_TLS_DIR"), Some("/run/relay-tls"));
    // The twin: what the plain file says would be noticed.
    let plain = crate::compose();
    assert_eq!(weak(&plain.services["payment"]), ["DATABASE_URL", "GATEWAY_URL", "SECURITY", "TLS_DIR"]);
}

#[test]
fn programs_of_the_secured_system_read_what_they_are_told() {
    let ours = ours();
    for program in Manifest::of_the_shop().programs() {
        let reads = Reads::of(program);
        let told: BTreeSet<String> = ours[program.name()].environment.keys().cloned().collect();
        let unread: Vec<_> = told.difference(&reads.all).collect();
        assert!(unread.is_empty(), "{program} does not read {unread:?}");
    }
}

#[test]
fn each_role_of_a_database_is_opened_by_its_own_program() {
    let ours = ours();
    let url = |database: Database, kind: &str| {
        format!("postgres://{database}_{kind}@postgres:5432/{database}?sslmode=verify-full")
    };
    for program in Manifest::of_the_shop().programs() {
        let Some(database) = program.database() else { continue };
        let told = |service: &str, name: &str| ours[service].value(name).map(str::to_owned);
        assert_eq!(told(program.name(), "DATABASE_URL"), Some(url(database, "app")));
        assert_eq!(told("outbox-relay", &database.variable()), Some(url(database, "relay")));
        assert_eq!(told("scenarios", &database.variable()), Some(url(database, "auditor")));
        assert_eq!(told("scenarios", &database.operators_variable()), Some(url(database, "operator")));
        let script = read("docker/secure/migrate.sh");
        assert!(script.contains(&format!("{program}={database}")), "{program} is migrated");
    }
}

#[test]
fn certificates_open_the_roles_of_their_program_alone() {
    let mut expected: BTreeSet<(String, String)> = BTreeSet::new();
    for program in Manifest::of_the_shop().programs() {
        let Some(database) = program.database() else { continue };
        for (name, kind) in
            [(program.name(), "app"), ("operator", "auditor"), ("operator", "operator"), ("admin", "owner")]
        {
            expected.insert((name.to_owned(), format!("{database}_{kind}")));
        }
        expected.insert((format!("relay-{database}"), format!("{database}_relay")));
    }
    for (name, role) in [
        ("admin", "audit"),
        ("operator", "audit_writer"),
        ("operator", "audit_reader"),
        ("order", "audit_order"),
        ("admin", "personal"),
        ("order", "personal_keeper"),
        ("notification", "personal_keeper"),
        ("shipping", "personal_reader"),
        ("operator", "personal_eraser"),
    ] {
        expected.insert((name.to_owned(), role.to_owned()));
    }
    let file = read("docker/secure/postgres/access/pg_ident.conf");
    let words = file.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace().collect());
    let found: BTreeSet<(String, String)> = words
        .map(|words: Vec<&str>| match words[..] {
            ["programs", name, role] => (name.to_owned(), role.to_owned()),
            _ => panic!("{words:?}"),
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn postgres_lets_nobody_in_without_a_certificate() {
    let access = read("docker/secure/postgres/access/pg_hba.conf");
    let lines: Vec<Vec<&str>> =
        access.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace().collect()).collect();
    let over_tls = |from| vec!["hostssl", "all", "all", from, "cert", "map=programs"];
    assert_eq!(lines, [vec!["local", "all", "all", "peer"], over_tls("0.0.0.0/0"), over_tls("::/0")]);
    let start = read("docker/secure/postgres/access/start.sh");
    for setting in ["ssl=on", "ssl_min_protocol_version=TLSv1.3", "ssl_ca_file=", "hba_file=/etc/saga/pg_hba.conf"] {
        assert!(start.contains(&format!(" -c{setting}")), "{setting}");
    }
    let databases = read("docker/secure/postgres/databases/databases.sh");
    let names = Database::OF_THE_SHOP.map(Database::name).join(" ");
    assert!(databases.contains(&format!("for database in {names}; do")) && !databases.contains("password '"));
}

#[test]
fn kafka_asks_everybody_for_a_certificate_and_allows_nothing_without_a_rule() {
    let kafka = &secured().services["kafka"];
    for (name, value) in [
        ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CONTAINERS:SSL,MACHINE:SSL,CONTROLLER:SSL"),
        ("KAFKA_SSL_CLIENT_AUTH", "required"),
        ("KAFKA_SSL_PROTOCOL", "TLSv1.3"),
        ("KAFKA_SSL_ENABLED_PROTOCOLS", "TLSv1.3"),
        ("KAFKA_SSL_KEYSTORE_TYPE", "PEM"),
        ("KAFKA_SSL_KEYSTORE_LOCATION", "/run/tls/keystore.pem"),
        ("KAFKA_SSL_TRUSTSTORE_TYPE", "PEM"),
        ("KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM", "https"),
        ("KAFKA_SSL_TRUSTSTORE_LOCATION", "/run/tls/ca.crt"),
        ("KAFKA_SSL_PRINCIPAL_MAPPING_RULES", "RULE:^CN=([^,]+).*$$/$$1/"),
        ("KAFKA_AUTHORIZER_CLASS_NAME", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND", "false"),
        ("KAFKA_SUPER_USERS", "User:kafka"),
        ("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false"),
    ] {
        assert_eq!(kafka.value(name), Some(value), "{name}");
    }
}

#[test]
fn the_mail_server_speaks_tls_and_asks_for_a_password() {
    let mail = &secured().services["mail"];
    assert_eq!(mail.value("MP_SMTP_REQUIRE_TLS"), Some("true"));
    for name in ["MP_SMTP_TLS_CERT", "MP_SMTP_TLS_KEY", "MP_SMTP_AUTH_FILE", "MP_UI_TLS_CERT", "MP_UI_TLS_KEY"] {
        assert!(mail.value(name).is_some_and(|file| file.starts_with("/run/tls/")), "{name}");
    }
}

/// Each volume with a key, and the services that mount it beside the one that makes it.
fn holders() -> BTreeMap<String, Vec<String>> {
    let system = secured();
    let mut holders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, service) in &system.services {
        for (volume, _, only_read) in service.mounts() {
            let secret = volume.starts_with("certs-") || ["authority", "issuer", "payment-keys"].contains(&volume);
            if secret && name != "certs" {
                assert!(only_read || (volume, name.as_str()) == ("payment-keys", "payment-keys"), "{name}: {volume}");
                holders.entry(volume.to_owned()).or_default().push(name.clone());
            }
        }
    }
    holders
}

#[test]
fn nobody_reads_anothers_key() {
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let programs = Manifest::of_the_shop().programs().map(Program::name).collect::<Vec<_>>();
    for name in programs.into_iter().chain(["postgres", "mail"]) {
        expected.insert(format!("certs-{name}"), vec![name.to_owned()]);
    }
    for (volume, names) in [
        ("certs-relay", &["outbox-relay"][..]),
        ("certs-kafka", &["kafka", "rights"]),
        ("certs-admin", &["migrate", "topics"]),
        ("certs-operator", &["payment-keys", "scenarios"]),
        ("issuer", &["scenarios"]),
        ("payment-keys", &["payment", "payment-keys"]),
    ] {
        expected.insert(volume.to_owned(), names.iter().map(|name| (*name).to_owned()).collect());
    }
    // Nobody has the authority's key: it is in none of these.
    assert_eq!(holders(), expected);
    let certs = &secured().services["certs"];
    assert_eq!(certs.network_mode.as_deref(), Some("none"), "who holds the authority's key is on no network");
    let places: BTreeSet<&str> = certs.mounts().into_iter().map(|(_, place, _)| place).collect();
    for name in expected.keys().filter_map(|volume| volume.strip_prefix("certs-")) {
        assert!(places.contains(format!("/certs/{name}").as_str()), "{name} gets its certificate");
    }
}

/// Data of the plain system is not behind these doors.
#[test]
fn the_secured_system_has_data_of_its_own() {
    let (plain, secured) = (crate::compose(), secured());
    let kept = |service: &Service| {
        let volumes = service.mounts().into_iter().filter(|(what, ..)| !what.starts_with('.') && *what != "runs");
        volumes.map(|(what, ..)| what.to_owned()).collect::<BTreeSet<_>>()
    };
    for (name, service) in &plain.services {
        assert!(kept(service).is_disjoint(&kept(&secured.services[name])), "{name}");
    }
}
