//! Experiments before the demo began, and versions of configurations.

use std::sync::Arc;

use anyhow::anyhow;
use serde_json::{Value, json};

use super::dice::Dice;
use super::past::Story;
use crate::clock::{Clock, ManualClock};
use crate::engine::Pipeline;
use crate::engine::configurations::{Configurations, Draft, DraftValue};
use crate::engine::experiments::ledger::Ledger;
use crate::engine::experiments::runtime::{Experiments, Parts};
use crate::engine::watch::{Catalog, Watch};
use crate::experiments::Board;
use crate::experiments::machine::Act;
use crate::model::{ExperimentDefinition, Name, ResultEntry};

const HALF_DAY_MS: i64 = 43_200_000;
/// The experiment that goes on.
pub(super) const RUNNING: &str = "one-page-checkout";
const DECIDED: &str = "assistant-answers";
/// When they began and ended, in half days ago.
const DECIDED_BEGAN: i64 = 26;
const DECIDED_ENDED: i64 = 9;
const RUNNING_BEGAN: i64 = 17;
/// Units of one half day.
const UNITS: u64 = 640;

/// The experiments: one that was decided, one that goes on and one that waits.
fn definitions() -> [Value; 3] {
    let two = |treatment: &str, configuration: Value| {
        json!([
            {"name": "control", "traffic_weight": 50, "is_control": true},
            {"name": treatment, "traffic_weight": 50, "configuration": configuration},
        ])
    };
    [
        json!({
            "name": DECIDED, "feature": "assistant", "created_by": "mara",
            "description": "Answers of the large model, or of the small one with a longer prompt",
            "hypothesis": "The small model helps as often and costs a tenth",
            "variants": two("small", json!({"model": "small-2"})),
            "metrics": [
                {"name": "helped", "estimator": "proportion", "better": "higher",
                 "minimum_detectable_effect": 0.03},
                {"name": "cost", "kind": "cost", "better": "lower", "role": "secondary",
                 "cap_high": 1.0},
                {"name": "latency_ms", "kind": "latency", "better": "lower", "role": "guardrail",
                 "margin": 100, "cap_high": 10000}],
        }),
        json!({
            "name": RUNNING, "feature": "checkout", "created_by": "ines",
            "description": "All of the checkout on one page",
            "hypothesis": "Fewer people leave when they see how little is left to do",
            "variants": two("one-page", json!({"pages": 1})),
            "metrics": [
                {"name": "ordered", "estimator": "proportion", "better": "higher",
                 "minimum_detectable_effect": 0.015},
                {"name": "basket", "kind": "custom", "better": "higher", "role": "secondary",
                 "cap_high": 400.0},
                {"name": "latency_ms", "kind": "latency", "better": "lower", "role": "guardrail",
                 "margin": 20, "cap_high": 5000}],
        }),
        json!({
            "name": "covers-first", "feature": "recommendations", "created_by": "jonas",
            "description": "Recommendations as covers instead of a list",
            "hypothesis": "Covers are looked at longer and bought more often",
            "variants": two("covers", json!({"layout": "covers"})),
            "metrics": [{"name": "clicked", "estimator": "proportion", "better": "higher",
                         "minimum_detectable_effect": 0.01}],
        }),
    ]
}

/// What one more unit of an experiment gives.
pub(super) fn results_of(dice: &mut Dice, experiment: &str, unit: u64) -> Vec<ResultEntry> {
    let treated = dice.chance(0.5);
    let (treatment, metrics): (&str, [(&str, f64); 3]) = if experiment == RUNNING {
        let ordered = dice.chance(if treated { 0.121 } else { 0.103 });
        let basket =
            if ordered { dice.skewed(if treated { 29.0 } else { 28.4 }, 0.5) } else { 0.0 };
        let latency = dice.skewed(if treated { 186.0 } else { 181.0 }, 0.4);
        let ordered = f64::from(u8::from(ordered));
        ("one-page", [("ordered", ordered), ("basket", basket), ("latency_ms", latency)])
    } else {
        let helped = dice.chance(if treated { 0.792 } else { 0.741 });
        let cost = dice.skewed(if treated { 0.002 } else { 0.019 }, 0.5);
        let latency = dice.skewed(if treated { 430.0 } else { 890.0 }, 0.45);
        let helped = f64::from(u8::from(helped));
        ("small", [("helped", helped), ("cost", cost), ("latency_ms", latency)])
    };
    let variant = if treated { treatment } else { "control" };
    metrics
        .into_iter()
        .map(|(metric, value)| ResultEntry {
            unit: Some(format!("reader-{unit}")),
            variant: Some(variant.to_owned()),
            metric: metric.to_owned(),
            value: Some((value * 1e4).round() / 1e4),
            ..ResultEntry::default()
        })
        .collect()
}

/// Everything that runs experiments, on a clock that is moved by hand.
struct Laboratory {
    parts: Parts,
    clock: Arc<ManualClock>,
}

impl Laboratory {
    /// Takes up what is defined and looks at what came in; each such look is a point of the
    /// timeline of estimates.
    async fn look(&self, acts: &[(&str, Act, &str)]) -> anyhow::Result<()> {
        let parts = Parts {
            store: Arc::clone(&self.parts.store),
            watch: self.parts.watch.clone(),
            catalog: Arc::clone(&self.parts.catalog),
            ledger: self.parts.ledger.clone(),
            board: Arc::clone(&self.parts.board),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        };
        let experiments = Experiments::start(parts).map_err(|error| anyhow!(error))?;
        experiments.settled().await;
        for (name, act, by) in acts {
            experiments.act(name, act.clone(), by, "").await?;
        }
        experiments.stop().await;
        Ok(())
    }

    async fn define(&self, definition: &Value) -> anyhow::Result<()> {
        let definition: ExperimentDefinition = serde_json::from_value(definition.clone())?;
        let definitions = &self.parts.catalog.experiments;
        definitions.create(&self.parts.watch, definition, self.clock.now()).await?;
        Ok(())
    }
}

/// Writes them. The clock ends at the end of the past.
pub(super) async fn write(
    pipeline: &Pipeline,
    watch: &Watch,
    clock: &Arc<ManualClock>,
    story: &Story,
) -> anyhow::Result<()> {
    let (tsdb, board) = (pipeline.tsdb(), Arc::<Board>::default());
    let now = Arc::clone(clock) as Arc<dyn Clock>;
    let ledger = Ledger::start(Arc::clone(tsdb), Arc::clone(&board), Arc::clone(&now))
        .map_err(|error| anyhow!(error))?;
    let store = Arc::clone(tsdb.store());
    let catalog = Arc::new(Catalog::open(&store)?);
    configured(watch, Configurations::open(Arc::clone(&store))?, story).await?;
    let parts = Parts { store, watch: watch.clone(), catalog, ledger, board, clock: now };
    let laboratory = Laboratory { parts, clock: Arc::clone(clock) };
    let [decided, running, waiting] = definitions();
    let mut dice = Dice::new(story.seed, "experiments");
    let mut unit = 0;
    let first = (story.history_ms / HALF_DAY_MS).clamp(2, DECIDED_BEGAN);
    // Of a shorter past there is less between the same events.
    let place = |half_days: i64| half_days.min(first - 1);
    for ago in (0..=first).rev() {
        clock.set(story.now.plus_millis(-ago * HALF_DAY_MS - 1));
        let mut acts = Vec::new();
        if ago == first {
            laboratory.define(&decided).await?;
            acts.push((DECIDED, Act::Start, "mara"));
        }
        if ago == place(RUNNING_BEGAN) {
            laboratory.define(&running).await?;
            acts.push((RUNNING, Act::Start, "ines"));
        }
        if ago == place(DECIDED_ENDED) {
            let ship = Some("small".to_owned());
            acts.push((DECIDED, Act::Complete { ship }, "mara"));
        }
        laboratory.look(&acts).await?;
        let mut send = Vec::new();
        if ago > place(DECIDED_ENDED) {
            send.push(DECIDED);
        }
        if ago > 0 && ago <= place(RUNNING_BEGAN) {
            send.push(RUNNING);
        }
        clock.advance_ms(HALF_DAY_MS / 2);
        for name in send {
            let mut entries = Vec::new();
            for _ in 0..UNITS {
                unit += 1;
                entries.extend(results_of(&mut dice, name, unit));
            }
            laboratory.parts.ledger.results(&Name::new(name)?, entries, None).await?;
        }
    }
    clock.set(story.now);
    laboratory.define(&waiting).await?;
    laboratory.look(&[]).await?;
    laboratory.parts.ledger.close().await;
    Ok(())
}

/// Versions of the features' configurations.
async fn configured(
    watch: &Watch,
    configurations: Configurations,
    story: &Story,
) -> anyhow::Result<()> {
    let versions = [
        (
            12,
            "assistant",
            "mara",
            "The first prompt",
            json!({"model": "large-1", "prompt": "Answer questions about books and orders.", "limit": 400}),
        ),
        (
            8,
            "assistant",
            "mara",
            "Shorter answers",
            json!({"model": "large-1", "prompt": "Answer questions about books and orders in at most three sentences.", "limit": 200}),
        ),
        (
            4,
            "assistant",
            "mara",
            "Ship the small model",
            json!({"model": "small-2", "prompt": "Answer questions about books and orders in at most three sentences. Say so when you do not know.", "limit": 200}),
        ),
        (
            10,
            "checkout",
            "ines",
            "Cards and transfer",
            json!({"pages": 3, "methods": ["cards", "transfer"]}),
        ),
        (6, "recommendations", "jonas", "More of them", json!({"count": 12, "model": "small-2"})),
    ];
    for (days, feature, author, comment, value) in versions {
        let draft = Draft {
            value: DraftValue::Given(value),
            author: author.to_owned(),
            comment: comment.to_owned(),
            follows: None,
        };
        let at = story.now.plus_millis(-days * 2 * HALF_DAY_MS);
        configurations.put(watch, &Name::new(feature)?, draft, at).await?;
    }
    Ok(())
}
