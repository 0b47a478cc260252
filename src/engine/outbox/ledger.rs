//! What waits, and where it is written down what became of it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::engine::watch::{Outcome, Watch, WatchError};
use crate::model::{Delivery, Name, NotifiedAlert};
use crate::notify::notified;

/// The keeper as workers see it; in tests, a list in memory.
pub trait Ledger: Send + Sync + 'static {
    /// All deliveries that wait, each channel's in the order in which they were decided.
    fn pending(&self) -> Vec<Arc<Delivery>>;

    /// Counts changes of what waits.
    fn changed(&self) -> watch::Receiver<u64>;

    /// Writes down what became of deliveries. When it is done, [`Ledger::pending`] shows it.
    fn settle(&self, outcomes: Vec<Outcome>) -> BoxFuture<'_, Result<(), WatchError>>;

    /// The alerts of which a channel was told that they fire, and that still do.
    fn told_firing(&self, channel: &Name) -> Vec<NotifiedAlert>;
}

impl Ledger for Watch {
    fn pending(&self) -> Vec<Arc<Delivery>> {
        Watch::pending(self)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.outbox_changed()
    }

    fn settle(&self, outcomes: Vec<Outcome>) -> BoxFuture<'_, Result<(), WatchError>> {
        Box::pin(self.delivered(outcomes))
    }

    fn told_firing(&self, channel: &Name) -> Vec<NotifiedAlert> {
        let view = self.view();
        let told = view.active().filter(|i| i.firing && i.told.contains(channel));
        told.map(|incident| notified(incident, view.external_url())).collect()
    }
}
