//! A TCP proxy between a program and a server, with fault injection.
//!
//! A proxy ignores the content, with one exception: it can wait for a `COMMIT` and strand that connection, which catches a
//! program in the middle of a transaction.

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

/// A proxy's treatment of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Everything is forwarded.
    #[default]
    Pass,
    /// Bytes are dropped and connections stay open. A connection that has lost bytes stays silent forever; one that was idle
    /// meanwhile continues afterwards.
    Silent(Side),
    /// Open connections are reset, and new ones as soon as they are accepted.
    Reset,
    /// Open connections are reset, and nothing listens.
    Refuse,
    /// Each chunk is forwarded after this delay.
    Slow(Duration),
}

/// Direction of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Both,
    /// Only the server's answers are lost: the program's commands are carried out.
    Answers,
}

/// A running proxy. Stops and closes all its connections when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    control: watch::Sender<Control>,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of the loopback address and forwards to `target` on the same address.
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

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set(&self, mode: Mode) {
        self.control.send_modify(|control| control.mode = mode);
    }

    /// Silences every open connection forever; new ones work. Neither end learns that the other is gone, so the server keeps the
    /// sessions of a dead program, as after a failover or the loss of a host.
    pub fn strand(&self) {
        self.control.send_modify(|control| control.stranded_below = self.shared.opened());
    }

    /// Strands the next connection on which a program sends `COMMIT`, before the server receives it.
    ///
    /// # Errors
    /// If none does within `bound`; then none is stranded later either.
    pub async fn strand_at_commit(&self, bound: Duration) -> anyhow::Result<()> {
        let trap = &self.shared.trap;
        trap.arm();
        if tokio::time::timeout(bound, trap.sprung()).await.is_err() {
            anyhow::ensure!(!trap.disarm(), "no program committed within {} s", bound.as_secs());
            // A program committed at the last moment, or another trap on this proxy was triggered.
            let told = tokio::time::timeout(bound, trap.sprung()).await;
            anyhow::ensure!(told.is_ok(), "a program committed, but triggered another trap");
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
            // Another socket may hold the port for a moment; a refused client retries.
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
        // The server never learns of this connection.
        line.cut().await;
        return;
    }
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return reset(&client) };
    // Small chunks with answers: Nagle's algorithm would delay each by 40 ms.
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

/// Makes the peer see a reset rather than an orderly end when the stream is dropped.
fn reset(stream: &TcpStream) {
    // An error means that the stream is already gone.
    let _ = stream.set_zero_linger();
}
