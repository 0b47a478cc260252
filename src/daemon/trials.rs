//! Experiments and outcomes: the ledger that takes them, the task that decides what becomes of
//! experiments, the series of outcomes and the configurations of features.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::Pipeline;
use crate::engine::configurations::Configurations;
use crate::engine::experiments::ledger::Ledger;
use crate::engine::experiments::runtime::{Experiments, Parts};
use crate::engine::outcomes::OutcomeSeries;
use crate::engine::watch::{Catalog, Watch};
use crate::experiments::{Board, InForce};
use crate::model::ExperimentState;

use super::DaemonError;

/// How long the end waits for each of both.
const DRAIN: Duration = Duration::from_secs(2);

/// What runs experiments and takes outcomes.
pub(super) struct Trials {
    pub(super) board: Arc<Board>,
    pub(super) ledger: Ledger,
    pub(super) outcomes: OutcomeSeries,
    pub(super) configurations: Arc<Configurations>,
    pub(super) experiments: Arc<Experiments>,
}

impl Trials {
    /// Reads how experiments stand and what their results come to, and goes on from there.
    pub(super) fn start(
        pipeline: &Pipeline,
        watch: &Watch,
        catalog: &Arc<Catalog>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Trials, DaemonError> {
        let board: Arc<Board> = Arc::default();
        let tsdb = pipeline.tsdb();
        let ledger = Ledger::start(Arc::clone(tsdb), Arc::clone(&board), Arc::clone(clock))
            .map_err(DaemonError::Start)?;
        let parts = Parts {
            store: Arc::clone(tsdb.store()),
            watch: watch.clone(),
            catalog: Arc::clone(catalog),
            ledger: ledger.clone(),
            board: Arc::clone(&board),
            clock: Arc::clone(clock),
        };
        let experiments = Arc::new(Experiments::start(parts).map_err(DaemonError::Start)?);
        let configurations = Configurations::open(Arc::clone(tsdb.store()))
            .map_err(|error| DaemonError::Start(format!("cannot read configurations: {error}")))?;
        let configurations = Arc::new(configurations);
        let tallies = {
            let ledger = ledger.clone();
            Arc::new(move || ledger.tallies())
        };
        let outcomes = OutcomeSeries::start(pipeline.clone(), Arc::clone(clock), tallies);
        Ok(Trials { board, ledger, outcomes, configurations, experiments })
    }

    /// Ends both: what was asked of them before is durable. Before the watch ends, as what
    /// becomes of an experiment is committed there.
    pub(super) async fn stop(&self) {
        if tokio::time::timeout(DRAIN, self.experiments.stop()).await.is_err() {
            tracing::warn!("experiments did not end in time; nothing acknowledged is lost");
        }
        if tokio::time::timeout(DRAIN, self.ledger.close()).await.is_err() {
            tracing::warn!("the ledger did not end in time; nothing acknowledged is lost");
        }
    }
}

/// What is wrong with the experiments of the settings file beyond their form.
pub(super) fn check_experiments(settings: &Settings) -> Result<(), String> {
    for (place, experiment) in settings.experiment.iter().enumerate() {
        InForce::new(experiment, ExperimentState::default())
            .map_err(|error| format!("experiment[{place}] ({}): {error}", experiment.name))?;
    }
    Ok(())
}
