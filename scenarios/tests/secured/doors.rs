//! Every listener of the system, tried by those who may not come in. Each attempt has a twin that differs in the lock alone, and
//! comes in: an attempt that fails for another reason would show nothing.

use std::{path::Path, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use scenarios::stack::{Database, Environment, Program, Stack, certs::Certs};
use secrecy::ExposeSecret;
use sqlx::{ConnectOptions, Connection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use transport::authority::{Authority, Leaf};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Http,
    Kafka,
    Postgres,
}

/// A listener.
pub(crate) struct Door {
    name: String,
    kind: Kind,
    address: String,
    /// Name of somebody who may come in here.
    visitor: &'static str,
}

impl Door {
    pub(crate) fn of(stack: &Stack) -> Vec<Door> {
        let variables = stack.variables();
        let programs = stack.environment().manifest.programs();
        let http = programs.flat_map(|program| {
            let own = program == Program::ORDER || program == Program::PAYMENT_GATEWAY;
            let names = [own.then(|| program.variable("HTTP_URL")), Some(program.variable("OPS_URL"))];
            names.into_iter().flatten().collect::<Vec<_>>()
        });
        let mut doors: Vec<Door> = http
            .map(|name| {
                let (_, url) = variables.iter().find(|(other, _)| *other == name).unwrap();
                let address = url.strip_prefix("https://").unwrap().to_owned();
                Door { name, kind: Kind::Http, address, visitor: "operator" }
            })
            .collect();
        assert_eq!(doors.len(), 11);
        let value = |name: &str| variables.iter().find(|(other, _)| other == name).unwrap().1.clone();
        let (kafka, postgres) = (value("KAFKA_BROKERS"), value("POSTGRES_ADDRESS"));
        doors.push(Door { name: "Kafka".to_owned(), kind: Kind::Kafka, address: kafka, visitor: "operator" });
        doors.push(Door {
            name: "PostgreSQL".to_owned(),
            kind: Kind::Postgres,
            address: postgres,
            visitor: "operator",
        });
        doors
    }

    pub(crate) async fn refuses_older_versions(&self, certs: &Certs) {
        let own = certs.of(self.visitor);
        let old = self.shake_hands(&own, &[&rustls::version::TLS12]).await;
        assert!(old.is_err(), "{} speaks TLS 1.2", self.name);
        let new = self.shake_hands(&own, &[&rustls::version::TLS13]).await;
        assert!(new.is_ok(), "{}: {:?}", self.name, new.err());
    }

    pub(crate) async fn refuses_plain_text(&self) {
        match self.kind {
            Kind::Http => {
                let url = format!("http://{}/", self.address);
                let plain = transport::Transport::plain().http().unwrap().timeout(SOON).build().unwrap();
                let answered = plain.get(url).send().await;
                assert!(answered.is_err(), "{} answers in plain text: {answered:?}", self.name);
            }
            Kind::Kafka => {
                let mut client = transport::Transport::plain().kafka(&self.address);
                client.set("log_level", "0");
                let client: rdkafka::consumer::BaseConsumer = client.create().unwrap();
                let asked = tokio::task::spawn_blocking(move || {
                    rdkafka::consumer::Consumer::fetch_metadata(&client, None, Duration::from_secs(3)).map(drop)
                });
                assert!(asked.await.unwrap().is_err(), "Kafka answers in plain text");
            }
            Kind::Postgres => {
                let url = format!("postgres://orders@{}/orders?sslmode=disable", self.address);
                let error = sqlx::PgConnection::connect(&url).await.expect_err("plain text").to_string();
                assert!(error.contains("pg_hba.conf"), "{error}");
            }
        }
    }

    /// With the right name, by an authority that nobody here knows.
    pub(crate) async fn refuses_strangers(&self, certs: &Certs) {
        let directory = tempfile::tempdir().unwrap();
        let stranger = Authority::create("a stranger's authority").unwrap();
        stranger.write(&Leaf::of(self.visitor, HOUR), directory.path()).unwrap();
        // He trusts the system's authority: only the system does not trust his.
        std::fs::copy(certs.authority(), directory.path().join("ca.crt")).unwrap();
        assert!(self.lets_in(directory.path()).await.is_err(), "{} lets a stranger in", self.name);
        let known = self.lets_in(&certs.of(self.visitor)).await;
        assert!(known.is_ok(), "{}: {known:?}", self.name);
    }

    /// A handshake and a first word. In TLS 1.3 the client has shaken hands before the server has looked at its certificate.
    async fn lets_in(&self, certificates: &Path) -> Result<(), String> {
        let mut stream = self.shake_hands(certificates, &[&rustls::version::TLS13]).await?;
        let word: &[u8] = match self.kind {
            Kind::Http => b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
            // ApiVersions, version 0, without a client id.
            Kind::Kafka => &[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff],
            // A start-up message: version 3.0, user and database.
            Kind::Postgres => b"\0\0\0\x2d\0\x03\0\0user\0orders_auditor\0database\0orders\0\0",
        };
        stream.write_all(word).await.map_err(|error| error.to_string())?;
        let mut byte = [0];
        let read = tokio::time::timeout(SOON, stream.read_exact(&mut byte)).await.map_err(|_| "no answer")?;
        read.map_err(|error| error.to_string())?;
        // PostgreSQL says why it refuses, over the connection that it has accepted.
        if self.kind == Kind::Postgres && byte == *b"E" { Err("refused".to_owned()) } else { Ok(()) }
    }

    async fn shake_hands(
        &self,
        certificates: &Path,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<TlsStream<TcpStream>, String> {
        let read = |name: &str| std::fs::read(certificates.join(name)).unwrap();
        let chain = |name: &str| -> Vec<CertificateDer<'static>> {
            CertificateDer::pem_slice_iter(&read(name)).map(|pem| pem.unwrap().into_owned()).collect()
        };
        let mut roots = RootCertStore::empty();
        chain("ca.crt").into_iter().for_each(|authority| roots.add(authority).unwrap());
        let key = PrivateKeyDer::from_pem_slice(&read("tls.key")).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain("tls.crt"), key)
            .unwrap();
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        if self.kind == Kind::Postgres {
            // SSLRequest.
            stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'S');
        }
        let shaking = TlsConnector::from(Arc::new(config)).connect("127.0.0.1".try_into().unwrap(), stream);
        let shaken = tokio::time::timeout(SOON, shaking).await.map_err(|_| "no handshake")?;
        shaken.map_err(|error| error.to_string())
    }
}

/// A program logs in as its own role, and as no other.
pub(crate) async fn of_roles(environment: &Environment, certs: &Certs) {
    // An auditor's URL, with another role.
    let url = |database: Database, kind: &str| {
        let url = environment.database(database).unwrap().expose_secret();
        url.replace(&format!("{database}_auditor@"), &format!("{database}_{kind}@"))
    };
    for (name, database, kind, own) in [
        ("order", Database::ORDERS, "app", true),
        ("order", Database::ORDERS, "owner", false),
        ("order", Database::ORDERS, "operator", false),
        ("order", Database::ORDERS, "relay", false),
        ("payment", Database::ORDERS, "app", false),
        ("relay-orders", Database::ORDERS, "relay", true),
        ("relay-orders", Database::ORDERS, "app", false),
        ("relay-orders", Database::PAYMENTS, "relay", false),
        ("operator", Database::ORDERS, "operator", true),
        ("operator", Database::ORDERS, "owner", false),
        ("admin", Database::ORDERS, "owner", true),
        ("payment-gateway", Database::PAYMENTS, "app", false),
    ] {
        let certificates = match name.strip_prefix("relay-") {
            Some(of) => certs.of_relays().join(of),
            None => certs.of(name),
        };
        let settings = transport::Settings { security: transport::Security::Required, tls_dir: Some(certificates) };
        let options = settings.open().unwrap().postgres("DATABASE_URL", &url(database, kind)).unwrap();
        let connected = options.disable_statement_logging().connect().await;
        assert_eq!(connected.is_ok(), own, "{name} as {kind} of {database}: {:?}", connected.err());
    }
}

/// Payments are asked for by the payment service alone, whatever other certificates the authority has made.
pub(crate) async fn of_the_gateway(stack: &Stack, certs: &Certs) {
    let gateway = stack.environment().gateway().unwrap();
    for (name, admitted) in [("payment", true), ("operator", true), ("shipping", false), ("relay-orders", false)] {
        let certificates = if name == "relay-orders" { certs.of_relays().join("orders") } else { certs.of(name) };
        let settings = transport::Settings { security: transport::Security::Required, tls_dir: Some(certificates) };
        let http = settings.open().unwrap().http().unwrap().timeout(SOON).build().unwrap();
        let answered = http.get(format!("{gateway}/v1/ledger")).send().await;
        assert_eq!(answered.is_ok(), admitted, "{name}: {answered:?}");
    }
    let settings = stack.environment().gateway_operations().unwrap();
    let payment = certs.transport("payment").unwrap().http().unwrap().timeout(SOON).build().unwrap();
    assert!(payment.get(format!("{settings}/v1/settings")).send().await.is_err(), "settings are an operator's");
    let on_own = certs.transport("operator").unwrap().http().unwrap().build().unwrap();
    let status = on_own.get(format!("{gateway}/v1/settings")).send().await.unwrap().status();
    assert_eq!(status, 404, "and on their own listener alone");
}
