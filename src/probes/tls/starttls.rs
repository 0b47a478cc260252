//! Asking for encryption in protocols that begin without.

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::probes::line::read_line;

/// Lines that are read before giving up on an answer.
const LINES_MAX: usize = 64;

/// The protocol that the connection begins with: the setting `starttls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StartTls {
    /// RFC 3207.
    Smtp,
    /// RFC 2595.
    Imap,
    /// RFC 2595.
    Pop3,
    /// RFC 4217.
    Ftp,
    /// PostgreSQL's `SSLRequest`.
    Postgres,
}

impl StartTls {
    /// Where it usually listens.
    pub(super) fn port(self) -> u16 {
        match self {
            StartTls::Smtp => 25,
            StartTls::Imap => 143,
            StartTls::Pop3 => 110,
            StartTls::Ftp => 21,
            StartTls::Postgres => 5432,
        }
    }
}

/// Speaks until the next byte is TLS's.
pub(super) async fn ask(stream: &mut TcpStream, protocol: StartTls) -> Result<(), String> {
    match protocol {
        StartTls::Smtp => {
            reply(stream, "220").await?;
            say(stream, "EHLO vedette\r\n").await?;
            reply(stream, "250").await?;
            say(stream, "STARTTLS\r\n").await?;
            reply(stream, "220").await
        }
        StartTls::Ftp => {
            reply(stream, "220").await?;
            say(stream, "AUTH TLS\r\n").await?;
            reply(stream, "234").await
        }
        StartTls::Imap => {
            begins(stream, "* OK").await?;
            say(stream, "a STARTTLS\r\n").await?;
            begins(stream, "a OK").await
        }
        StartTls::Pop3 => {
            begins(stream, "+OK").await?;
            say(stream, "STLS\r\n").await?;
            begins(stream, "+OK").await
        }
        StartTls::Postgres => {
            // Length 8 and the code 80877103, as in "Message Formats" of PostgreSQL's manual.
            stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.map_err(broken)?;
            match stream.read_u8().await.map_err(broken)? {
                b'S' => Ok(()),
                b'N' => Err("the server has no encryption (ssl = off)".to_owned()),
                _ => Err("this is no PostgreSQL server".to_owned()),
            }
        }
    }
}

fn broken(error: std::io::Error) -> String {
    format!("the connection broke before encryption: {error}")
}

async fn say(stream: &mut TcpStream, text: &str) -> Result<(), String> {
    stream.write_all(text.as_bytes()).await.map_err(broken)
}

/// One reply of SMTP or FTP: `220-…` goes on, `220 …` ends it.
async fn reply(stream: &mut TcpStream, code: &str) -> Result<(), String> {
    for _ in 0..LINES_MAX {
        let line = read_line(stream).await?;
        match line.strip_prefix(code) {
            Some(rest) if rest.starts_with('-') => {}
            Some(_) => return Ok(()),
            // The lines within a reply of FTP may be anything (RFC 959, section 4.2).
            None if line.starts_with(' ') => {}
            None => return Err(format!("answered {line:?} instead of {code}")),
        }
    }
    Err(format!("answered more than {LINES_MAX} lines"))
}

/// The next line that is not an untagged one of IMAP.
async fn begins(stream: &mut TcpStream, start: &str) -> Result<(), String> {
    for _ in 0..LINES_MAX {
        let line = read_line(stream).await?;
        if line.to_ascii_uppercase().starts_with(&start.to_ascii_uppercase()) {
            return Ok(());
        }
        if !line.starts_with("* ") || start.starts_with('*') {
            return Err(format!("answered {line:?} instead of {start}"));
        }
    }
    Err(format!("answered more than {LINES_MAX} lines"))
}
