//! `SECURITY=required`: each program refuses to start on a setting that allows less, and says which.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use scenarios::stack::{Manifest, Program, binary_of, certs::Certs, until};
use sealing::KeyringFile;

use crate::doors::HOUR;

/// Settings of the order service for tokens and derived ids.
const TOKENS: [(&str, &str); 4] = [
    ("JWT_ISSUER", "https://issuer.test"),
    ("JWT_AUDIENCE", "shop"),
    ("JWT_JWKS_URL", "https://127.0.0.1:1/keys"),
    ("ORDER_ID_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
];

/// Programs that handle addresses and letters.
const PERSONAL: [Program; 3] = [Program::ORDER, Program::SHIPPING, Program::NOTIFICATION];

/// A program's settings with which it starts, as far as it can without servers.
fn settings(program: Program, certs: &Certs) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut settings = certs.variables(program);
    // Nobody listens there: what is refused is refused before.
    settings.extend([
        pair("KAFKA_BROKERS", "127.0.0.1:1"),
        pair("HTTP_ADDR", "127.0.0.1:0"),
        pair("OPS_ADDR", "127.0.0.1:0"),
    ]);
    let url = |database: &str| format!("postgres://{database}@127.0.0.1:1/{database}?sslmode=verify-full");
    match program.database() {
        Some(database) => settings.push(pair("DATABASE_URL", &url(database.name()))),
        None => settings.push(pair("DATABASE_URL_ORDERS", &url("orders"))),
    }
    if program == Program::ORDER {
        for (name, value) in TOKENS {
            settings.push(pair(name, value));
        }
    }
    if PERSONAL.contains(&program) {
        let keyring = certs.of(program.name()).join("personal-keyring");
        KeyringFile::open_or_create(&keyring).and_then(|file| file.add(&"first".parse()?)).unwrap();
        settings.push(pair("PERSONAL_KEYS_URL", &url("personal")));
        settings.push(pair("PERSONAL_KEYRING", &keyring.display().to_string()));
    }
    if program == Program::PAYMENT {
        settings.push(pair("GATEWAY_URL", "https://127.0.0.1:1"));
        settings.push(pair("PAYMENT_DETAILS_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
    }
    if program == Program::OUTBOX_RELAY {
        // Only one of its databases.
        settings.push(pair("RELAY_PUBLISHERS", "orders=order"));
    }
    settings
}

/// What the program says when it ends by itself; None if it goes on.
async fn refusal(program: Program, settings: &[(String, String)], within: Duration) -> Option<String> {
    let mut command = Command::new(binary_of(program).unwrap());
    command.env_clear().envs(settings.iter().map(|(name, value)| (name, value)));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let ended = until("the program ends", within, async || child.try_wait().unwrap()).await;
    if ended.is_err() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ended.ok().map(|status| {
        assert!(!status.success(), "{program}: {said}");
        said
    })
}

fn with(settings: &[(String, String)], name: &str, value: &str) -> Vec<(String, String)> {
    let others = settings.iter().filter(|(other, _)| other != name).cloned();
    others.chain(Some((name.to_owned(), value.to_owned())).filter(|_| !value.is_empty())).collect()
}

#[tokio::test]
async fn a_program_refuses_every_setting_that_allows_less() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = Manifest::of_the_shop();
    let certs = Certs::make(&manifest, directory.path(), HOUR).unwrap();
    let within = Duration::from_secs(30);
    let mut tried = 0;
    for program in manifest.programs() {
        let good = settings(program, &certs);
        let mut bad = vec![
            ("SECURITY", "yes", "possible values: off, required"),
            ("TLS_DIR", "", "TLS_DIR"),
            ("TLS_DIR", "/nowhere", "TLS_DIR"),
        ];
        if program.database().is_some() {
            let url = good.iter().find(|(name, _)| name == "DATABASE_URL").unwrap().1.replace("verify-full", "require");
            bad.push(("DATABASE_URL", url.leak(), "sslmode=verify-full"));
        }
        if PERSONAL.contains(&program) {
            bad.push(("PERSONAL_KEYRING", "", "set both or neither"));
            bad.push(("PERSONAL_KEYS_URL", "", "set both or neither"));
            bad.push(("PERSONAL_KEYS_URL", "postgres://personal@127.0.0.1:1/personal", "PERSONAL_KEYS_URL"));
        }
        match program {
            Program::ORDER => {
                bad.push(("OPS_ADDR", "", "OPS_ADDR"));
                bad.push(("JWT_JWKS_URL", "http://127.0.0.1:1/keys", "JWT_JWKS_URL is not encrypted"));
                bad.extend(TOKENS.map(|(name, _)| (name, "", if name == "JWT_JWKS_URL" { "JWT_JWKS" } else { name })));
            }
            Program::PAYMENT => {
                bad.push(("GATEWAY_URL", "http://127.0.0.1:1", "GATEWAY_URL"));
                // The key of .env.example.
                let example = "b25seS1mb3ItdHJ5aW5nLW9ubHktZm9yLXRyeWluZyE=";
                bad.push(("PAYMENT_DETAILS_KEY", example, "PAYMENT_DETAILS_KEY"));
            }
            Program::NOTIFICATION => bad.push(("SMTP_URL", "smtp://127.0.0.1:1", "SMTP_URL")),
            Program::PAYMENT_GATEWAY => {
                bad.push(("OPS_ADDR", "", "OPS_ADDR"));
                bad.push(("HTTP_CLIENTS", "", "HTTP_CLIENTS"));
            }
            Program::OUTBOX_RELAY => {
                bad.push(("DATABASE_URL_ORDERS", "postgres://orders@127.0.0.1:1/orders", "DATABASE_URL_ORDERS"));
                bad.push(("RELAY_TLS_DIR", "/nowhere", "RELAY_TLS_DIR"));
            }
            _ => {}
        }
        for (name, value, named) in bad {
            let said = refusal(program, &with(&good, name, value), within).await;
            let said = said.unwrap_or_else(|| panic!("{program} starts with {name}={value}"));
            assert!(said.contains(named), "{program} with {name}={value} says: {said}");
            tried += 1;
        }
        let key = certs.of(program.name()).join("tls.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let said = refusal(program, &good, within).await;
        let said = said.unwrap_or_else(|| panic!("{program} starts with a key that others can read"));
        assert!(said.contains("chmod 600"), "{program}: {said}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
    // The lock taken out: with the good settings they go on, waiting for servers that are away.
    for program in
        [Program::ORDER, Program::PAYMENT, Program::NOTIFICATION, Program::PAYMENT_GATEWAY, Program::OUTBOX_RELAY]
    {
        let said = refusal(program, &settings(program, &certs), Duration::from_secs(2)).await;
        assert_eq!(said, None, "{program} refuses good settings");
    }
    assert_private(directory.path());
}

/// What `scenarios certs` writes passes its own check.
fn assert_private(directory: &Path) {
    let key = fs::metadata(directory.join("ca.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600, "the authority's key");
}
