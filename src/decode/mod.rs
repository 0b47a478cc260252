//! From bytes on the wire to samples, outcomes and log lines.
//!
//! Owns: inflating request bodies under a cap, the readers of every wire format, and the checks
//! that decide which samples may come in. Never: I/O, clocks, storage, or answering anybody.
//! Start reading at [`remote_write`], the hot path, and [`admit`], which every way in ends with.

pub mod admit;
pub mod exposition;
pub mod inflate;
pub mod json;
pub mod logs;
pub mod otlp;
pub mod outcomes;
pub mod remote_write;
mod wire;

pub use inflate::{Encoding, InflateError};
pub use wire::WireError;
