//! The accept loop: connections in, bounded in number and patience, and an orderly end.
//!
//! `axum::serve` sets no timer, so that a client which never finishes its request's head would
//! hold a connection for ever; hence our own loop.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// How the listener treats connections.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Connections at once; further ones wait in the system's backlog.
    pub connections_max: usize,
    /// How long a request's head may take, and how long a connection may be idle.
    pub header_timeout: Duration,
    /// How long the end waits for requests under way.
    pub shutdown_timeout: Duration,
}

/// The certificate in use, replaced on reload; none for plain HTTP.
pub type CurrentTls = Arc<ArcSwapOption<ServerConfig>>;

/// Where a request comes from: it is among the extensions of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Pause after an error of `accept` (usually: no file descriptors left), so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Concurrent HTTP/2 requests on one connection.
const STREAMS_MAX: u32 = 128;

/// Serves until `stop` turns true; then waits for requests under way, and gives how many
/// connections were cut off because they did not end in time.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: CurrentTls,
    options: ListenOptions,
    mut stop: watch::Receiver<bool>,
) -> usize {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(options.connections_max));
    let builder = Arc::new(connection_builder(options.header_timeout));
    let stopped = async move {
        // A sender that is gone means the same as a stop.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    tokio::pin!(stopped);
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = &mut stopped => break,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are often one small write: do not wait for more of them.
        let _ = stream.set_nodelay(true);
        let peer = Peer(peer.ip());
        let service = router.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request
        });
        let service = TowerToHyperService::new(service);
        let watcher = graceful.watcher();
        let builder = Arc::clone(&builder);
        let acceptor = tls.load_full().map(TlsAcceptor::from);
        let patience = options.header_timeout.min(HANDSHAKE);
        tokio::spawn(async move {
            let _place = place;
            if let Some(io) = secure(stream, acceptor, patience).await {
                let io = TokioIo::new(io);
                // With upgrades: a WebSocket begins as a request.
                let connection = builder.serve_connection_with_upgrades(io, service).into_owned();
                // A connection that breaks off is the client's affair.
                if let Err(error) = watcher.watch(connection).await {
                    tracing::debug!(%error, "a connection broke off");
                }
            }
        });
    }
    drop(listener);
    let open = graceful.count();
    match tokio::time::timeout(options.shutdown_timeout, graceful.shutdown()).await {
        Ok(()) => 0,
        Err(_) => open,
    }
}

fn connection_builder(header_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    builder
}

/// A stream of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn secure(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    patience: Duration,
) -> Option<Box<dyn Stream>> {
    let Some(acceptor) = acceptor else { return Some(Box::new(stream)) };
    match tokio::time::timeout(patience, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(Box::new(stream)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn start(
        options: ListenOptions,
    ) -> (std::net::SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().route("/", get(|| async { "hello" }));
        let tls = CurrentTls::default();
        let serving = tokio::spawn(serve(listener, router, tls, options, stopped));
        (address, stop, serving)
    }

    fn options() -> ListenOptions {
        ListenOptions {
            connections_max: 1,
            header_timeout: Duration::from_millis(200),
            shutdown_timeout: Duration::from_secs(5),
        }
    }

    #[tokio::test]
    async fn a_client_that_never_ends_its_head_is_cut_off_and_gives_its_place_to_the_next() {
        let (address, stop, serving) = start(options()).await;
        let mut slow = TcpStream::connect(address).await.expect("connected");
        slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.expect("sent");
        let mut next = TcpStream::connect(address).await.expect("connected");
        next.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .expect("sent");
        let mut answer = String::new();
        next.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.ends_with("hello"), "{answer}");
        stop.send(true).expect("listening");
        assert_eq!(serving.await.expect("ends"), 0);
    }

    #[tokio::test]
    async fn a_stop_closes_idle_connections_at_once() {
        let (address, stop, serving) = start(options()).await;
        let mut idle = TcpStream::connect(address).await.expect("connected");
        idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        let mut buffer = [0; 256];
        assert!(idle.read(&mut buffer).await.expect("answered") > 0);
        stop.send(true).expect("listening");
        assert_eq!(serving.await.expect("ends"), 0);
    }
}
