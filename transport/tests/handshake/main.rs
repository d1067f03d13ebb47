//! Handshakes that must fail, beside the same handshake with its lock taken out, which must not.

#![expect(clippy::disallowed_methods, reason = "clients of attackers")]

mod files;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsConnector;
use transport::{
    Peer, Security, Settings, Transport,
    authority::{Authority, Leaf},
};

const HOUR: Duration = Duration::from_secs(3600);

/// An authority, and a directory for each of those it knows.
struct World {
    directory: TempDir,
    authority: Authority,
}

impl World {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let authority = Authority::create(&directory.path().display().to_string()).expect("an authority");
        World { directory, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, leaf: &Leaf) -> PathBuf {
        let path = self.path(name);
        self.authority.write(leaf, &path).expect("written");
        path
    }

    fn transport(&self, name: &str) -> Transport {
        open(&self.write(name, &Leaf::of(name, HOUR)))
    }
}

fn open(directory: &Path) -> Transport {
    settings(directory).open().expect("certificates that belong together")
}

fn settings(directory: &Path) -> Settings {
    Settings { security: Security::Required, tls_dir: Some(directory.to_owned()) }
}

/// Accepts one connection after the other; says to each who it is.
async fn server(transport: &Transport, anonymous: bool) -> SocketAddr {
    let acceptor = transport.acceptor(anonymous).expect("a server").expect("with certificates");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok((mut stream, peer)) = acceptor.accept(stream).await {
                    let name = peer.map_or("nobody".to_owned(), |Peer { name }| name);
                    let head =
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", name.len());
                    let _ = stream.write_all((head + &name).as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    address
}

/// The name by which the server knows us.
async fn asked(client: &Transport, url: &str) -> Result<String, String> {
    let client = client.http().expect("a client").timeout(Duration::from_secs(10)).build().expect("a client");
    answer(&client, url).await
}

async fn answer(client: &reqwest::Client, url: &str) -> Result<String, String> {
    let answer = client.get(url).send().await.map_err(|error| deepest(&error))?;
    answer.text().await.map_err(|error| deepest(&error))
}

/// The innermost cause.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!("{cause:?} {cause}")
}

#[tokio::test]
async fn both_sides_know_each_other_by_their_certificates() {
    let world = World::new();
    let address = server(&world.transport("order"), false).await;
    let url = format!("https://{address}");
    assert_eq!(asked(&world.transport("payment"), &url).await.as_deref(), Ok("payment"));
}

#[tokio::test]
async fn another_authoritys_certificates_count_on_neither_side() {
    let (world, other) = (World::new(), World::new());
    let url = format!("https://{}", server(&world.transport("order"), false).await);
    let stranger = other.transport("payment");
    let error = asked(&stranger, &url).await.expect_err("the client does not trust the server");
    assert!(error.contains("UnknownIssuer"), "{error}");
    // He trusts the server now, but the server not him.
    fs::write(other.path("payment/ca.crt"), world.authority.certificate()).expect("written");
    let error = asked(&open(&other.path("payment")), &url).await.expect_err("the server does not trust the client");
    assert!(error.contains("UnknownCa") || error.contains("AlertReceived"), "{error}");
    // Lock taken out: a server that trusts his authority lets him in.
    let both = [world.authority.certificate(), other.authority.certificate()].concat();
    fs::write(world.path("order/ca.crt"), both).expect("written");
    let open_server = server(&open(&world.path("order")), false).await;
    assert_eq!(asked(&open(&other.path("payment")), &format!("https://{open_server}")).await.as_deref(), Ok("payment"));
}

#[tokio::test]
async fn a_client_without_a_certificate_is_let_in_only_where_tokens_know_it() {
    let world = World::new();
    let (order, ca) = (world.transport("order"), world.path("order/ca.crt"));
    let nobody = || {
        let roots = roots(&ca);
        let config = builder(&[&rustls::version::TLS13]).with_root_certificates(roots).with_no_client_auth();
        reqwest::Client::builder().tls_backend_preconfigured(config).build().expect("a client")
    };
    let closed = format!("https://{}", server(&order, false).await);
    let error = answer(&nobody(), &closed).await.expect_err("no certificate");
    assert!(error.contains("CertificateRequired") || error.contains("AlertReceived"), "{error}");
    let by_token = format!("https://{}", server(&order, true).await);
    assert_eq!(answer(&nobody(), &by_token).await.as_deref(), Ok("nobody"));
}

#[tokio::test]
async fn an_expired_leaf_does_not_count() {
    let world = World::new();
    let url = format!("https://{}", server(&world.transport("order"), false).await);
    let now = SystemTime::now();
    let past = Leaf { from: now - 2 * HOUR, until: now - HOUR, ..Leaf::of("payment", HOUR) };
    let directory = world.write("payment", &past);
    let error = settings(&directory).open().expect_err("expired").to_string();
    assert!(error.contains("tls.crt has expired"), "{error}");
    // Nor where the program does not look itself: it was valid when the program started, and is no longer.
    let shows = |leaf: &Leaf| {
        let issued = world.authority.issue(leaf).expect("issued");
        shown(&world.path("order/ca.crt"), &issued.certificate, &issued.key)
    };
    let error = answer(&shows(&past), &url).await.expect_err("expired");
    assert!(error.contains("CertificateExpired") || error.contains("AlertReceived"), "{error}");
    assert_eq!(answer(&shows(&Leaf::of("payment", HOUR)), &url).await.as_deref(), Ok("payment"), "the same, in time");
}

#[tokio::test]
async fn a_servers_certificate_counts_at_its_own_host_alone() {
    let world = World::new();
    let payment = world.transport("payment");
    let elsewhere = Leaf { hosts: vec!["order.example.org".to_owned()], ..Leaf::of("order", HOUR) };
    let url = format!("https://{}", server(&open(&world.write("order", &elsewhere)), false).await);
    let error = asked(&payment, &url).await.expect_err("another host");
    assert!(error.contains("NotValidForName"), "{error}");
    let here = Leaf { hosts: vec!["127.0.0.1".to_owned()], ..elsewhere };
    let url = format!("https://{}", server(&open(&world.write("order", &here)), false).await);
    assert_eq!(asked(&payment, &url).await.as_deref(), Ok("payment"));
}

/// Relays, operators and the administrator serve nobody: with their keys nobody can pretend to be a server.
#[tokio::test]
async fn a_clients_certificate_counts_at_no_server() {
    let world = World::new();
    let order = world.transport("order");
    let hosts = vec!["127.0.0.1".to_owned()];
    let of_client = Leaf { hosts: hosts.clone(), ..Leaf::of_client("operator", HOUR) };
    let at = server(&open(&world.write("operator", &of_client)), false).await;
    let url = format!("https://{at}");
    asked(&order, &url).await.expect_err("a client's certificate");
    let serving = Leaf { serves: true, ..of_client };
    let at = server(&open(&world.write("operator", &serving)), false).await;
    asked(&order, &format!("https://{at}")).await.expect("the same, as a server's");
}

#[tokio::test]
async fn an_older_version_of_tls_is_refused_by_servers_and_clients() {
    let world = World::new();
    let address = server(&world.transport("order"), false).await;
    world.transport("payment");
    let version = async |version: &'static SupportedProtocolVersion| {
        let config = builder(&[version])
            .with_root_certificates(roots(&world.path("payment/ca.crt")))
            .with_client_auth_cert(chain(&world.path("payment/tls.crt")), key(&world.path("payment/tls.key")))
            .expect("a client");
        let stream = TcpStream::connect(address).await.expect("connected");
        let name = "localhost".try_into().expect("a name");
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.map(|_| text)
    };
    let error = version(&rustls::version::TLS12).await.expect_err("too old").to_string();
    assert!(error.to_lowercase().contains("protocol"), "{error}");
    assert!(version(&rustls::version::TLS13).await.expect("new enough").ends_with("payment"));
    // And a server that knows only the older one, by our client.
    let old = |versions: &[&'static SupportedProtocolVersion]| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain(&world.path("order/tls.crt")), key(&world.path("order/tls.key")))
            .expect("a server")
    };
    for (versions, accepted) in [(&[&rustls::version::TLS12], false), (&[&rustls::version::TLS13], true)] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(old(versions)));
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("accepted");
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nold").await;
            let _ = stream.shutdown().await;
        });
        let answered = asked(&open(&world.path("payment")), &url).await;
        assert_eq!(answered.is_ok(), accepted, "{answered:?}");
        serving.await.expect("no panic");
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_not_waited_for() {
    let world = World::new();
    let acceptor = world.transport("order").acceptor(false).expect("a server").expect("with certificates");
    let (silent, stream) = tokio::io::duplex(64);
    tokio::time::pause();
    let error = acceptor.accept(stream).await.expect_err("it says nothing");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    drop(silent);
}

fn roots(file: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    chain(file).into_iter().for_each(|authority| roots.add(authority).expect("an authority"));
    roots
}

fn chain(file: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file).expect("a file").map(|certificate| certificate.expect("PEM")).collect()
}

fn key(file: &Path) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(file).expect("a key")
}

fn builder(
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions")
}

/// A client that shows this certificate, whatever it says.
fn shown(ca: &Path, certificate: &str, key: &str) -> reqwest::Client {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(|pem| pem.expect("PEM")).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let config = builder(&[&rustls::version::TLS13]).with_root_certificates(roots(ca));
    let config = config.with_client_auth_cert(chain, key).expect("a client");
    reqwest::Client::builder().tls_backend_preconfigured(config).build().expect("a client")
}

/// The same conversation in a process whose environment names a proxy, which is never asked.
#[test]
fn no_proxy_of_the_environment_comes_in_between() {
    let proxy = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    proxy.set_nonblocking(true).expect("set");
    let url = format!("http://{}", proxy.local_addr().expect("an address"));
    let mut command = std::process::Command::new(std::env::current_exe().expect("a path"));
    command.args(["--exact", "both_sides_know_each_other_by_their_certificates"]);
    for name in ["NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, &url);
    }
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(proxy.accept().is_err(), "somebody has asked the proxy");
}
