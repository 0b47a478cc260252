//! What is counted of those who follow the live feed.

use super::{Gauge, LabeledCounter, Sink};
use crate::model::MetricType;

/// Clients of the live feed.
#[derive(Debug)]
pub struct LiveClients {
    /// Those that follow now.
    pub clients: Gauge,
    /// Those that were let go or not let in, by `reason` (`refused`, `stalled`, `too_slow`,
    /// `unauthorized`, `misspoken`).
    pub dropped: LabeledCounter<1>,
}

impl LiveClients {
    pub(super) fn new() -> Self {
        LiveClients { clients: Gauge::default(), dropped: LabeledCounter::new(["reason"]) }
    }

    pub(super) fn render(&self, sink: &mut dyn Sink) {
        let help = "Clients that follow the live feed.";
        sink.family("vedette_live_clients", MetricType::Gauge, help);
        sink.point("", &[], self.clients.get() as f64);
        let help = "Clients of the live feed that were let go or not let in, by reason.";
        sink.family("vedette_live_dropped_total", MetricType::Counter, help);
        self.dropped.points(sink);
    }
}
