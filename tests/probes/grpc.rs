//! `grpc` against a health service made with hyper; blackbox_exporter asks it too, see
//! `blackbox.rs`.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;

use super::ask;
use super::peer::serve_tcp;

type Frames =
    StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

/// Serving, unless the service is `down`; nobody knows `nobody`.
async fn answer(
    request: Request<Incoming>,
) -> Result<Response<Either<Frames, Empty<Bytes>>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    let service = String::from_utf8_lossy(body.get(7..).unwrap_or_default()).into_owned();
    let mut frames = Vec::new();
    let mut trailers = HeaderMap::new();
    let (status, message) = match (path.as_str(), service.as_str()) {
        ("/grpc.health.v1.Health/Check", "nobody") => ("5", "unknown service"),
        ("/grpc.health.v1.Health/Check", _) => ("0", ""),
        _ => ("12", "unknown method"),
    };
    trailers.insert("grpc-status", status.parse().expect("a value"));
    trailers.insert("grpc-message", message.parse().expect("a value"));
    let mut response = Response::builder().header("content-type", "application/grpc");
    let body = if status == "0" {
        let serving = if service == "down" { 2 } else { 1 };
        frames.push(Ok(Frame::data(Bytes::from(vec![0, 0, 0, 0, 2, 8, serving]))));
        frames.push(Ok(Frame::trailers(trailers)));
        Either::Left(StreamBody::new(futures_util::stream::iter(frames)))
    } else {
        // "Trailers-Only": the headers end the answer.
        response.headers_mut().expect("good").extend(trailers);
        Either::Right(Empty::new())
    };
    Ok(response.body(body).expect("good"))
}

pub(crate) async fn health_server() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(answer);
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

#[tokio::test]
async fn a_service_says_how_it_is() {
    let address = health_server().await;
    let seen = ask("grpc", &address, json!({})).await;
    assert_eq!((seen.error.as_deref(), seen.status), (None, Some(1)));
    assert_eq!(seen.body, b"SERVING");
    assert!(seen.phases.first_byte_us.expect("answered") <= seen.phases.total_us);
    let seen = ask("grpc", &format!("grpc://{address}"), json!({ "service": "down" })).await;
    assert_eq!((seen.error.as_deref(), seen.status), (None, Some(2)));
    assert_eq!(seen.body, b"NOT_SERVING");
    let seen = ask("grpc", &address, json!({ "service": "nobody" })).await;
    let error = seen.error.expect("unknown");
    assert!(error.contains("knows no service \"nobody\" (NOT_FOUND)"), "{error}");
    assert!(seen.connected && seen.status.is_none());
}

#[tokio::test]
async fn what_is_no_grpc_is_said_to_be_none() {
    let ssh = serve_tcp(b"SSH-2.0-OpenSSH_9\r\n", |_| {});
    let error = ask("grpc", &ssh, json!({})).await.error.expect("no HTTP/2");
    assert!(error.contains("does not answer in gRPC"), "{error}");
    let error = ask("grpc", &ssh, json!({ "tls": {} })).await.error.expect("no TLS");
    assert!(error.contains("does not speak TLS"), "{error}");
    let site = super::peer::Site::start();
    let settings = json!({ "tls": site.certificates.trusted() });
    let error = ask("grpc", &format!("localhost:{}", site.https), settings).await.error;
    let error = error.expect("a web server");
    assert!(error.contains("HTTP status 404: is it a gRPC server?"), "{error}");
}
