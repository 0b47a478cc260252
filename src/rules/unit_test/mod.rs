//! Unit tests of rules, in promtool's format (`docs/configuration/unit_testing_rules.md`).
//!
//! Owns: the test file, samples in memory, running rules over them, comparing. Never: reading
//! files; the caller hands rule files in. Start reading at [`TestFile::parse`] and
//! [`TestFile::run`].

mod compare;
mod file;
mod junit;
mod memory;
mod run;

pub use file::{TestFile, TestGroup};
pub use junit::junit;
pub use run::{Outcome, TestResult};
