//! Rules' states in the file: reading them at the start, and ending those whose rule is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::watch::{Batch, Signal};
use crate::model::{AlertKey, Labels, METRIC_NAME, MatchOp, Matcher, Timestamp, is_stale_nan};
use crate::promql::{Hints, Samples, Selection, Source};
use crate::rules::{
    ALERTS_FOR_STATE, AlertRule, AlertStates, Restored, SHADOW_LABEL, Saved, StoredState, Telling,
};
use crate::store::{DocumentKind, Table, Write, documents};
use crate::tsdb::Tsdb;

use super::alerting::{document_id, signal};

/// All states of rules in the file.
#[derive(Debug, Default)]
pub(super) struct Stored {
    rules: BTreeMap<String, Restored>,
    /// The last time at which each alert was written as pending or firing.
    alive: BTreeMap<Labels, Timestamp>,
}

impl Stored {
    /// Reads them. A document that cannot be read is reported and left out.
    pub(super) fn read(tsdb: &Arc<Tsdb>) -> Result<Stored, String> {
        tsdb.store().again(|| Self::read_once(tsdb))
    }

    fn read_once(tsdb: &Arc<Tsdb>) -> Result<Stored, String> {
        let mut rules: BTreeMap<String, Restored> = BTreeMap::new();
        let snapshot = tsdb.store().read().map_err(|error| error.to_string())?;
        let (kind, noun) = (DocumentKind::RuleState, "the state of an alert");
        let states = documents::<StoredState>(&snapshot, Table::Watch, kind, noun);
        for (id, state) in states.map_err(|error| error.to_string())? {
            let identity = id.split('/').next().unwrap_or_default().to_owned();
            let known = rules.entry(identity).or_default();
            match state {
                StoredState::Rule(rule) => known.rule = Some(rule),
                StoredState::Alert(alert) => known.alerts.push(*alert),
            }
        }
        let alive = alive(tsdb, &rules)?;
        Ok(Stored { rules, alive })
    }

    /// The state of a rule, if there is one.
    pub(super) fn take(
        &mut self,
        identity: &str,
        rule: &AlertRule,
        query_offset_ms: i64,
    ) -> Option<(AlertStates, Saved)> {
        let restored = self.rules.remove(identity)?;
        let alive =
            |labels: &Labels| self.alive.get(labels).map(|at| at.plus_millis(query_offset_ms));
        Some(restored.into_states(rule, alive))
    }

    /// What is left: rules that are gone.
    pub(super) fn into_gone(self, now: Timestamp) -> Vec<Gone> {
        let gone = self.rules.into_iter().map(|(identity, restored)| {
            let told = restored.alerts.iter().filter(|alert| alert.clocks.told.is_some());
            let signals = told.map(|alert| Signal::Ended {
                key: AlertKey::of(&alert.source, &alert.labels),
                at: now,
            });
            let signals = signals.collect();
            let ids = restored.alerts.iter().map(|a| crate::rules::alert_id(&a.labels));
            Gone::new(&identity, ids, signals)
        });
        gone.collect()
    }
}

/// When each alert was last written, from the series `ALERTS_FOR_STATE`.
fn alive(
    tsdb: &Arc<Tsdb>,
    rules: &BTreeMap<String, Restored>,
) -> Result<BTreeMap<Labels, Timestamp>, String> {
    let alerts = rules.values().flat_map(|restored| &restored.alerts);
    let running = alerts.filter(|alert| alert.clocks.run() && alert.clocks.frozen_since.is_none());
    let mut found: BTreeMap<Labels, Timestamp> = BTreeMap::new();
    let Some(start) = running.map(|alert| alert.written_at).min() else { return Ok(found) };
    let matcher = Matcher::new(METRIC_NAME, MatchOp::Equal, ALERTS_FOR_STATE)
        .map_err(|error| error.to_string())?;
    let selection = Selection {
        matchers: vec![matcher],
        // An hour for offsets of queries.
        start: start.plus_millis(-3_600_000),
        end: Timestamp::MAX,
        hints: Hints { newest: true, ..Hints::default() },
    };
    let reader = tsdb.reader().map_err(|error| error.to_string())?;
    let mut cursor = reader.select(&selection).map_err(|error| error.to_string())?;
    let mut samples = Samples::default();
    while let Some(labels) = cursor.next(&mut samples).map_err(|error| error.to_string())? {
        let last = samples.times.iter().zip(&samples.values).rev();
        let last = last.into_iter().find(|(_, value)| !is_stale_nan(**value));
        if let Some((at, _)) = last {
            let labels = labels.without(|name| name == METRIC_NAME || name == SHADOW_LABEL.0);
            let at = Timestamp::from_millis(*at);
            let known = found.entry(labels).or_insert(at);
            *known = (*known).max(at);
        }
    }
    Ok(found)
}

/// A rule that is gone: what is to be removed, and whom to tell that its alerts ended.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) batch: Batch,
}

impl Gone {
    fn new(identity: &str, ids: impl Iterator<Item = String>, signals: Vec<Signal>) -> Self {
        let kind = DocumentKind::RuleState;
        let ids = ids.map(|id| document_id(identity, Some(&id)));
        let ids = ids.chain([document_id(identity, None)]);
        let writes = ids.map(|id| Write::no_document(Table::Watch, kind, &id)).collect();
        Gone { batch: Batch { writes, signals, ..Batch::default() } }
    }

    /// Of a rule that was evaluated until now; `None` if there is nothing to do.
    pub(super) fn of(identity: &str, saved: &Saved, tellings: Vec<Telling>) -> Option<Self> {
        if saved.is_empty() && tellings.is_empty() {
            return None;
        }
        let signals = tellings.into_iter().map(signal).collect();
        Some(Gone::new(identity, saved.ids(), signals))
    }
}
