//! The text formats that exporters speak: Prometheus text 0.0.4 and OpenMetrics 1.0.
//!
//! Owns: reading an exposition line by line, writing one, escaping names, choosing the format by content type, and the form
//! in which bucket bounds are written. Never: label rules of a scrape (relabelling lives in
//! `collect`), or time other than what the text says. Start reading at [`Parser`].

mod escaping;
mod labels;
mod negotiate;
mod parser;
mod write;

pub use escaping::Escaping;
pub use labels::format_bound;
pub use negotiate::{ACCEPT, Format, text_for};
pub use parser::{ExemplarLine, ExpositionError, Item, Parser, SampleLine};
pub use write::Writer;

#[cfg(test)]
mod tests;
