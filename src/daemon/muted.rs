//! Who is not told, and what others send: opening it, and keeping it tidy.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::Pipeline;
use crate::engine::watch::{Catalog, ExternalAlerts, Muting, Silences, Watch};
use crate::model::Timestamp;

use super::DaemonError;
use super::loops::Changes;

/// How often alerts of others are looked at for having run out.
const EVERY: Duration = Duration::from_secs(1);
/// Rounds after which silences are looked at for having ended long ago.
const ROUNDS_PER_SWEEP: u32 = 60;

/// The parts of it.
pub(super) struct Muted {
    pub(super) muting: Arc<Muting>,
    pub(super) external: Arc<ExternalAlerts>,
}

impl Muted {
    pub(super) fn open(
        pipeline: &Pipeline,
        catalog: &Arc<Catalog>,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Self, DaemonError> {
        let store = pipeline.tsdb().store();
        let cannot = |what: &str, error| DaemonError::Start(format!("cannot read {what}: {error}"));
        let silences = Silences::open(store).map_err(|error| cannot("silences", error))?;
        let external = ExternalAlerts::open(store, now)
            .map_err(|error| cannot("the alerts of others", error))?;
        let muting = Muting::new(Arc::new(silences), Arc::clone(catalog));
        muting.set_inhibitions(settings.notify.inhibit.clone());
        Ok(Muted { muting: Arc::new(muting), external: Arc::new(external) })
    }

    /// Ends what has run out and forgets what is long over, until the daemon stops; takes up
    /// changed inhibitions.
    pub(super) fn keep_tidy(&self, watch: &Watch, clock: &Arc<dyn Clock>, changes: &Changes) {
        let (muting, external) = (Arc::clone(&self.muting), Arc::clone(&self.external));
        let (watch, clock, mut changes) = (watch.clone(), Arc::clone(clock), changes.clone());
        tokio::spawn(async move {
            let mut round: u32 = 0;
            let mut failing = false;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    changed = changes.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        let inhibitions = changes.borrow_and_update().notify.inhibit.clone();
                        muting.set_inhibitions(inhibitions);
                        continue;
                    }
                }
                let now = clock.now();
                let mut swept = external.sweep(&watch, now).await;
                if swept.is_ok() && round.is_multiple_of(ROUNDS_PER_SWEEP) {
                    swept = muting.silences().sweep(&watch, now).await;
                }
                round = round.wrapping_add(1);
                if let Err(error) = &swept
                    && !failing
                {
                    tracing::warn!(%error, "what has run out is not ended yet");
                }
                failing = swept.is_err();
            }
        });
    }
}
