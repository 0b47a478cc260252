//! Log lines at rest: which ones somebody wants, and how they are stored and searched.
//!
//! Owns: filters, pages and what they hold. Never: threads, queues, or when something is written.
//! Start reading at [`LogFilter`].

mod filter;
mod page;
mod text;

pub use filter::LogFilter;
pub use page::{Context, LogBucket, LogNames, LogPage, LogQuery, Order, PAGE_LINES_MAX};
pub use text::TextMatch;

/// Bytes of a line, at most, all of its texts together.
pub const LINE_BYTES_MAX: usize = 1 << 20;
