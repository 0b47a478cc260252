//! What a probe saw, before anybody judges it.

use std::collections::BTreeMap;

use super::Phases;
use crate::model::Timestamp;

/// What one attempt of a probe saw. Conditions are asked of it; see `checks/conditions`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// Whether the other side was reached: `[CONNECTED]`.
    pub connected: bool,
    /// Where the time went; `[RESPONSE_TIME]` is the total, in milliseconds.
    pub phases: Phases,
    /// Why there is no answer: what failed, where, and what that may mean.
    pub error: Option<String>,
    /// Why nobody here can say how it is: then it is unknown, whatever the conditions say.
    pub unknown: Option<String>,
    /// `[STATUS]`: an HTTP status, gRPC's serving status or an exit code.
    pub status: Option<i64>,
    /// `[BODY]`: what was answered, cut at the probe's bound.
    pub body: Vec<u8>,
    /// `[HEADERS].name`: names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// `[IP]`: the address that answered.
    pub ip: Option<String>,
    /// `[DNS_RCODE]`: `NOERROR`, `NXDOMAIN`, …
    pub dns_rcode: Option<String>,
    /// `[CERTIFICATE_EXPIRATION]`: when the first certificate of the chain ends.
    pub certificate_expires_at: Option<Timestamp>,
    /// Other places, by their name without brackets: `FREE_PERCENT`, `TOKENS`, `FIRST_TOKEN_TIME`.
    pub values: BTreeMap<String, f64>,
    /// Shown with the result, never judged: version, certificate subject, redirects…
    pub metadata: serde_json::Map<String, serde_json::Value>,
}
