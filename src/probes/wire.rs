//! One HTTP connection for one request, of version 1.1 or 2.

use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

/// The head of an answer may have so many bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// An HTTP connection. Dropping it closes the connection, whatever is still under way.
pub(super) struct Wire {
    sender: Sender,
    _tasks: Tasks,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Wire {
    /// Begins to speak HTTP over `stream`.
    pub(super) async fn open<S>(stream: S, version_2: bool) -> Result<Wire, hyper::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let tasks = Tasks::default();
        let io = TokioIo::new(stream);
        let sender = if version_2 {
            let mut builder = http2::Builder::new(tasks.spawner());
            builder.max_header_list_size(HEAD_BYTES_MAX as u32);
            let (sender, connection) = builder.handshake(io).await?;
            // Its failure is the request's failure too, and told there.
            tasks.spawn(async move { drop(connection.await) });
            Sender::Http2(sender)
        } else {
            let mut builder = http1::Builder::new();
            builder.max_buf_size(HEAD_BYTES_MAX);
            let (sender, connection) = builder.handshake(io).await?;
            tasks.spawn(async move { drop(connection.await) });
            Sender::Http1(sender)
        };
        Ok(Wire { sender, _tasks: tasks })
    }

    /// Sends the request and waits for the head of the answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

/// What a connection does in the background; it ends with the connection.
#[derive(Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }

    fn spawner(&self) -> Spawner {
        Spawner(Arc::clone(&self.0))
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        // The tasks hold the set themselves, so that it would never be dropped.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

#[derive(Clone)]
struct Spawner(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, task: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }
}

/// An error with all its causes, each once.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
