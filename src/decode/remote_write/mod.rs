//! Prometheus remote write, both versions, read in place.
//!
//! Owns: the readers of `prometheus.WriteRequest` ([`v1`], specification 1.0) and of
//! `io.prometheus.write.v2.Request` ([`v2`], specification 2.0). Never: allocation per series or
//! sample, or a judgement on what may come in ([`super::admit`] judges). Start reading at
//! [`v1::Reader`].
//!
//! The consumer keeps a cache from [`LabelKey::as_bytes`] to its own series, so that labels are
//! only cut into text for a series that it sees for the first time. Both versions give keys of
//! the same form, so they may share that cache.

mod exemplar;
mod histogram;
mod series;
pub mod v1;
pub mod v2;

pub use exemplar::ExemplarIter;
pub use histogram::HistogramIter;
pub use series::{LabelIter, LabelKey, MetadataEntry, SampleIter};

#[cfg(test)]
pub(crate) mod messages;
#[cfg(test)]
mod oracle;
