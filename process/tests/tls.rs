//! The HTTP servers of a program over TLS: own routes and operations apart, each for those who may use it.

use std::{net::SocketAddr, time::Duration};

use axum::{Extension, Router, routing::get};
use process::{
    config::Http,
    health::Readiness,
    ops::{self, Routes},
    shutdown::{Shutdown, Stop},
    telemetry,
};
use tempfile::TempDir;
use transport::{
    Peer, Security, Settings, Transport,
    authority::{Authority, Leaf},
};

/// A served program, and the authority that it trusts.
struct Served {
    directory: TempDir,
    authority: Authority,
    own: SocketAddr,
    operations: SocketAddr,
    stop: Stop,
    serving: tokio::task::JoinHandle<anyhow::Result<()>>,
}

struct Doors {
    clients: &'static [&'static str],
    operators: &'static [&'static str],
    tokens: bool,
}

const OPEN: Doors = Doors { clients: &["payment", "operator"], operators: &[], tokens: false };

fn transport(authority: &Authority, directory: &TempDir, name: &str) -> Transport {
    let path = directory.path().join(name);
    authority.write(&Leaf::of(name, Duration::from_secs(600)), &path).expect("written");
    Settings { security: Security::Required, tls_dir: Some(path) }.open().expect("certificates")
}

/// A port that was free a moment ago.
fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port")
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn routes(transport: &Transport, tokens: bool) -> Routes {
    let ready = Readiness::default();
    ready.set(true);
    let metrics = telemetry::init().expect("started");
    let hello = async |Extension(peer): Extension<Option<Peer>>| peer.map_or("nobody".to_owned(), |peer| peer.name);
    Routes { operations: ops::routes(ready, metrics, transport), own: Router::new().route("/", get(hello)), tokens }
}

impl Served {
    async fn by(doors: Doors) -> Self {
        let (directory, authority) =
            (TempDir::new().expect("a directory"), Authority::create("a test's").expect("made"));
        let transport = transport(&authority, &directory, "order");
        let (own, operations) = (free(), free());
        let http = Http {
            http_addr: own,
            ops_addr: Some(operations),
            http_clients: names(doors.clients),
            ops_clients: names(doors.operators),
        };
        let (stop, shutdown) = Shutdown::by_hand();
        let routes = routes(&transport, doors.tokens);
        let serving = tokio::spawn(async move { ops::serve(&http, &transport, routes, shutdown).await });
        for address in [own, operations] {
            until_reached(address).await;
        }
        Served { directory, authority, own, operations, stop, serving }
    }

    /// The answer to a program of this name; None if it is not let in.
    async fn answers(&self, name: &str, address: SocketAddr, path: &str) -> Option<(u16, String)> {
        let client =
            transport(&self.authority, &self.directory, name).http().expect("a client").build().expect("a client");
        answer(&client, address, path).await
    }

    async fn stops(self) {
        self.stop.now();
        let stopped = tokio::time::timeout(Duration::from_secs(10), self.serving).await;
        stopped.expect("in time").expect("no panic").expect("stopped cleanly");
    }
}

async fn answer(client: &reqwest::Client, address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let answer = client.get(format!("https://{address}{path}")).timeout(Duration::from_secs(10)).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

async fn until_reached(address: SocketAddr) {
    let reached = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.expect("it listens");
}

#[tokio::test]
async fn operations_are_on_a_listener_of_their_own_for_operators_and_the_program_itself() {
    let served = Served::by(OPEN).await;
    for name in ["operator", "order"] {
        let (status, text) = served.answers(name, served.operations, "/readyz").await.expect("let in");
        assert_eq!((status, text.as_str()), (200, "ready\n"));
    }
    assert_eq!(served.answers("payment", served.operations, "/readyz").await, None, "another program");
    let (status, _) = served.answers("operator", served.own, "/metrics").await.expect("let in");
    assert_eq!(status, 404, "they are not among the program's own");
    assert_eq!(served.answers("payment", served.own, "/").await, Some((200, "payment".to_owned())));
    let (_, metrics) = served.answers("operator", served.operations, "/metrics").await.expect("let in");
    assert!(metrics.contains("tls_certificate_expires_timestamp_seconds"), "{metrics}");
    assert!(metrics.contains("http_connections_refused_total"), "{metrics}");
    served.stops().await;
}

#[tokio::test]
async fn only_programs_of_the_list_are_let_in_and_there_has_to_be_one() {
    let listed = Served::by(Doors { clients: &["payment"], ..OPEN }).await;
    assert_eq!(listed.answers("payment", listed.own, "/").await, Some((200, "payment".to_owned())));
    assert_eq!(listed.answers("shipping", listed.own, "/").await, None);
    listed.stops().await;
    let longer = Served::by(Doors { clients: &["payment", "shipping"], ..OPEN }).await;
    assert_eq!(longer.answers("shipping", longer.own, "/").await, Some((200, "shipping".to_owned())));
    longer.stops().await;
    let (directory, authority) = (TempDir::new().expect("a directory"), Authority::create("a test's").expect("made"));
    let transport = transport(&authority, &directory, "order");
    let http = Http { http_addr: free(), ops_addr: Some(free()), http_clients: Vec::new(), ops_clients: Vec::new() };
    let (_stop, shutdown) = Shutdown::by_hand();
    let error = ops::serve(&http, &transport, routes(&transport, false), shutdown).await.expect_err("refused");
    assert!(error.to_string().contains("HTTP_CLIENTS"), "{error}");
    let monitored = Served::by(Doors { operators: &["monitor"], ..OPEN }).await;
    assert!(monitored.answers("monitor", monitored.operations, "/metrics").await.is_some());
    assert_eq!(monitored.answers("operator", monitored.operations, "/metrics").await, None);
    monitored.stops().await;
}

#[tokio::test]
async fn clients_without_a_certificate_reach_routes_that_ask_for_tokens_and_no_others() {
    let nobody = |served: &Served| {
        let ca = std::fs::read(served.directory.path().join("order/ca.crt")).expect("a file");
        let ca = reqwest::Certificate::from_pem(&ca).expect("PEM");
        // Its TLS is the platform's: only a provider of cryptography is missing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "a stranger's client")]
        let client = reqwest::Client::builder().tls_certs_only([ca]).build().expect("a client");
        client
    };
    let by_token = Served::by(Doors { tokens: true, clients: &[], ..OPEN }).await;
    let stranger = nobody(&by_token);
    assert_eq!(answer(&stranger, by_token.own, "/").await, Some((200, "nobody".to_owned())));
    assert_eq!(answer(&stranger, by_token.operations, "/readyz").await, None, "operations know nobody by a token");
    by_token.stops().await;
    let by_certificate = Served::by(OPEN).await;
    assert_eq!(answer(&nobody(&by_certificate), by_certificate.own, "/").await, None);
    by_certificate.stops().await;
}

#[tokio::test]
async fn what_would_mix_operations_with_the_programs_own_routes_is_refused() {
    let (directory, authority) = (TempDir::new().expect("a directory"), Authority::create("a test's").expect("made"));
    let transport = transport(&authority, &directory, "order");
    let http = Http { http_addr: free(), ops_addr: None, http_clients: Vec::new(), ops_clients: Vec::new() };
    let (_stop, shutdown) = Shutdown::by_hand();
    let error = ops::serve(&http, &transport, routes(&transport, false), shutdown).await.expect_err("refused");
    assert!(error.to_string().contains("set OPS_ADDR"), "{error}");
}
