//! A proxy to Kafka that drops one join request or its response, or reports a cluster without brokers.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};

use crate::eventually;

/// API keys of Kafka's protocol.
const METADATA: [u8; 2] = [0, 3];
const JOIN_GROUP: [u8; 2] = [0, 11];

/// What happens to the connection on which the next member asks to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The request never reaches the broker.
    Request,
    /// The broker has a member that never gets its response.
    Answer,
    /// Nothing: the cluster is [without brokers](BrokerLine::without_brokers) for a while.
    Nothing,
}

/// The connection stays open and accepts every byte, but nothing comes back.
pub(crate) struct BrokerLine {
    port: u16,
    trap: Arc<Trap>,
    cut: Arc<Notify>,
}

struct Trap {
    lost: Lost,
    armed: AtomicBool,
    /// All clients are told that there are no brokers; one that asked for topics has received that answer.
    hides_brokers: AtomicBool,
    brokerless: AtomicBool,
    connections: AtomicUsize,
}

/// A disconnected client reconnects within this time, if at all.
const QUIET: Duration = Duration::from_secs(3);

impl BrokerLine {
    /// The trap is armed for the first client that asks.
    pub(crate) async fn to(broker: &str, lost: Lost) -> Self {
        let (host, server_port) = broker.rsplit_once(':').expect("an address");
        let (host, server_port) = (host.to_owned(), server_port.parse::<u16>().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let trap = Arc::new(Trap {
            lost,
            armed: AtomicBool::new(lost != Lost::Nothing),
            hides_brokers: AtomicBool::default(),
            brokerless: AtomicBool::default(),
            connections: AtomicUsize::default(),
        });
        let line = BrokerLine { port, trap: trap.clone(), cut: Arc::default() };
        let cut = line.cut.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((host.as_str(), server_port)).await.expect("Kafka is there");
                let told = Told { host: host.clone(), from: server_port, to: port };
                let (trap, cut) = (trap.clone(), cut.clone());
                tokio::spawn(async move {
                    trap.connections.fetch_add(1, Ordering::SeqCst);
                    tokio::select! { () = carry(client, server, told, &trap) => {}, () = cut.notified() => {} }
                    trap.connections.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        line
    }

    /// Cuts all connections and reports no brokers until no client asks any more, as a cluster does whose controller
    /// takes all of its brokers for dead.
    pub(crate) async fn without_brokers(&self) {
        self.trap.hides_brokers.store(true, Ordering::SeqCst);
        self.cut.notify_waiters();
        let asked = Mutex::new(Instant::now());
        let nobody_asks = async || {
            let mut asked = asked.lock().expect("nobody panicked");
            let has_heard = self.trap.brokerless.load(Ordering::SeqCst);
            if !has_heard || self.trap.connections.load(Ordering::SeqCst) > 0 {
                *asked = Instant::now();
            }
            (asked.elapsed() > QUIET).then_some(())
        };
        eventually("nobody asks a cluster without brokers", nobody_asks).await;
        self.trap.hides_brokers.store(false, Ordering::SeqCst);
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns whether a client has asked to join in vain.
    pub(crate) fn has_caught(&self) -> bool {
        !self.trap.armed.load(Ordering::SeqCst)
    }
}

/// The broker's real address and the advertised one: every client connects through this proxy.
struct Told {
    host: String,
    from: u16,
    to: u16,
}

impl Told {
    /// Host and port are adjacent wherever a response names a broker.
    fn over_the_line(&self, answer: &mut [u8]) {
        let address = |port: u16| [self.host.as_bytes(), &u32::from(port).to_be_bytes()].concat();
        let (from, to) = (address(self.from), address(self.to));
        let found = |answer: &[u8]| answer.windows(from.len()).position(|bytes| bytes == from);
        let mut begin = 0;
        while let Some(at) = found(&answer[begin..]) {
            answer[begin + at..][..to.len()].copy_from_slice(&to);
            begin += at + to.len();
        }
    }
}

async fn carry(client: TcpStream, server: TcpStream, told: Told, trap: &Trap) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let caught = AtomicBool::new(false);
    let metadata = Mutex::new(HashSet::new());
    let asks = async {
        while let Some(request) = frame(&mut from_client).await {
            if request[4..].starts_with(&METADATA) {
                metadata.lock().expect("nobody panicked").insert(request[8..12].to_vec());
            }
            if request[4..].starts_with(&JOIN_GROUP) && trap.armed.swap(false, Ordering::SeqCst) {
                caught.store(true, Ordering::SeqCst);
            }
            if trap.lost == Lost::Answer || !caught.load(Ordering::SeqCst) {
                write(&mut to_server, &request).await?;
            }
        }
        None::<()>
    };
    let answers = async {
        while let Some(mut answer) = frame(&mut from_server).await {
            told.over_the_line(&mut answer);
            let is_metadata = metadata.lock().expect("nobody panicked").remove(&answer[4..8]);
            if is_metadata && trap.hides_brokers.load(Ordering::SeqCst) {
                let has_topics = without_brokers(&mut answer);
                trap.brokerless.fetch_or(has_topics, Ordering::SeqCst);
            }
            if !caught.load(Ordering::SeqCst) {
                write(&mut to_client, &answer).await?;
            }
        }
        // The end of the broker's stream is not forwarded either.
        if caught.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        None::<()>
    };
    tokio::select! { _ = asks => {}, _ = answers => {} }
}

/// Removes the brokers from a metadata response, version 9 or later: lengths are then one byte while they are small, and
/// one more than they state. Returns whether the response has topics.
fn without_brokers(answer: &mut Vec<u8>) -> bool {
    // Length, correlation id, no tags, throttle time.
    let brokers = 4 + 4 + 1 + 4;
    let mut at = brokers + 1;
    for _ in 1..answer[brokers] {
        let host = usize::from(answer[at + 4]) - 1;
        at += 4 + 1 + host + 4;
        let rack = usize::from(answer[at]).saturating_sub(1);
        at += 1 + rack + 1;
    }
    answer.splice(brokers..at, [1]);
    let length = u32::try_from(answer.len() - 4).expect("a short answer");
    answer[..4].copy_from_slice(&length.to_be_bytes());
    // Cluster id, controller, topics.
    let name = usize::from(answer[brokers + 1]).saturating_sub(1);
    answer[brokers + 1 + 1 + name + 4] > 1
}

/// One request or response with its length prefix; `None` at the end of the connection.
async fn frame(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let length = from.read_u32().await.ok()?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.resize(4 + length as usize, 0);
    from.read_exact(&mut bytes[4..]).await.ok()?;
    Some(bytes)
}

async fn write(to: &mut OwnedWriteHalf, bytes: &[u8]) -> Option<()> {
    to.write_all(bytes).await.ok()
}
