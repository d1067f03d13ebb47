//! The proxy that chaos puts between programs and servers: both ends see each fault as on a real network.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

use std::{io::ErrorKind, time::Duration};

use scenarios::stack::{Mode, Proxy, Side};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

const BOUND: Duration = Duration::from_secs(10);
/// Anything that has not arrived by then will not arrive.
const QUIET: Duration = Duration::from_millis(150);

/// A server that passes each accepted connection to the test.
struct Server {
    port: u16,
    accepted: mpsc::Receiver<TcpStream>,
}

async fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, accepted) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if tell.send(stream).await.is_err() {
                return;
            }
        }
    });
    Server { port, accepted }
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap()
}

/// A client and the server's end of its connection.
async fn pair(proxy: &Proxy, server: &mut Server) -> (TcpStream, TcpStream) {
    let client = connect(proxy).await;
    let peer = tokio::time::timeout(BOUND, server.accepted.recv()).await.unwrap().unwrap();
    (client, peer)
}

async fn hears(stream: &mut TcpStream, expected: &[u8]) {
    let mut heard = vec![0; expected.len()];
    tokio::time::timeout(BOUND, stream.read_exact(&mut heard)).await.expect("heard within the bound").unwrap();
    assert_eq!(heard, expected);
}

async fn hears_nothing(stream: &mut TcpStream) {
    let mut byte = [0];
    let read = tokio::time::timeout(QUIET, stream.read(&mut byte)).await;
    assert!(read.is_err(), "{read:?}");
}

async fn is_reset(stream: &mut TcpStream) {
    let mut byte = [0];
    let read = tokio::time::timeout(BOUND, stream.read(&mut byte)).await.expect("an end within the bound");
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn what_passes_passes_both_ways_and_so_does_the_end() {
    let mut server = server().await;
    let proxy = Proxy::start(server.port).await.unwrap();
    let (mut client, mut peer) = pair(&proxy, &mut server).await;
    client.write_all(b"question").await.unwrap();
    hears(&mut peer, b"question").await;
    client.shutdown().await.unwrap();
    assert_eq!(peer.read(&mut [0]).await.unwrap(), 0, "one end is closed");
    peer.write_all(b"answer").await.unwrap();
    hears(&mut client, b"answer").await;
}

#[tokio::test]
async fn a_silent_line_swallows_and_stays_silent_and_an_idle_one_goes_on() {
    let mut server = server().await;
    let proxy = Proxy::start(server.port).await.unwrap();
    let (mut talking, mut its_peer) = pair(&proxy, &mut server).await;
    let (mut idle, mut idle_peer) = pair(&proxy, &mut server).await;
    proxy.set(Mode::Silent(Side::Both));
    talking.write_all(b"lost").await.unwrap();
    hears_nothing(&mut its_peer).await;
    let mut late = connect(&proxy).await;
    late.write_all(b"lost too").await.unwrap();
    hears_nothing(&mut late).await;
    proxy.set(Mode::Pass);
    talking.write_all(b"after a gap").await.unwrap();
    hears_nothing(&mut its_peer).await;
    idle.write_all(b"nothing was lost here").await.unwrap();
    hears(&mut idle_peer, b"nothing was lost here").await;
    assert!(server.accepted.try_recv().is_err(), "the server never heard of the connection that was made meanwhile");
}

#[tokio::test]
async fn answers_alone_can_be_lost() {
    let mut server = server().await;
    let proxy = Proxy::start(server.port).await.unwrap();
    let (mut client, mut peer) = pair(&proxy, &mut server).await;
    proxy.set(Mode::Silent(Side::Answers));
    client.write_all(b"do it").await.unwrap();
    hears(&mut peer, b"do it").await;
    peer.write_all(b"done").await.unwrap();
    hears_nothing(&mut client).await;
}

#[tokio::test]
async fn a_cut_line_is_reset_and_the_port_answers_again_afterwards() {
    let mut server = server().await;
    let proxy = Proxy::start(server.port).await.unwrap();
    for mode in [Mode::Reset, Mode::Refuse] {
        let (mut client, mut peer) = pair(&proxy, &mut server).await;
        proxy.set(mode);
        is_reset(&mut client).await;
        is_reset(&mut peer).await;
        let again = TcpStream::connect(("127.0.0.1", proxy.port())).await;
        match mode {
            Mode::Refuse => assert_eq!(again.unwrap_err().kind(), ErrorKind::ConnectionRefused),
            _ => is_reset(&mut again.unwrap()).await,
        }
        proxy.set(Mode::Pass);
        let passes = async || TcpStream::connect(("127.0.0.1", proxy.port())).await.ok();
        let mut client = scenarios::stack::until("the proxy listens again", BOUND, passes).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        let mut peer = tokio::time::timeout(BOUND, server.accepted.recv()).await.unwrap().unwrap();
        hears(&mut peer, b"hello").await;
    }
}

#[tokio::test]
async fn a_stranded_program_may_die_and_the_server_keeps_its_session() {
    let mut server = server().await;
    let proxy = Proxy::start(server.port).await.unwrap();
    let (client, mut peer) = pair(&proxy, &mut server).await;
    proxy.strand();
    drop(client);
    hears_nothing(&mut peer).await;
    let (mut successor, mut its_peer) = pair(&proxy, &mut server).await;
    successor.write_all(b"me").await.unwrap();
    hears(&mut its_peer, b"me").await;
}

#[tokio::test]
async fn the_trap_strands_the_connection_that_commits_and_no_other() {
    let mut server = server().await;
    let proxy = Proxy::start(server.port).await.unwrap();
    let (mut reader, mut reader_peer) = pair(&proxy, &mut server).await;
    let (mut writer, mut writer_peer) = pair(&proxy, &mut server).await;
    let caught = async {
        // Before the trap is armed, a commit passes.
        writer.write_all(b"insert").await.unwrap();
        hears(&mut writer_peer, b"insert").await;
        tokio::task::yield_now().await;
        writer.write_all(b"Q\0\0\0\x0bCOMMIT\0").await.unwrap();
        reader.write_all(b"select").await.unwrap();
        hears(&mut reader_peer, b"select").await;
    };
    let (sprung, ()) = tokio::join!(proxy.strand_at_commit(BOUND), caught);
    sprung.unwrap();
    hears_nothing(&mut writer_peer).await;
    assert!(proxy.strand_at_commit(QUIET).await.is_err(), "nobody commits");
    let (mut writer, mut writer_peer) = pair(&proxy, &mut server).await;
    writer.write_all(b"COMMIT").await.unwrap();
    hears(&mut writer_peer, b"COMMIT").await;
}

#[tokio::test]
async fn a_server_that_is_away_breaks_the_line() {
    let mut server = server().await;
    let proxy = Proxy::start(server.port).await.unwrap();
    let (mut client, peer) = pair(&proxy, &mut server).await;
    drop(peer);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let proxy = Proxy::start(nobody).await.unwrap();
    is_reset(&mut connect(&proxy).await).await;
}
