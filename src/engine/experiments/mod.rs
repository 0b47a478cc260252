//! Experiments as they run: what is taken, counted and kept.

pub mod ledger;
