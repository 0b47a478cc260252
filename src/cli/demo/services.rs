//! The made-up company's services: a small HTTP server on loopback, so that real probes find
//! something to ask and real notifications somewhere to arrive.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The longest request head or body that is read, in bytes.
const REQUEST_BYTES_MAX: u64 = 1 << 20;
/// How long one connection may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a service answers: status, body, and after how many milliseconds.
fn answer(path: &str, count: u64) -> (u16, &'static str, u64) {
    // A little unsteady, the same every time.
    let wobble = count.wrapping_mul(7) % 23;
    match path {
        "/website" => (200, "{\"status\":\"up\"}", 18 + wobble),
        "/search-api" => (200, "{\"status\":\"up\",\"documents\":184223}", 31 + wobble),
        // Cards are declined: it works, slowly.
        "/payments" => (200, "{\"status\":\"degraded\",\"cards\":\"slow\"}", 330 + 4 * wobble),
        "/assistant-model" => (200, "{\"status\":\"up\",\"model\":\"small-2\"}", 110 + 2 * wobble),
        "/warehouse" => (503, "{\"error\":\"stock feed is stale\"}", 40 + wobble),
        path if path.starts_with("/hook/") => (200, "ok", 25 + wobble),
        _ => (404, "{\"error\":\"there is no such service\"}", 1),
    }
}

/// Answers until the process ends.
pub(super) async fn serve(listener: TcpListener) {
    let mut count = 0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                count += 1;
                tokio::spawn(async move {
                    // Whoever asked may have gone.
                    let _ = tokio::time::timeout(PATIENCE, serve_one(stream, count)).await;
                });
            }
            // Too many files are open, say: it passes.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve_one(mut stream: TcpStream, count: u64) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read.take(REQUEST_BYTES_MAX));
    let mut line = String::new();
    read.read_line(&mut line).await?;
    let path = line.split(' ').nth(1).unwrap_or("").to_owned();
    if path.is_empty() {
        return Ok(());
    }
    let mut length = 0;
    loop {
        line.clear();
        read.read_line(&mut line).await?;
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse::<u64>().unwrap_or(0).min(REQUEST_BYTES_MAX);
        }
    }
    tokio::io::copy(&mut read.take(length), &mut tokio::io::sink()).await?;
    let (status, body, after_ms) = answer(&path, count);
    tokio::time::sleep(Duration::from_millis(after_ms)).await;
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    write.write_all(head.as_bytes()).await?;
    write.write_all(body.as_bytes()).await?;
    write.shutdown().await
}
