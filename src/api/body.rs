//! Reads request bodies, bounded in size and time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::mpsc;

use super::{ApiError, ErrorKind};

/// An answer that is sent piece by piece as somebody else makes it.
pub(super) fn streamed<P, E>(
    mut pieces: mpsc::Receiver<P>,
    piece: fn(P) -> Result<Bytes, E>,
) -> Body
where
    P: Send + 'static,
    E: Into<axum::BoxError> + 'static,
{
    // A receiver may be asked again after its end, and compression does ask.
    let pieces = futures_util::stream::poll_fn(move |context| {
        pieces.poll_recv(context).map(|next| next.map(piece))
    });
    Body::from_stream(pieces)
}

/// Reads a whole body of at most `bytes_max`, within `timeout`. A declared length beyond the
/// limit is refused before anything is read.
pub(super) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    timeout: Duration,
) -> Result<Bytes, ApiError> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    if declared.is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    match tokio::time::timeout(timeout, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(bytes_max)),
        Ok(Err(error)) => Err(ApiError::bad_data(format!("cannot read the request body: {error}"))),
        Err(_) => Err(ApiError::bad_data(format!(
            "the request body did not arrive within {} s (server.body_timeout)",
            timeout.as_secs_f64()
        ))),
    }
}

fn too_large(bytes_max: usize) -> ApiError {
    ApiError::new(
        ErrorKind::TooLarge,
        format!(
            "the request body is larger than {bytes_max} bytes (limits.body_bytes_max); \
             send smaller batches or raise the limit"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(body: &'static str, bytes_max: usize) -> Result<Bytes, ErrorKind> {
        read_body(&HeaderMap::new(), Body::from(body), bytes_max, Duration::from_secs(5))
            .await
            .map_err(|error| error.kind)
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read_and_one_byte_more_is_refused() {
        assert_eq!(read("12345", 5).await, Ok(Bytes::from_static(b"12345")));
        assert_eq!(read("123456", 5).await, Err(ErrorKind::TooLarge));
    }

    #[tokio::test]
    async fn a_declared_length_beyond_the_limit_is_refused_unread() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, "6".parse().expect("a value"));
        let refused = read_body(&headers, Body::empty(), 5, Duration::from_secs(5)).await;
        assert_eq!(refused.expect_err("too large").kind, ErrorKind::TooLarge);
    }
}
