//! A proxy to the database that falls silent: connections stay open and accept every byte, but nothing comes back.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use saga::testing::TestDatabase;
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub(crate) struct Line {
    address: SocketAddr,
    switches: Arc<Switches>,
}

#[derive(Default)]
struct Switches {
    /// Connections with a lower number are silent.
    silent_below: AtomicU64,
    accepted: AtomicU64,
    swallow_all: AtomicBool,
}

impl Switches {
    fn is_silent(&self, number: u64) -> bool {
        self.swallow_all.load(Ordering::SeqCst) || number < self.silent_below.load(Ordering::SeqCst)
    }
}

impl Line {
    pub(crate) async fn to(db: &TestDatabase) -> Self {
        let server: PgConnectOptions = db.url().parse().expect("a URL");
        let server = (server.get_host().to_owned(), server.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let line = Line { address: listener.local_addr().expect("an address"), switches: Arc::default() };
        let switches = line.switches.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = switches.accepted.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(&server).await.expect("Postgres is there");
                tokio::spawn(carry(client, server, number, switches.clone()));
            }
        });
        line
    }

    /// The database's URL through this proxy.
    pub(crate) fn url(&self, db: &TestDatabase) -> String {
        let options: PgConnectOptions = db.url().parse().expect("a URL");
        options.host("127.0.0.1").port(self.address.port()).to_url_lossy().to_string()
    }

    /// Silences every open connection; new ones work.
    pub(crate) fn silence(&self) {
        self.switches.silent_below.store(self.switches.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Silences new connections as well.
    pub(crate) fn swallow_all(&self) {
        self.silence();
        self.switches.swallow_all.store(true, Ordering::SeqCst);
    }

    /// Lets new connections work again; silent ones stay silent.
    pub(crate) fn heal(&self) {
        self.silence();
        self.switches.swallow_all.store(false, Ordering::SeqCst);
    }
}

async fn carry(client: TcpStream, server: TcpStream, number: u64, switches: Arc<Switches>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asks = async {
        let mut bytes = [0; 8192];
        while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
            if !switches.is_silent(number) && to_server.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    };
    let answers = async {
        let mut bytes = [0; 8192];
        while let Ok(length @ 1..) = from_server.read(&mut bytes).await {
            if !switches.is_silent(number) && to_client.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
        // The end of the server's stream is not forwarded either.
        if switches.is_silent(number) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! { () = asks => {}, () = answers => {} }
}
