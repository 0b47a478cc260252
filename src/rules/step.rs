//! One evaluation of an alerting rule: what was found and the time go in, and out come the
//! series to be written and whom to tell what. Live evaluation, backtests and unit tests of
//! rules all take this step.
//!
//! Time counts from evaluation to evaluation. What lies between two of them does not count when
//! it is not known to have been watched: our own downtime, a machine that slept, a clock that
//! jumped, evaluations that had to hold everything as it was. Such alerts are *frozen* at the last
//! evaluation that counted, and of the whole gap one interval counts when they thaw.

use std::collections::BTreeMap;

use crate::model::{
    Alert as ToldAlert, AlertKey, Evidence, Labels, OnFailure, Reading, Row, RuleMode, Severity,
    Timestamp,
};
use crate::promql::Value;

use super::alert::{Alert, AlertContext, AlertState};
use super::alert_rule::AlertRule;
use super::held::{held_alerts, stand_in};
use super::recording::RuleError;

/// How long an ended alert is remembered at least, so that it can be shown: 15 minutes.
const RESOLVED_RETENTION_MS: i64 = 15 * 60 * 1000;
/// Evaluations further apart than so many intervals were not late: the clock jumped, or nobody
/// was there.
const JUMP_INTERVALS: i64 = 5;

/// What asking a rule's query came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// An answer, which may be empty.
    Result(Value),
    /// An empty answer, and no selector of the query has any series in its window.
    NoData,
    /// No answer, and why.
    Failed(String),
}

/// One evaluation.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// How far back the query was asked, in milliseconds.
    pub query_offset_ms: i64,
    /// How long it is from one evaluation to the next, in milliseconds.
    pub interval_ms: i64,
    /// What was found.
    pub finding: Finding,
    /// Whether what is missing may be believed: false after a start until inputs are fresh.
    pub settled: bool,
}

/// Whom to tell what.
#[derive(Clone, Debug, PartialEq)]
pub enum Telling {
    /// An alert fires, or its rule's texts changed while it does.
    Firing(Box<ToldAlert>),
    /// An alert that was told as firing ended.
    Ended {
        /// Which.
        key: AlertKey,
        /// When.
        at: Timestamp,
    },
}

/// What an evaluation came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// `ALERTS` and `ALERTS_FOR_STATE`.
    pub rows: Vec<Row>,
    /// Whom to tell what; to be committed together with the new state.
    pub tellings: Vec<Telling>,
    /// How many elements the query's result had.
    pub size: usize,
    /// Why the rule could not be judged.
    pub error: Option<RuleError>,
    /// Alerts that stayed as they are, because nobody could judge them.
    pub kept: usize,
}

/// All alerts of one rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertStates {
    pub(super) alerts: BTreeMap<Labels, Alert>,
    /// The last evaluation.
    pub(super) evaluated_at: Option<Timestamp>,
    /// Whether its selectors ever had series.
    pub(super) had_data: bool,
}

impl AlertStates {
    /// The alerts that are pending or firing, by labels.
    pub fn active(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().filter(|alert| alert.is_active())
    }

    /// All alerts, those included that ended lately, by labels.
    pub fn all(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values()
    }

    /// The state of the rule: that of its alert which has come furthest.
    pub fn state(&self) -> AlertState {
        let states = self.alerts.values().map(|alert| alert.clocks.state);
        states.max().unwrap_or(AlertState::Inactive)
    }

    /// Whether the rule's selectors ever had series.
    pub fn had_data(&self) -> bool {
        self.had_data
    }

    /// Notes that the rule's selectors have series.
    pub fn note_data(&mut self) {
        self.had_data = true;
    }

    /// The rule means something else now: what is pending begins anew, what fires goes on until
    /// the new condition says otherwise.
    pub fn condition_changed(&mut self) {
        self.alerts.retain(|_, alert| alert.clocks.state != AlertState::Pending);
    }

    /// Ends everything: the rule is gone or paused. Nothing is remembered.
    pub fn end(&mut self, rule: &AlertRule, at: Timestamp) -> Vec<Telling> {
        let alerts = std::mem::take(&mut self.alerts).into_values();
        let told = alerts.filter(|alert| alert.clocks.told.is_some());
        told.map(|alert| Telling::Ended { key: key_of(rule, &alert.labels), at }).collect()
    }

    /// The rows of all active alerts for a time.
    pub fn rows(&self, rule: &AlertRule, at: Timestamp) -> Vec<Row> {
        let shadow = rule.mode == RuleMode::Shadow;
        self.active().flat_map(|alert| alert.rows(at, shadow)).collect()
    }
}

fn key_of(rule: &AlertRule, labels: &Labels) -> AlertKey {
    AlertKey::of(&rule.source, labels)
}

/// What becomes of alerts that are not among those that hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    /// They end.
    End,
    /// They stay, and their clocks stand still.
    Stay,
}

/// Evaluates a rule once: changes its state and gives what follows. Take it on a copy where the
/// state must not be adopted before it is durable.
pub fn evaluate_step(
    rule: &AlertRule,
    states: &mut AlertStates,
    step: Step,
    context: &AlertContext<'_>,
) -> Outcome {
    let Step { at, query_offset_ms, interval_ms, finding, settled } = step;
    let last = states.evaluated_at.replace(at);
    let gap_ms = last.map_or(0, |last| at.since(last));
    if gap_ms < 0 || gap_ms > interval_ms.saturating_mul(JUMP_INTERVALS) {
        let last = last.unwrap_or(at);
        states.alerts.values_mut().for_each(|alert| alert.clocks.freeze(last));
    }
    let mut outcome = Outcome::default();
    let (held, others) = judge(rule, states, finding, at, settled, context, &mut outcome);
    apply(rule, states, held, others, (at, last.unwrap_or(at), interval_ms), &mut outcome);
    outcome.rows = states.rows(rule, at.plus_millis(-query_offset_ms));
    tell(rule, states, at, context, &mut outcome);
    outcome
}

/// Which alerts hold, and what becomes of the others.
fn judge(
    rule: &AlertRule,
    states: &mut AlertStates,
    finding: Finding,
    at: Timestamp,
    settled: bool,
    context: &AlertContext<'_>,
    outcome: &mut Outcome,
) -> (BTreeMap<Labels, Alert>, Others) {
    let nothing = BTreeMap::new();
    let others_of_result = if settled { Others::End } else { Others::Stay };
    let fires = |labels: &Labels| {
        states.alerts.get(labels).is_some_and(|alert| alert.clocks.state == AlertState::Firing)
    };
    let (what, reason) = match finding {
        Finding::Result(value) => {
            outcome.size = size_of(&value);
            let held = held_alerts(rule, value, at, &fires, context)
                .and_then(|held| within_limit(rule, states, held));
            match held {
                Ok(held) => {
                    states.had_data |= outcome.size > 0;
                    return (held, others_of_result);
                }
                Err(error) => {
                    let reason = error.to_string();
                    outcome.error = Some(error);
                    (rule.on_error, format!("the evaluation failed: {reason}"))
                }
            }
        }
        Finding::NoData if !states.had_data && states.alerts.is_empty() => {
            return (nothing, Others::End);
        }
        Finding::NoData if !settled => return (nothing, Others::Stay),
        Finding::NoData => (rule.on_no_data, "there is no data".to_owned()),
        Finding::Failed(error) => {
            let reason = format!("the evaluation failed: {error}");
            outcome.error = Some(RuleError::Failed(error));
            (rule.on_error, reason)
        }
    };
    match what {
        OnFailure::Hold => (nothing, Others::Stay),
        OnFailure::Ok => (nothing, Others::End),
        OnFailure::Alert => match stand_in(rule, at, &reason) {
            Ok(alert) => (BTreeMap::from([(alert.labels.clone(), alert)]), Others::Stay),
            Err(error) => {
                outcome.error = Some(error);
                (nothing, Others::Stay)
            }
        },
    }
}

fn size_of(value: &Value) -> usize {
    match value {
        Value::Vector(samples) => samples.len(),
        _ => 1,
    }
}

/// Refuses more alerts than the rule may have: those that hold, and those that are kept firing.
fn within_limit(
    rule: &AlertRule,
    states: &AlertStates,
    held: BTreeMap<Labels, Alert>,
) -> Result<BTreeMap<Labels, Alert>, RuleError> {
    let kept = states.alerts.values().filter(|alert| {
        rule.keep_firing_for_ms > 0
            && alert.clocks.state == AlertState::Firing
            && !held.contains_key(&alert.labels)
    });
    let count = held.len() + kept.count();
    match rule.limit {
        limit if limit > 0 && count > limit => {
            Err(RuleError::Limit { limit, count, what: "alerts" })
        }
        _ => Ok(held),
    }
}

/// Moves every alert on.
fn apply(
    rule: &AlertRule,
    states: &mut AlertStates,
    mut held: BTreeMap<Labels, Alert>,
    others: Others,
    (at, last, interval_ms): (Timestamp, Timestamp, i64),
    outcome: &mut Outcome,
) {
    let forget_ms = rule.cooldown_ms.max(RESOLVED_RETENTION_MS);
    states.alerts.retain(|labels, alert| {
        let now_held = held.remove(labels);
        let clocks = &mut alert.clocks;
        match (clocks.state, now_held) {
            (AlertState::Inactive, Some(new)) => *alert = new,
            (AlertState::Inactive, None) => {
                return clocks.resolved_at.is_some_and(|ended| at.since(ended) <= forget_ms);
            }
            (AlertState::Pending | AlertState::Firing, Some(new)) => {
                clocks.thaw(at, interval_ms);
                clocks.keep_firing_since = None;
                alert.value = new.value;
                alert.annotations = new.annotations;
            }
            (AlertState::Pending | AlertState::Firing, None) if others == Others::Stay => {
                clocks.freeze(last);
                outcome.kept += 1;
                return true;
            }
            (AlertState::Pending, None) => return false,
            (AlertState::Firing, None) => {
                clocks.thaw(at, interval_ms);
                let keeps = rule.keep_firing_for_ms > 0
                    && at.since(*clocks.keep_firing_since.get_or_insert(at))
                        < rule.keep_firing_for_ms;
                if !keeps {
                    clocks.state = AlertState::Inactive;
                    clocks.resolved_at = Some(at);
                    clocks.keep_firing_since = None;
                }
                return true;
            }
        }
        fire_if_due(rule, alert, at);
        true
    });
    for (labels, mut alert) in held {
        fire_if_due(rule, &mut alert, at);
        states.alerts.insert(labels, alert);
    }
}

fn fire_if_due(rule: &AlertRule, alert: &mut Alert, at: Timestamp) {
    let clocks = &mut alert.clocks;
    if clocks.state == AlertState::Pending && at.since(clocks.active_at) >= rule.for_ms {
        clocks.state = AlertState::Firing;
        clocks.fired_at = Some(at);
    }
}

/// Compares what was told with what is.
fn tell(
    rule: &AlertRule,
    states: &mut AlertStates,
    at: Timestamp,
    context: &AlertContext<'_>,
    outcome: &mut Outcome,
) {
    let texts = rule.texts_hash();
    for alert in states.alerts.values_mut() {
        let is_due = rule.mode == RuleMode::Active && alert.clocks.state == AlertState::Firing;
        match (is_due, alert.clocks.told) {
            (true, told) if told != Some(texts) => {
                alert.clocks.told = Some(texts);
                outcome.tellings.push(Telling::Firing(Box::new(told_alert(rule, alert, context))));
            }
            (false, Some(_)) => {
                alert.clocks.told = None;
                let at = alert.clocks.resolved_at.unwrap_or(at);
                let key = key_of(rule, &alert.labels);
                outcome.tellings.push(Telling::Ended { key, at });
            }
            _ => {}
        }
    }
}

fn told_alert(rule: &AlertRule, alert: &Alert, context: &AlertContext<'_>) -> ToldAlert {
    let severity = alert.labels.get("severity").map(Severity::from_label).unwrap_or_default();
    ToldAlert {
        source: rule.source.clone(),
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        severity,
        starts_at: alert.clocks.active_at,
        ends_at: None,
        value: match alert.value {
            Reading::Float(value) if value.is_finite() => Some(value),
            _ => None,
        },
        generator_url: format!(
            "{}{}",
            context.external_url,
            super::template::table_link(&rule.query)
        ),
        channels: rule.channels.clone(),
        cooldown_ms: rule.cooldown_ms,
        evidence: Evidence { expression: rule.query.clone(), ..Evidence::default() },
    }
}
