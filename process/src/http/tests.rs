use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use tokio::sync::Notify;

use super::*;
use crate::shutdown::Stop;

const LIMITS: Limits = Limits {
    connections: 3,
    head: Duration::from_millis(300),
    request: Duration::from_millis(300),
    write: Duration::from_millis(300),
    stop: Duration::from_millis(300),
};
const SOON: Duration = Duration::from_secs(10);

struct Server {
    address: SocketAddr,
    stop: Stop,
    /// The route `/wait` notifies `begun` when it starts; the test notifies `end` to let it finish.
    begun: Arc<Notify>,
    end: Arc<Notify>,
    serving: tokio::task::JoinHandle<()>,
}

async fn server(limits: Limits) -> Server {
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let waiting = (begun.clone(), end.clone());
    let wait = async move || {
        waiting.0.notify_one();
        waiting.1.notified().await;
        "last"
    };
    let routes = Router::new()
        .route("/wait", get(wait))
        .route("/", get(async || "here\n"))
        .route("/echo", post(async |body: String| body))
        .route("/large", get(async || vec![b'x'; 64 << 20]))
        .route("/never", get(async || std::future::pending::<()>().await));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, shutdown) = Shutdown::by_hand();
    let door = Door { listener, acceptor: None, admitted: Vec::new(), anonymous: true };
    Server { address, stop, begun, end, serving: tokio::spawn(serve_on(door, routes, limits, shutdown)) }
}

impl Server {
    async fn says(&self, words: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        stream.write_all(words.as_bytes()).await.expect("sent");
        stream
    }

    /// Everything that the server sends until it closes the connection.
    async fn answer(&self, words: &str) -> String {
        let mut stream = self.says(words).await;
        until_closed(&mut stream).await
    }

    async fn stops(self) {
        self.stop.now();
        timeout(SOON, self.serving).await.expect("it stops").expect("no panic");
    }
}

async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("it is closed in time");
    // The connection may be reset if the client sent data that was never read.
    read.map_or_else(|_| "reset".to_owned(), |_| String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_its_body_or_its_connection_is_let_go() {
    let server = server(LIMITS).await;
    assert_eq!(server.answer("GET / HTTP/1.1\r\nhost: te").await, "", "a head without an end");
    assert_eq!(server.answer("").await, "", "no word at all");
    let body = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\nbegun";
    assert!(server.answer(body).await.starts_with("HTTP/1.1 408"), "a body without an end");
    let idle = server.answer("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(idle.ends_with("here\n"), "answered, and closed when nothing follows: {idle}");
    assert!(server.answer("GET /never HTTP/1.1\r\nhost: test\r\n\r\n").await.starts_with("HTTP/1.1 408"));
    server.stops().await;
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_let_go() {
    let server = server(Limits { connections: 1, ..LIMITS }).await;
    let _takes_nothing = server.says("GET /large HTTP/1.1\r\nhost: test\r\n\r\n").await;
    // There is only one place, and it is needed.
    let next = server.answer("GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    assert!(next.ends_with("here\n"), "{next}");
    server.stops().await;
}

#[tokio::test]
async fn neither_idle_nor_slow_clients_hold_a_stop_up() {
    let patient = Duration::from_secs(600);
    let limits = Limits { head: patient, request: patient, write: patient, ..LIMITS };
    let server = server(limits).await;
    let mut idle = server.says("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.expect("answered");
    let _head = server.says("GET / HTTP/1.1\r\nhost: te").await;
    let _under_way = server.says("GET /never HTTP/1.1\r\nhost: test\r\n\r\n").await;
    server.stops().await;
    until_closed(&mut idle).await;
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_stop() {
    let server = server(Limits { stop: SOON, request: SOON, head: SOON, ..LIMITS }).await;
    let mut slow = server.says("GET /wait HTTP/1.1\r\nhost: test\r\n\r\n").await;
    timeout(SOON, server.begun.notified()).await.expect("it begins");
    server.stop.now();
    server.end.notify_one();
    assert!(until_closed(&mut slow).await.ends_with("last"));
    server.stops().await;
}
