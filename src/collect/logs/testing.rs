//! A sink for tests, and an outlet that leads there.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::{Outlet, Place, Stop, Taken};
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::model::LogLine;
use crate::telemetry::Telemetry;

pub(super) struct Receiver {
    pub(super) outlet: Outlet,
    pub(super) taken: mpsc::Receiver<Taken>,
    pub(super) stop: watch::Sender<bool>,
    _settings: watch::Sender<Arc<Settings>>,
}

impl Receiver {
    pub(super) fn new(way: &'static str) -> Self {
        let (sink, taken) = mpsc::channel(4);
        let (kept, settings) = watch::channel(Arc::new(Settings::default()));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let outlet = Outlet { sink, clock, telemetry: Arc::new(Telemetry::new()), settings, way };
        Receiver { outlet, taken, stop: watch::Sender::new(false), _settings: kept }
    }

    pub(super) fn stop(&self) -> Stop {
        self.stop.subscribe()
    }

    /// Takes lines until there are `count`, saying that each batch is durable.
    pub(super) async fn lines(&mut self, count: usize) -> (Vec<LogLine>, Option<Place>) {
        let (mut lines, mut place) = (Vec::new(), None);
        while lines.len() < count {
            let within = std::time::Duration::from_secs(30);
            let taken = tokio::time::timeout(within, self.taken.recv()).await;
            let Some(taken) = taken.expect("lines within 30 s") else { panic!("the source ended") };
            lines.extend(taken.lines);
            place = taken.place.or(place);
            let _ = taken.done.send(());
        }
        (lines, place)
    }
}
