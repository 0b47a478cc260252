//! What a check found.

use serde::{Deserialize, Serialize};

use super::Severity;
use crate::model::{Name, Timestamp};

/// How something is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// All conditions hold.
    Healthy,
    /// One that is only a warning does not.
    Degraded,
    /// One that is critical does not, or there was no answer.
    Unhealthy,
    /// Nobody can say: not asked yet, we were down, our uplink is.
    #[default]
    Unknown,
    /// It is left alone.
    Paused,
}

impl CheckStatus {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            CheckStatus::Healthy => "healthy",
            CheckStatus::Degraded => "degraded",
            CheckStatus::Unhealthy => "unhealthy",
            CheckStatus::Unknown => "unknown",
            CheckStatus::Paused => "paused",
        }
    }
}

/// Where the time went, each in microseconds; `None` for what did not take place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Phases {
    /// Resolving the name.
    pub dns_us: Option<u64>,
    /// Connecting.
    pub connect_us: Option<u64>,
    /// Agreeing on encryption.
    pub tls_us: Option<u64>,
    /// From the request to the first byte of the answer.
    pub first_byte_us: Option<u64>,
    /// All of it.
    pub total_us: u64,
}

/// How one condition came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionOutcome {
    /// As it is written.
    pub condition: String,
    /// With what was found in the places: `[STATUS] (503) == 200`.
    pub shown: String,
    /// What its failure means.
    pub severity: Severity,
    /// Whether it holds.
    pub holds: bool,
}

/// One run of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Which.
    pub check: Name,
    /// When it began.
    pub at: Timestamp,
    /// What this run says; thresholds decide what the check is.
    pub status: CheckStatus,
    /// Where the time went.
    pub phases: Phases,
    /// The first condition that does not hold, with what was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_condition: Option<String>,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the probe found: status code, addresses, certificate, rows…
    #[serde(default)]
    pub metadata: serde_json::Map<String, serde_json::Value>,
}
