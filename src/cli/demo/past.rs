//! The two weeks before the demo begins, written by the engine itself on a clock that is moved by
//! hand: what was measured, what checks found, which incidents there were, and how experiments
//! went.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::series::{Machines, Outcomes, times};
use super::{checked, episodes, tried};
use crate::clock::{Clock, ManualClock};
use crate::config::Settings;
use crate::daemon::{engine_policy, open_store};
use crate::decode::admit::Refusals;
use crate::engine::Pipeline;
use crate::engine::feed::Feed;
use crate::engine::watch::Watch;
use crate::features::outcome_metadata;
use crate::model::{Metadata, MetricType, Row, Timestamp};
use crate::telemetry::{Telemetry, Way};
use crate::tsdb::{Tsdb, TsdbOptions};

/// Rows that are written at once.
const ROWS_AT_ONCE: usize = 20_000;
/// How long the engine may take to let go of the file.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the demo is to be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Story {
    /// The same number gives the same sample data.
    pub(super) seed: u64,
    /// How much of the past there is, in milliseconds.
    pub(super) history_ms: i64,
    /// When the past ends.
    pub(super) now: Timestamp,
    /// Where the made-up services answer: a port on this machine.
    pub(super) services: u16,
}

impl Story {
    /// Where a made-up service answers.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.services)
    }
}

/// Writes the past into a new database in `directory`.
pub(super) async fn write(directory: &Path, story: &Story) -> anyhow::Result<()> {
    let settings = Settings::default();
    let store = open_store(directory, settings.storage.cache.bytes(), &|_| {})?;
    let (tsdb, _) = Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {})?;
    let tsdb = Arc::new(tsdb);
    let now: Arc<dyn Clock> = Arc::new(ManualClock::at(story.now));
    let mut policy = engine_policy(&settings);
    policy.free_bytes_min = Some(0);
    let pipeline = Pipeline::new(Arc::clone(&tsdb), now, Arc::new(Telemetry::new()), policy)?;
    measured(&pipeline, story).await?;
    checked::write(tsdb.store(), story)?;
    let clock = Arc::new(ManualClock::at(story.now));
    // Nobody follows the past.
    let feed = Feed::new(Arc::clone(&clock) as _);
    let watch = Watch::start(Arc::clone(&tsdb), Arc::clone(&clock) as _, feed);
    let watch = watch.map_err(|error| anyhow!(error))?;
    episodes::write(&watch, &clock, story).await?;
    tried::write(&pipeline, &watch, &clock, story).await?;
    watch.close().await;
    drop(watch);
    pipeline.close(PATIENCE);
    drop(pipeline);
    let_go(tsdb).await
}

/// Waits until nobody else holds the database: the daemon is to open it.
async fn let_go(tsdb: Arc<Tsdb>) -> anyhow::Result<()> {
    let store = Arc::clone(tsdb.store());
    alone(&tsdb).await?;
    drop(tsdb);
    alone(&store).await
}

async fn alone<T>(held: &Arc<T>) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while Arc::strong_count(held) > 1 {
        if tokio::time::Instant::now() > deadline {
            return Err(anyhow!("the sample data were not let go of in time"));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Families of the made-up machines, and what they are.
fn families() -> Vec<(String, Metadata)> {
    let family = |name: &str, kind, unit: &str, help: &str| {
        (name.to_owned(), Metadata { kind, unit: unit.to_owned(), help: help.to_owned() })
    };
    let mut all = outcome_metadata();
    all.extend([
        family("http_requests_total", MetricType::Counter, "", "Requests to the shop."),
        family("shop_orders_total", MetricType::Counter, "", "Orders that were placed."),
        family("queue_depth", MetricType::Gauge, "", "Jobs that wait."),
        family("node_load1", MetricType::Gauge, "", "1m load average."),
        family("node_cpu_seconds_total", MetricType::Counter, "seconds", "Seconds in each mode."),
    ]);
    all
}

async fn measured(pipeline: &Pipeline, story: &Story) -> anyhow::Result<()> {
    let families = families();
    let mut outcomes = Outcomes::new(story.seed);
    let mut machines = Machines::new(story.seed);
    let mut rows = Vec::with_capacity(ROWS_AT_ONCE);
    for at in times(story.now, story.history_ms) {
        rows.extend(outcomes.measure(at, story.now));
        rows.extend(machines.measure(at));
        if rows.len() >= ROWS_AT_ONCE {
            put(pipeline, &rows, &families).await?;
            rows.clear();
        }
    }
    put(pipeline, &rows, &families).await
}

/// The way of all samples, refusals included.
async fn put(
    pipeline: &Pipeline,
    rows: &[Row],
    families: &[(String, Metadata)],
) -> anyhow::Result<()> {
    let families = families.iter().map(|(name, metadata)| (name.as_str(), metadata));
    let intake = pipeline.read_rows(rows, families, Refusals::default());
    let written = pipeline.write(Way::Import, intake).await.context("sample data")?;
    match written.refusals.total() {
        0 => Ok(()),
        refused => Err(anyhow!("{refused} samples of the made-up past were refused")),
    }
}
