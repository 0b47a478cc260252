//! What is counted of notifications on their way to channels.

use super::render::Sink;
use super::{DurationHistogram, Gauge, LabeledCounter};
use crate::model::MetricType;

/// Notifications on their way to channels.
#[derive(Debug)]
pub struct Sending {
    /// What became of them, by `kind` of channel and `outcome` (`delivered`, `retried`, `dead`,
    /// `superseded`).
    pub outcomes: LabeledCounter<2>,
    /// Attempts at them, by `kind` and `outcome` (`success`, `failure`).
    pub attempts: LabeledCounter<2>,
    /// How long attempts took.
    pub duration: DurationHistogram,
    /// How long the oldest that waits has waited, in seconds.
    pub oldest_seconds: Gauge,
}

impl Sending {
    /// Everything at zero; attempts fall under these bounds, in seconds.
    pub(super) fn new(bounds_s: &'static [f64]) -> Self {
        Sending {
            outcomes: LabeledCounter::new(["kind", "outcome"]),
            attempts: LabeledCounter::new(["kind", "outcome"]),
            duration: DurationHistogram::new(bounds_s),
            oldest_seconds: Gauge::default(),
        }
    }

    /// Writes them to a sink.
    pub(super) fn render(&self, sink: &mut dyn Sink) {
        let counter = MetricType::Counter;
        sink.family(
            "vedette_notifications_total",
            counter,
            "Outcomes of deliveries of notifications, by kind of channel.",
        );
        self.outcomes.points(sink);
        sink.family(
            "vedette_notification_attempts_total",
            counter,
            "Attempts to deliver notifications, by kind of channel.",
        );
        self.attempts.points(sink);
        sink.family(
            "vedette_notification_duration_seconds",
            MetricType::Histogram,
            "How long attempts to deliver notifications took.",
        );
        self.duration.points(sink);
        sink.family(
            "vedette_notifications_oldest_seconds",
            MetricType::Gauge,
            "How long the oldest waiting delivery has waited.",
        );
        sink.point("", &[], self.oldest_seconds.get() as f64);
    }
}
