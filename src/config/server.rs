//! Where the daemon listens, how it encrypts, and how it logs.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Period;

/// `[server]`: the HTTP listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port. Beyond loopback a token is required (see `auth`). Port 0 lets the
    /// system choose. Changing it needs a restart.
    pub listen: SocketAddr,
    /// How long a client may take to send a request's head, counted from the answer before: this
    /// is also how long a connection may be idle. Longer than usual scrape intervals, so that a
    /// scraper can keep its connection.
    pub header_timeout: Period,
    /// How long a client may take to send a request's body.
    pub body_timeout: Period,
    /// How long a stop waits for requests that are under way; at most 8 s, so that the whole
    /// stop ends within 10 s.
    pub shutdown_timeout: Period,
    /// Further names under which the open loopback mode may be addressed, for a reverse proxy
    /// on the same machine.
    pub allowed_hosts: Vec<String>,
    /// A line that the page shows on top of everything, for whoever looks at it: that this is a
    /// staging system, say. Empty: none. At most 200 bytes.
    pub notice: String,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            listen: SocketAddr::from(([127, 0, 0, 1], 9077)),
            header_timeout: Period::from_secs(90),
            body_timeout: Period::from_secs(60),
            shutdown_timeout: Period::from_secs(5),
            allowed_hosts: Vec::new(),
            notice: String::new(),
        }
    }
}

/// `[tls]`: both empty means plain HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// A PEM file with the certificate and its chain.
    pub cert: PathBuf,
    /// A PEM file with the private key.
    pub key: PathBuf,
}

impl Tls {
    /// Whether connections are encrypted.
    pub fn enabled(&self) -> bool {
        !self.cert.as_os_str().is_empty()
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("{text:?} is not a log format; use text or json")),
        }
    }
}

/// `[log]`: what the daemon says on standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`. Changing it needs a restart.
    pub format: LogFormat,
    /// error, warn, info, debug or trace; also per module (`info,vedette::api=debug`).
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Log { format: LogFormat::Text, level: "info".to_owned() }
    }
}
