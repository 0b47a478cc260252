//! `[logs]`: how long log lines stay, and where they come from besides HTTP.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{ByteSize, Period};

/// Log lines. Retention and sources are taken up on reload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logs {
    /// How long lines stay.
    pub retention: Period,
    /// The most that they may take on disk, compressed; the oldest go first. 0 means no bound.
    pub max_bytes: ByteSize,
    /// Lines that others send as syslog.
    pub syslog: Syslog,
    /// Lines of systemd's journal.
    pub journald: Journald,
    /// Lines of files.
    pub files: Vec<LogFile>,
}

impl Default for Logs {
    fn default() -> Self {
        Logs {
            retention: Period::from_secs(14 * 86_400),
            max_bytes: ByteSize::from_mebibytes(4096),
            syslog: Syslog::default(),
            journald: Journald::default(),
            files: Vec::new(),
        }
    }
}

/// `[logs.syslog]`: RFC 5424 and RFC 3164, told apart line by line. Nobody who sends syslog can
/// prove who they are, so it is off until an address is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Syslog {
    /// Where datagrams are taken (RFC 5426), one message each.
    pub udp: Vec<SocketAddr>,
    /// Where connections are taken (RFC 6587): counted octets, or a message per line.
    pub tcp: Vec<SocketAddr>,
    /// The time zone of messages whose time names none (RFC 3164); the machine's own if empty.
    pub zone: String,
    /// TCP connections at once.
    pub connections_max: usize,
    /// The longest message; of a longer one the rest is left out.
    #[serde(with = "super::units::bytes")]
    pub message_bytes_max: usize,
    /// What lines from there get as their environment.
    pub environment: String,
}

impl Default for Syslog {
    fn default() -> Self {
        Syslog {
            udp: Vec::new(),
            tcp: Vec::new(),
            zone: String::new(),
            connections_max: 128,
            message_bytes_max: 64 << 10,
            environment: String::new(),
        }
    }
}

/// `[logs.journald]`: follows the journal by running `journalctl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journald {
    /// Whether it is followed.
    pub enabled: bool,
    /// Units whose lines are taken; all if there is none.
    pub units: Vec<String>,
    /// The program that reads the journal.
    pub command: String,
    /// What lines from there get as their environment.
    pub environment: String,
}

impl Default for Journald {
    fn default() -> Self {
        Journald {
            enabled: false,
            units: Vec::new(),
            command: "journalctl".to_owned(),
            environment: String::new(),
        }
    }
}

/// `[[logs.files]]`: files that are followed as they grow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogFile {
    /// An absolute path; `*` and `?` stand for anything within one part of it.
    pub path: String,
    /// What the lines get as their source; the file's name if empty.
    pub source: String,
    /// What the lines get as their feature, where they do not name one.
    pub feature: String,
    /// What the lines get as their environment, where they do not name one.
    pub environment: String,
    /// Whether a file that is seen for the first time is read from its beginning. Otherwise only
    /// what is added from then on is taken.
    pub from_start: bool,
}
