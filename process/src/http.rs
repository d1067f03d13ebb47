//! HTTP server for clients that may be slow, silent or many: every wait and the number of connections are bounded.

use std::{io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Extension, Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::timeout,
};
use transport::{Acceptor, Peer, Transport};

use crate::{config::Http, shutdown::Shutdown, stalled::Bounded};

/// Bounds of the HTTP server.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Concurrent connections; more wait to be accepted.
    connections: usize,
    /// Time for a request's head, from when the connection starts waiting for it. So an idle connection is closed after
    /// this time too.
    head: Duration,
    /// Time for a request's body and its response together.
    request: Duration,
    /// Time for a client to accept part of the response.
    write: Duration,
    /// Time for requests in progress at a shutdown.
    stop: Duration,
}

const LIMITS: Limits = Limits {
    connections: 512,
    head: Duration::from_secs(10),
    request: Duration::from_secs(15),
    write: Duration::from_secs(10),
    stop: Duration::from_secs(2),
};

/// Pause after a failed accept, which is mostly due to a lack of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A program's routes, by those who may use them.
#[derive(Debug, Default)]
pub struct Routes {
    /// For operators: health, metrics, settings.
    pub operations: Router,
    /// The program's own.
    pub own: Router,
    /// True if its own routes know clients by their tokens, so that clients without a certificate may connect.
    pub tokens: bool,
}

/// A listener and those who may connect to it.
struct Door {
    listener: TcpListener,
    acceptor: Option<Acceptor>,
    /// Names by certificate; empty admits everyone whom the acceptor does.
    admitted: Vec<String>,
    /// Admits clients without a certificate.
    anonymous: bool,
}

/// Serves until shutdown: everything at `HTTP_ADDR`, or operations at `OPS_ADDR` if that is set. Requests in progress then have
/// two seconds to finish.
///
/// Where security is required, operations need `OPS_ADDR`, and are for the programs of `OPS_CLIENTS`, by default `operator` and
/// the program itself, which may ask for its own health. The program's own routes are for those of `HTTP_CLIENTS`, unless they
/// know clients by their tokens.
///
/// # Errors
/// If it cannot listen on an address, or if settings allow too little.
pub async fn serve(http: &Http, transport: &Transport, routes: Routes, shutdown: Shutdown) -> anyhow::Result<()> {
    let Routes { operations, own, tokens } = routes;
    let own_there = own.has_routes();
    let mut operators = http.ops_clients.clone();
    if operators.is_empty() && transport.is_required() {
        operators = ["operator".to_owned()].into_iter().chain(transport.name()).collect();
    }
    let open = async |setting: &str, address: SocketAddr, admitted: Vec<String>, anonymous: bool| {
        let anonymous = anonymous && admitted.is_empty();
        let acceptor = transport.acceptor(anonymous)?;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listening on {setting} {address}; is the port taken?"))?;
        let address = listener.local_addr().unwrap_or(address);
        tracing::info!(tls = acceptor.is_some(), %address, "serving HTTP");
        anyhow::Ok(Door { listener, acceptor, admitted, anonymous })
    };
    match http.ops_addr {
        Some(ops) if own_there => {
            anyhow::ensure!(
                tokens || !transport.is_required() || !http.http_clients.is_empty(),
                "SECURITY=required, and HTTP_CLIENTS is not set: name the programs whose certificates may use this one's own \
                 routes"
            );
            let operations_door = open("OPS_ADDR", ops, operators, false).await?;
            let own_door = open("HTTP_ADDR", http.http_addr, http.http_clients.clone(), tokens).await?;
            tokio::join!(served(operations_door, operations, shutdown.clone()), served(own_door, own, shutdown));
        }
        Some(ops) => served(open("OPS_ADDR", ops, operators, false).await?, operations, shutdown).await,
        None if own_there => {
            anyhow::ensure!(
                !transport.is_required(),
                "SECURITY=required keeps health, metrics and settings apart from the program's own routes: set OPS_ADDR to an \
                 address that only operators reach"
            );
            let door = open("HTTP_ADDR", http.http_addr, http.http_clients.clone(), tokens).await?;
            served(door, operations.merge(own), shutdown).await;
        }
        None => served(open("HTTP_ADDR", http.http_addr, operators, false).await?, operations, shutdown).await,
    }
    Ok(())
}

/// Boxed, so that it is compiled here and not in each program.
fn served(door: Door, routes: Router, shutdown: Shutdown) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(serve_on(door, routes, LIMITS, shutdown))
}

async fn serve_on(door: Door, routes: Router, limits: Limits, shutdown: Shutdown) {
    let routes = routes.layer(from_fn(move |request: Request, next: Next| async move {
        timeout(limits.request, next.run(request)).await.unwrap_or_else(|_| too_slow())
    }));
    let Door { listener, acceptor, admitted, anonymous } = door;
    let entry = Arc::new(Entry { acceptor, admitted, anonymous });
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let (stream, place) = tokio::select! {
            accepted = accept(&listener, &places) => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted; continuing");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
            () = shutdown.requested() => break,
        };
        connections.spawn(converse(stream, place, entry.clone(), routes.clone(), limits, shutdown.clone()));
    }
    // New connections are refused from here on.
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.stop, all).await.is_err() {
        tracing::warn!(connections = connections.len(), "the program stops; aborting the HTTP requests in progress");
    }
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _): (_, SocketAddr) = listener.accept().await?;
    Ok((stream, place))
}

/// The conditions of a listener.
struct Entry {
    acceptor: Option<Acceptor>,
    admitted: Vec<String>,
    anonymous: bool,
}

impl Entry {
    /// The reason why this client is not admitted; None if it is.
    fn objection(&self, peer: Option<&Peer>) -> Option<&'static str> {
        match peer {
            _ if self.acceptor.is_none() => None,
            None => (!self.anonymous).then_some("no certificate"),
            Some(peer) => {
                let listed = self.admitted.is_empty() || self.admitted.contains(&peer.name);
                (!listed).then_some("another program's certificate")
            }
        }
    }
}

/// Serves one connection until it ends. At a shutdown it finishes the current request and begins no other.
async fn converse(
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    entry: Arc<Entry>,
    routes: Router,
    limits: Limits,
    shutdown: Shutdown,
) {
    // Responses are small: waiting for more data would only delay them.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = &entry.acceptor else {
        return answer(TokioIo::new(Bounded::new(stream, limits.write)), routes, limits, shutdown).await;
    };
    let accepted = tokio::select! {
        accepted = acceptor.accept(stream) => accepted,
        () = shutdown.requested() => return,
    };
    let refused = match accepted {
        Ok((stream, peer)) => match entry.objection(peer.as_ref()) {
            None => {
                let routes = routes.layer(Extension(peer));
                return answer(TokioIo::new(Bounded::new(stream, limits.write)), routes, limits, shutdown).await;
            }
            Some(objection) => {
                format!("{objection}{}", peer.map(|peer| format!(": {}", peer.name)).unwrap_or_default())
            }
        },
        Err(error) => error.to_string(),
    };
    metrics::counter!("http_connections_refused_total").increment(1);
    tracing::debug!(reason = refused, "an HTTP connection was refused");
}

async fn answer<S>(stream: TokioIo<Bounded<S>>, routes: Router, limits: Limits, shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(stream, TowerToHyperService::new(routes));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.requested() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended with an error");
    }
}

fn too_slow() -> Response {
    let headers = [
        // The rest of the request is not awaited.
        (header::CONNECTION, HeaderValue::from_static("close")),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
    ];
    let problem = r#"{"type":"about:blank","title":"The request took too long","status":408}"#;
    (StatusCode::REQUEST_TIMEOUT, headers, problem).into_response()
}

#[cfg(test)]
mod tests;
