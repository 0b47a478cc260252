//! OpenTelemetry's metrics and log records (OTLP/HTTP), and what they are as series and lines.
//!
//! Owns: the readers of `ExportMetricsServiceRequest` in protobuf and JSON ([`read`]), the naming
//! rules, and the translation into rows, exemplars and metadata ([`translate`]); the reader of
//! `ExportLogsServiceRequest` ([`read_logs`]). Never: storing anything, or answering. Start reading
//! at [`translate`].
//!
//! The model is the receiver of Prometheus (`storage/remote/otlptranslator/prometheusremotewrite`
//! and the library `prometheus/otlptranslator`).

mod buckets;
mod json;
mod labels;
mod logs;
mod message;
mod names;
mod protobuf;
mod translate;
mod value;

pub use logs::read_logs;
pub use translate::{Context, Translated, translate};

use super::wire::WireError;

/// The two encodings of OTLP/HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

/// Why a body gives nothing at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtlpError {
    /// Not protobuf, or not this message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Not JSON, or not this message.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What the JSON reader says.
        what: String,
    },
    /// More parts than one request may have.
    #[error(
        "the request has more than {max} parts (points, attributes, exemplars, quantiles); \
         send smaller batches"
    )]
    TooManyParts {
        /// How many it may have.
        max: usize,
    },
    /// More log records than one request may have.
    #[error(transparent)]
    Logs(#[from] crate::decode::logs::LogsError),
    /// The series would take too much memory.
    #[error(
        "the samples of the request would take more than {max} bytes; send smaller batches, or \
         fewer attributes with histograms of many buckets"
    )]
    TooLarge {
        /// How many bytes they may take.
        max: usize,
    },
}

/// A request that was read.
#[derive(Debug, Default)]
pub struct Export(message::Request);

/// Parts (messages inside the message) that one request may have: bounds the memory that a body
/// of tiny parts can take.
const PARTS_MAX: usize = 1 << 20;

/// Reads an inflated body.
pub fn read(body: &[u8], form: Form) -> Result<Export, OtlpError> {
    match form {
        Form::Protobuf => protobuf::read(body).map(Export),
        Form::Json => json::read(body).map(Export),
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
pub(crate) mod messages {
    pub(crate) use super::oracle::*;
}
#[cfg(test)]
mod tests;
