//! Log lines, from every form in which others send or write them.
//!
//! Owns: the readers of JSON and NDJSON ([`read_json`]), Loki's push ([`read_loki`]), syslog
//! ([`read_syslog`]), the journal ([`read_journal`]) and lines of plain text ([`read_text`]), and
//! what a line may be ([`LogBounds`]); OTLP's log records are read beside its metrics
//! (`decode::otlp::read_logs`). Never: storing, answering, or the clock: the time is handed in.
//! Start reading at [`Draft`], which every reader fills, and [`read_json`].

mod draft;
mod journal;
mod json;
mod level;
mod logfmt;
mod loki;
mod syslog;
mod text;
mod time;

#[cfg(test)]
mod properties;

pub use draft::{Draft, LINE_BYTES_MAX, LogBounds};
pub use journal::{JournalEntry, read_journal};
pub use json::read_json;
pub use level::level_in_text;
pub use loki::read_loki;
pub use syslog::read_syslog;
pub use text::read_text;

use crate::model::LogLine;

use super::wire::WireError;

/// Lines that one request may have: bounds what a body of tiny lines can take in memory.
pub const LINES_MAX: usize = 100_000;

/// Values in the JSON of one request: bounds what a body of tiny values can take in memory.
const VALUES_MAX: usize = 4 << 20;

/// What was in a request, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogBatch {
    /// The lines that may come in.
    pub lines: Vec<LogLine>,
    /// Those that may not, by their place among all lines of the request, counted from 0, and why.
    pub refused: Vec<(usize, String)>,
}

impl LogBatch {
    /// How many lines the request has.
    pub fn len(&self) -> usize {
        self.lines.len() + self.refused.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the next line, or why there is none.
    pub(super) fn push(&mut self, line: Result<LogLine, String>) -> Result<(), LogsError> {
        if self.len() >= LINES_MAX {
            return Err(LogsError::TooMany);
        }
        match line {
            Ok(line) => self.lines.push(line),
            Err(reason) => self.refused.push((self.len(), reason)),
        }
        Ok(())
    }
}

/// Why a request as a whole gives no lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogsError {
    /// Not protobuf, or not the message it should be.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Not JSON.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What the JSON reader says.
        what: String,
    },
    /// JSON, but of another shape.
    #[error("{0}")]
    Shape(String),
    /// More lines than one request may have.
    #[error("there are more than {LINES_MAX} lines in one request; send several")]
    TooMany,
    /// More JSON values than one request may have.
    #[error("there are more than {VALUES_MAX} JSON values in one request; send several")]
    TooManyValues,
}

/// Every value but the first has one of these before it, so there are no more values than that,
/// known before anything is allocated. Those inside texts count too, which hurts nobody.
fn check_values(body: &[u8]) -> Result<(), LogsError> {
    let marks = body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{' | b':')).count();
    if marks > VALUES_MAX { Err(LogsError::TooManyValues) } else { Ok(()) }
}

impl LogsError {
    pub(super) fn syntax(error: &serde_json::Error) -> Self {
        LogsError::Json { line: error.line(), column: error.column(), what: error.to_string() }
    }
}
