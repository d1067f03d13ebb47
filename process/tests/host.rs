//! A program in a process that already has its own logs and metrics: it uses the host's, and nothing fails. A separate
//! test binary, because both are global to the process.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusBuilder;
use process::{
    config::Http,
    health::Health,
    ops::{self, Routes},
    shutdown::Shutdown,
    telemetry,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use transport::Transport;

/// The host's log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panicked").clone()).expect("a log is text")
    }
}

#[tokio::test]
async fn a_hosts_own_log_and_recorder_are_used() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
    let recorder = PrometheusBuilder::new().build_recorder();
    let hosts = recorder.handle();
    metrics::set_global_recorder(recorder).expect("the host is first");

    let metrics = telemetry::init().expect("nothing stands in the way");
    let again = telemetry::init().expect("a second program in the same process");
    assert_eq!(again.render(), metrics.render());

    let health = Health::default();
    health.watch("relay", Duration::from_secs(1)).round();
    let http_addr = "127.0.0.1:0".parse().expect("an address");
    let http = Http { http_addr, ops_addr: None, http_clients: Vec::new(), ops_clients: Vec::new() };
    let (stop, shutdown) = Shutdown::by_hand();
    let serving = tokio::spawn(async move {
        let routes = Routes { operations: ops::routes(health, metrics, &Transport::plain()), ..Routes::default() };
        ops::serve(&http, &Transport::plain(), routes, shutdown).await
    });

    let told = tokio::time::timeout(Duration::from_secs(30), served_at(&log)).await;
    let answer = get(told.expect("our lines are in the host's log"), "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("# HELP metrics_recorded_by_the_host The process had a recorder"), "{answer}");
    assert!(answer.contains("metrics_recorded_by_the_host 1") && !answer.contains("loop_last"), "{answer}");
    let recorded = hosts.render();
    assert!(recorded.contains("loop_last_progress_seconds{loop=\"relay\"}"), "{recorded}");

    stop.now();
    serving.await.expect("no panic").expect("stopped in order");
}

/// Address from the host's log at which the program serves HTTP.
async fn served_at(log: &Log) -> SocketAddr {
    loop {
        let text = log.text();
        let line = text.lines().find(|line| line.contains("serving HTTP"));
        if let Some((_, address)) = line.and_then(|line| line.split_once("address=")) {
            return address.trim().parse().expect("an address");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}
