//! What is asked for, and what is answered.

use crate::model::{LogId, StoredLine, Timestamp};

use super::LogFilter;

/// In which order lines come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first, and of one millisecond those that came last.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

/// Lines of a page, at most.
pub const PAGE_LINES_MAX: usize = 5000;

/// Which lines, how many, and where to go on.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Which.
    pub filter: LogFilter,
    /// In which order.
    pub order: Order,
    /// Only such as come after this one in that order: the `next` of the page before.
    pub after: Option<LogId>,
    /// How many, at most; more than [`PAGE_LINES_MAX`] are not given.
    pub limit: usize,
}

/// Lines in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogPage {
    /// The lines.
    pub lines: Vec<StoredLine>,
    /// After which line to go on, where there are more.
    pub next: Option<LogId>,
    /// Lines that were looked at.
    pub scanned: u64,
}

/// A line and those around it, in the order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// The ones before it, the oldest first.
    pub before: Vec<StoredLine>,
    /// The line itself; `None` where it is not there (any more).
    pub line: Option<StoredLine>,
    /// The ones after it, the oldest first.
    pub after: Vec<StoredLine>,
}

/// Lines in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBucket {
    /// Where it begins: a whole multiple of the step.
    pub from: Timestamp,
    /// How many lines of each level, by [`crate::model::LogLevel`] as a number.
    pub counts: [u64; 5],
}

/// What lines say where they come from, for filters to choose from; in the order of the alphabet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogNames {
    /// Sources.
    pub sources: Vec<String>,
    /// Features.
    pub features: Vec<String>,
    /// Environments.
    pub environments: Vec<String>,
}
