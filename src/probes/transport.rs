//! Bytes to and from a server, encrypted or not, with errors that say who failed.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::attempt::Attempt;
use super::target::HostPort;

/// Either end of a connection.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// An open connection to a server.
pub(super) struct Transport {
    stream: Box<dyn Duplex>,
    target: HostPort,
}

impl Transport {
    pub(super) fn new(stream: impl Duplex + 'static, target: &HostPort) -> Self {
        Transport { stream: Box::new(stream), target: target.clone() }
    }

    /// Sends all of it.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| format!("the connection broke while it was told: {error}"))
    }

    /// Reads exactly so many bytes.
    pub(super) async fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        match self.stream.read_exact(bytes).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err("it hung up in the middle of the conversation".to_owned())
            }
            Err(error) => Err(format!("the connection broke while it answered: {error}")),
        }
    }

    /// Reads the next `N` bytes.
    pub(super) async fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.fill(&mut bytes).await?;
        Ok(bytes)
    }

    /// Reads `length` bytes; the caller has checked that they are not too many.
    pub(super) async fn bytes(&mut self, length: usize) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes).await?;
        Ok(bytes)
    }

    /// Reads what is there, at least a byte, up to 8 KiB, and appends it.
    pub(super) async fn some(&mut self, into: &mut Vec<u8>) -> Result<(), String> {
        let mut bytes = [0; 8 << 10];
        match self.stream.read(&mut bytes).await {
            Ok(0) => Err("it hung up in the middle of the conversation".to_owned()),
            Ok(length) => {
                into.extend_from_slice(&bytes[..length]);
                Ok(())
            }
            Err(error) => Err(format!("the connection broke while it answered: {error}")),
        }
    }

    /// The stream itself, to be encrypted.
    pub(super) fn into_stream(self) -> Box<dyn Duplex> {
        self.stream
    }

    /// Puts before an error whose it is.
    pub(super) fn blame(&self, error: String) -> String {
        format!("{}: {error}", self.target)
    }
}

/// Takes secrets out of all that people will see: a server may repeat what it was told.
pub(super) fn conceal(
    attempt: &mut Attempt,
    outcome: Result<(), String>,
    secrets: &[&str],
) -> Result<(), String> {
    let secrets: Vec<&str> = secrets.iter().copied().filter(|secret| !secret.is_empty()).collect();
    let clean = |text: &mut String| {
        for secret in &secrets {
            if text.contains(secret) {
                *text = text.replace(secret, crate::trust::HIDDEN);
            }
        }
    };
    for value in attempt.seen.metadata.values_mut() {
        clean_json(value, &clean);
    }
    // The body is judged: something as short as a digit is more likely an answer than a secret.
    const BODY_SECRET_BYTES_MIN: usize = 4;
    for secret in secrets.iter().filter(|secret| secret.len() >= BODY_SECRET_BYTES_MIN) {
        let body = &attempt.seen.body;
        let mut clean = Vec::new();
        let mut from = 0;
        for at in memchr::memmem::find_iter(body, secret.as_bytes()) {
            clean.extend_from_slice(&body[from..at]);
            clean.extend_from_slice(crate::trust::HIDDEN.as_bytes());
            from = at + secret.len();
        }
        if from > 0 {
            clean.extend_from_slice(&body[from..]);
            attempt.seen.body = clean;
        }
    }
    outcome.map_err(|mut error| {
        clean(&mut error);
        error
    })
}

fn clean_json(value: &mut serde_json::Value, clean: &dyn Fn(&mut String)) {
    use serde_json::Value;
    match value {
        Value::String(text) => clean(text),
        Value::Array(items) => items.iter_mut().for_each(|item| clean_json(item, clean)),
        Value::Object(fields) => fields.values_mut().for_each(|field| clean_json(field, clean)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
