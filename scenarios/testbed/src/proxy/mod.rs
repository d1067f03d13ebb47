//! A TCP proxy that stands between a program and a server, and what can go wrong on the way.
//!
//! A proxy knows nothing of what it carries, but for one thing: it can wait for a `COMMIT` and strand that connection, which
//! is how a program is caught in the middle of a transaction.

mod line;
mod pump;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use self::{
    line::{Control, Line, Shared},
    pump::{Direction, End},
};
use super::ports;

/// How a proxy treats what passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Everything is forwarded.
    #[default]
    Pass,
    /// Bytes are swallowed and connections stay open. A connection that has lost bytes stays silent for good; one that had
    /// nothing to say meanwhile goes on afterwards.
    Silent(Side),
    /// Open connections are reset, new ones as soon as they have been accepted.
    Reset,
    /// Open connections are reset, and nobody listens.
    Refuse,
    /// Each piece is forwarded after this delay.
    Slow(Duration),
}

/// The direction that a fault concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Both,
    /// Only what the server says is lost: the program's commands are carried out.
    Answers,
}

/// A running proxy. Gone, with all its connections, when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    control: watch::Sender<Control>,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of the loopback address and forwards to `target` there.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(target: u16) -> anyhow::Result<Self> {
        let port = ports::free()?;
        let listener = listen(port).await?;
        let (control, controlled) = watch::channel(Control::default());
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn(accept(port, listener, target, controlled, shared.clone()));
        Ok(Proxy { port, control, shared, accepting })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set(&self, mode: Mode) {
        self.control.send_modify(|control| control.mode = mode);
    }

    /// Lets every open connection fall silent for good; new ones pass. Neither end hears that the other has gone, so a
    /// server keeps the sessions of a program that has died: what a failover or a lost host looks like.
    pub fn strand(&self) {
        self.control.send_modify(|control| control.stranded_below = self.shared.opened());
    }

    /// Strands the next connection on which a program says `COMMIT`, before the server hears it.
    ///
    /// # Errors
    /// If none does within `bound`; then none is stranded later either.
    pub async fn strand_at_commit(&self, bound: Duration) -> anyhow::Result<()> {
        let trap = &self.shared.trap;
        trap.arm();
        if tokio::time::timeout(bound, trap.sprung()).await.is_err() {
            anyhow::ensure!(!trap.disarm(), "nobody committed within {} s", bound.as_secs());
            // In the last moment somebody did; it may also be that another trap on this line was told.
            let told = tokio::time::timeout(bound, trap.sprung()).await;
            anyhow::ensure!(told.is_ok(), "somebody committed, but into another trap");
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    bound.with_context(|| format!("a proxy listens on port {port}"))
}

async fn accept(
    port: u16,
    first: TcpListener,
    target: u16,
    mut control: watch::Receiver<Control>,
    shared: Arc<Shared>,
) {
    let mut lines = JoinSet::new();
    let mut listener = Some(first);
    loop {
        let mode = control.borrow_and_update().mode;
        if mode == Mode::Refuse {
            listener = None;
        } else if listener.is_none() {
            // Another socket may have the port for a moment; a client that is refused asks again.
            listener = listen(port).await.ok();
        }
        tokio::select! {
            changed = control.changed() => if changed.is_err() { return },
            Some(accepted) = accepted(listener.as_ref()) => {
                let line = Line::open(control.clone(), shared.clone());
                lines.spawn(carry(accepted, target, line));
            }
            Some(_) = lines.join_next() => {}
            () = tokio::time::sleep(Duration::from_millis(20)), if listener.is_none() && mode != Mode::Refuse => {}
        }
    }
}

async fn accepted(listener: Option<&TcpListener>) -> Option<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.ok().map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn carry(mut client: TcpStream, target: u16, line: Line) {
    if line.is_cut() {
        reset(&client);
        return;
    }
    if line.is_silent(Direction::Up) {
        // The server never hears of it.
        line.cut().await;
        return;
    }
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return reset(&client) };
    // Small pieces and answers to them: waiting for more would cost each of them 40 ms.
    let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
    let ends = tokio::select! {
        ends = pump::both(&mut client, &mut server, &line) => ends,
        () = line.cut() => End::Broken,
    };
    if ends == End::Broken {
        reset(&client);
        reset(&server);
    }
}

/// Lets the peer see a reset when the stream is dropped, rather than an orderly end.
fn reset(stream: &TcpStream) {
    // An error means that it has gone already: just as well.
    let _ = stream.set_zero_linger();
}
