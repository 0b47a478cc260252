//! How everything is, at a glance.
//!
//! Owns: the counts, the system's health, the key figures and the lines of features, kept so that
//! asking for them evaluates nothing. Never: deciding anything, or writing. Start reading at
//! [`Overview::snapshot`].

mod counts;
mod key_figures;
mod lines;
mod refresh;

pub use counts::{CheckCounts, IncidentCounts, SystemHealth};
pub use key_figures::{Better, KeyFigure, Trend};
pub use lines::{ExperimentLine, FeatureLine};

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::{Semaphore, watch};

use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::checker::Checker;
use crate::engine::experiments::runtime::Experiments;
use crate::engine::feed::{Fact, Feed, Subject, Topic};
use crate::engine::outcomes::OutcomeSeries;
use crate::engine::watch::{Catalog, Muting, Watch};
use crate::model::Timestamp;
use crate::tsdb::Tsdb;

/// How often followers are told what changed.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What the overview is made of.
#[derive(Clone)]
pub struct OverviewParts {
    /// Where samples are, and the history of checks.
    pub tsdb: Arc<Tsdb>,
    /// What knows incidents.
    pub watch: Watch,
    /// What people defined.
    pub catalog: Arc<Catalog>,
    /// What knows how checks are.
    pub checker: Arc<Checker>,
    /// What knows maintenance.
    pub muting: Arc<Muting>,
    /// What knows experiments.
    pub experiments: Arc<Experiments>,
    /// What knows which features there are.
    pub outcomes: OutcomeSeries,
    /// Where changes are told.
    pub feed: Feed,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The settings in force. The tasks end with their sender.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The places for queries.
    pub places: Arc<ArcSwap<Semaphore>>,
}

/// The state at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// The last event of the feed before this was read: who follows from it on misses nothing.
    /// Absent where the snapshot itself is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_id: Option<u64>,
    /// In one word.
    pub health: SystemHealth,
    /// Checks by how they are.
    pub checks: CheckCounts,
    /// Incidents that are not resolved.
    pub incidents: IncidentCounts,
    /// Key figures, the most telling first.
    pub metrics: Arc<Vec<KeyFigure>>,
    /// How features do, by name.
    pub features: Arc<Vec<FeatureLine>>,
    /// Experiments that have started and are not over, by name.
    pub experiments: Vec<ExperimentLine>,
    /// When this was read.
    pub generated_at: Timestamp,
}

/// The overview. Clones share it.
#[derive(Clone)]
pub struct Overview {
    inner: Arc<Inner>,
}

struct Inner {
    parts: OverviewParts,
    figures: ArcSwap<Vec<KeyFigure>>,
    features: ArcSwap<Vec<FeatureLine>>,
}

impl Overview {
    /// An overview whose figures nobody computes yet: see [`Overview::start`].
    pub fn new(parts: OverviewParts) -> Overview {
        let (figures, features) = (ArcSwap::default(), ArcSwap::default());
        Overview { inner: Arc::new(Inner { parts, figures, features }) }
    }

    /// Starts the tasks that compute figures and tell of changes. They end with the sender of the
    /// settings.
    pub fn start(&self) {
        tokio::spawn(refresh::run(self.clone()));
        tokio::spawn(self.clone().tell());
    }

    /// How everything is. Counts are as of the last commit; figures and features as of a few
    /// seconds ago. Takes a few milliseconds with thousands of checks, and waits for no query.
    pub fn snapshot(&self) -> Snapshot {
        let parts = &self.inner.parts;
        // First: what is told while the rest is read may be in it already, and is told again.
        let live_id = parts.feed.last_id();
        let now = parts.clock.now();
        let checks = CheckCounts::read(&parts.catalog, &parts.checker, &parts.muting, now);
        Snapshot {
            live_id: Some(live_id),
            health: checks.health(),
            checks,
            incidents: IncidentCounts::of(parts.watch.view().active()),
            metrics: self.inner.figures.load_full(),
            features: self.inner.features.load_full(),
            experiments: lines::experiments(&parts.experiments),
            generated_at: now,
        }
    }

    /// Tells of each change, at most once a second.
    async fn tell(self) {
        let mut settings = self.inner.parts.settings.clone();
        let mut told: Option<Snapshot> = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(TELL_EVERY) => {}
                () = ended(&mut settings) => return,
            }
            let now = Snapshot { live_id: None, ..self.snapshot() };
            let same = told.as_ref().is_some_and(|told| {
                now == Snapshot { generated_at: now.generated_at, ..told.clone() }
            });
            if !same {
                let subject = Subject::default();
                let fact = Fact::new(Topic::Overview, "overview.snapshot", subject, &now);
                self.inner.parts.feed.publish(fact);
                told = Some(now);
            }
        }
    }

    /// Takes up figures.
    fn take_up_figures(&self, figures: Vec<KeyFigure>) {
        self.inner.figures.store(Arc::new(figures));
    }

    /// Takes up the lines of features, and tells of those that changed.
    fn take_up_features(&self, features: Vec<FeatureLine>) {
        let before = self.inner.features.swap(Arc::new(features.clone()));
        for feature in features {
            if !before.contains(&feature) {
                let subject = Subject::named(&feature.name);
                let fact = Fact::new(Topic::Metrics, "metrics.feature", subject, &feature);
                self.inner.parts.feed.publish(fact);
            }
        }
    }
}

/// Waits until the sender of the settings is gone.
async fn ended(settings: &mut watch::Receiver<Arc<Settings>>) {
    while settings.changed().await.is_ok() {}
}
