//! From a notification to what each service wants to read.

pub mod alertmanager;
pub mod chat;
mod cut;
pub mod email;
mod message;
pub mod pager;
pub mod push;
pub mod template;
mod words;

pub use cut::{cut_chars, cut_utf16, fit};
pub use message::{Line, Message};
pub use words::{duration_words, span_words, time_words};

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
