//! Where data stands on disk and how long it stays.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ByteSize, Period};

/// `[storage]`: the database file. Changes need a restart, but for the free-space floor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The directory that holds `vedette.redb`; made if it does not exist. Under systemd the
    /// unit's StateDirectory where this is not set.
    pub path: PathBuf,
    /// Memory for pages of the database. The system's own cache holds the file as well, so more
    /// gains little.
    pub cache: ByteSize,
    /// Writes are refused with 503 below this much free disk; 0 stands for 5 % of it, at least
    /// 256 MiB.
    pub free_bytes_min: ByteSize,
    /// How often every value of the file is read and its checksum looked at; 0 stands for never.
    pub scrub_interval: Period,
}

impl Default for Storage {
    fn default() -> Self {
        Storage {
            path: PathBuf::from("data"),
            cache: ByteSize::from_mebibytes(8),
            free_bytes_min: ByteSize::from_bytes(0),
            scrub_interval: Period::from_secs(86_400),
        }
    }
}

/// `[retention]`: how long data stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Raw samples.
    pub raw: Period,
    /// 5-minute and 1-hour rollups, for queries that reach further back than raw samples.
    pub rollup: Period,
    /// The most that all data may take on disk; the oldest goes first. 0 means no bound.
    pub max_bytes: ByteSize,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            raw: Period::from_secs(15 * 86_400),
            rollup: Period::from_secs(395 * 86_400),
            max_bytes: ByteSize::from_bytes(0),
        }
    }
}
