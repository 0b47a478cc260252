//! What several test programs share: a simulated disk, an engine on it, and a model to compare
//! with.
#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod disk;
pub mod engine;
