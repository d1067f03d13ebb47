//! A line to Kafka on which one question to join a group is never answered.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Number of the request in Kafka's protocol.
const JOIN_GROUP: [u8; 2] = [0, 11];

/// What becomes of the connection on which the next member asks to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The broker never hears of it.
    Request,
    /// The broker has a member that never hears of it.
    Answer,
}

/// It stays open, takes every byte, and nothing comes back.
pub(crate) struct BrokerLine {
    port: u16,
    trap: Arc<Trap>,
}

struct Trap {
    lost: Lost,
    armed: AtomicBool,
}

impl BrokerLine {
    /// The trap is armed for the first that asks.
    pub(crate) async fn to(broker: &str, lost: Lost) -> Self {
        let (host, server_port) = broker.rsplit_once(':').expect("an address");
        let (host, server_port) = (host.to_owned(), server_port.parse::<u16>().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let trap = Arc::new(Trap { lost, armed: AtomicBool::new(true) });
        let line = BrokerLine { port, trap: trap.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((host.as_str(), server_port)).await.expect("Kafka is there");
                let told = Told { host: host.clone(), from: server_port, to: port };
                tokio::spawn(carry(client, server, told, trap.clone()));
            }
        });
        line
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Tells whether somebody has asked to join in vain.
    pub(crate) fn has_caught(&self) -> bool {
        !self.trap.armed.load(Ordering::SeqCst)
    }
}

/// Where the broker says that it is, and where it is said to be: everybody comes over this line.
struct Told {
    host: String,
    from: u16,
    to: u16,
}

impl Told {
    /// Host and port stand beside each other wherever an answer names a broker.
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

async fn carry(client: TcpStream, server: TcpStream, told: Told, trap: Arc<Trap>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let caught = AtomicBool::new(false);
    let asks = async {
        while let Some(request) = frame(&mut from_client).await {
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
            if !caught.load(Ordering::SeqCst) {
                write(&mut to_client, &answer).await?;
            }
        }
        // The broker's end is not passed on either.
        if caught.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        None::<()>
    };
    tokio::select! { _ = asks => {}, _ = answers => {} }
}

/// One request or answer with its length before it; none at the connection's end.
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
