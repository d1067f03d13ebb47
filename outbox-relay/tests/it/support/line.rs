//! A connection to the database that can fall silent: it stays open and takes every byte, but returns none.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Connections are numbered in the order in which they are accepted; those below a number are silent.
#[derive(Default)]
struct Switches {
    accepted: AtomicU64,
    silent_below: AtomicU64,
}

pub(crate) struct Line {
    port: u16,
    switches: Arc<Switches>,
}

impl Line {
    pub(crate) async fn to(options: &PgConnectOptions) -> Self {
        let server = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Line { port: listener.local_addr().unwrap().port(), switches: Arc::default() };
        let switches = Arc::clone(&line.switches);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = switches.accepted.fetch_add(1, Ordering::SeqCst);
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = TcpStream::connect(&server).await.unwrap().into_split();
                tokio::spawn(carry(from_client, to_server, number, Arc::clone(&switches)));
                tokio::spawn(carry(from_server, to_client, number, Arc::clone(&switches)));
            }
        });
        line
    }

    /// The same database over this line.
    pub(crate) fn options(&self, options: &PgConnectOptions) -> PgConnectOptions {
        options.clone().host("127.0.0.1").port(self.port)
    }

    /// Silences every open connection; new ones work.
    pub(crate) fn silence(&self) {
        self.switches.silent_below.store(self.switches.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Silences every connection, open or new.
    pub(crate) fn silence_for_good(&self) {
        self.switches.silent_below.store(u64::MAX, Ordering::SeqCst);
    }
}

/// Forwards bytes, and discards them once the connection is silent.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, number: u64, switches: Arc<Switches>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let is_silent = number < switches.silent_below.load(Ordering::SeqCst);
        if !is_silent && to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
    if number < switches.silent_below.load(Ordering::SeqCst) {
        // The other side does not notice the end either.
        std::future::pending::<()>().await;
    }
}
