//! Lines of text protocols.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A line may have so many bytes.
const LINE_BYTES_MAX: usize = 8 << 10;

/// Reads one line, without its end, and not a byte more: what follows may be another protocol.
pub(super) async fn read_line<S: AsyncRead + Unpin>(stream: &mut S) -> Result<String, String> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await {
            Ok(b'\n') => break,
            Ok(_) if line.len() >= LINE_BYTES_MAX => {
                return Err(format!("a line has more than {LINE_BYTES_MAX} bytes"));
            }
            Ok(byte) => line.push(byte),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(match line.is_empty() {
                    true => "the connection was closed before a line came".to_owned(),
                    false => format!(
                        "the connection was closed within the line {:?}",
                        String::from_utf8_lossy(&line)
                    ),
                });
            }
            Err(error) => return Err(format!("the connection broke: {error}")),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}
