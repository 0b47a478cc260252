//! What is counted of looking through the file.

use super::render::Sink;
use super::{Gauge, LabeledCounter};
use crate::model::MetricType;

/// Scrubs: each reads every value of the file.
#[derive(Debug)]
pub struct Scrubs {
    /// Those that ended, by `outcome` (`success`: all was read; `failure`).
    pub ended: LabeledCounter<1>,
    /// When the last one read all, in Unix seconds; 0 before.
    pub last_at_seconds: Gauge,
    /// Values that it read.
    pub values: Gauge,
    /// Values that it found damaged.
    pub damaged: Gauge,
}

impl Scrubs {
    pub(super) fn new() -> Self {
        Scrubs {
            ended: LabeledCounter::new(["outcome"]),
            last_at_seconds: Gauge::default(),
            values: Gauge::default(),
            damaged: Gauge::default(),
        }
    }

    pub(super) fn render(&self, sink: &mut dyn Sink) {
        let help = "Scrubs of the database file that ended, by outcome.";
        sink.family("vedette_scrubs_total", MetricType::Counter, help);
        self.ended.points(sink);
        let mut gauge = |name, help, gauge: &Gauge| {
            sink.family(name, MetricType::Gauge, help);
            sink.point("", &[], gauge.get() as f64);
        };
        let help =
            "When all of the database file was last looked through; 0 before the first time.";
        gauge("vedette_scrub_last_timestamp_seconds", help, &self.last_at_seconds);
        gauge("vedette_scrub_values", "Values that the last scrub read.", &self.values);
        let help = "Values that the last scrub found damaged.";
        gauge("vedette_scrub_damaged_values", help, &self.damaged);
    }
}
