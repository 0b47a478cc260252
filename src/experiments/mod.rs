//! Experiments: who gets what, how they live, what their results come to.
//!
//! Owns: assignment, the life of an experiment, sums of results, their analysis, guardrails.
//! Never: storage, time or requests. Start reading at `assign.rs`, then `accumulate.rs`.
