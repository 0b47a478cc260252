//! What an alerting rule is once everything about it is decided: the form that is evaluated,
//! whether it comes from a rule file or is one of ours.

use crate::model::{AlertSource, Name, OnFailure, Operator, RuleMode};
use crate::promql::Expr;

use super::file::{Rule, RuleKind};

/// When an element of the query's result holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// Always: the query itself compares.
    Present,
    /// By its value. NaN never holds, and neither does a histogram.
    Compare {
        /// How it compares.
        operator: Operator,
        /// With what.
        enter: f64,
        /// With what once its alert fires (hysteresis).
        exit: Option<f64>,
    },
}

/// Whether a value stands to a threshold as the operator says; NaN to none.
pub fn compares(value: f64, operator: Operator, threshold: f64) -> bool {
    if value.is_nan() {
        return false;
    }
    match operator {
        Operator::Above => value > threshold,
        Operator::Below => value < threshold,
        Operator::AtLeast => value >= threshold,
        Operator::AtMost => value <= threshold,
        Operator::Equal => value == threshold,
        Operator::NotEqual => value != threshold,
    }
}

/// An alerting rule, ready for [`super::evaluate_step`].
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRule {
    /// The alert's name.
    pub name: String,
    /// Where it stands; part of its alerts' keys.
    pub source: AlertSource,
    /// What is asked. With [`Condition::Compare`] it gives values that are judged afterwards.
    pub expr: Expr,
    /// The whole condition as PromQL, for people.
    pub query: String,
    /// When an element of the result holds.
    pub condition: Condition,
    /// Templates of labels, sorted by name.
    pub labels: Vec<(String, String)>,
    /// Templates of texts for people, sorted by name.
    pub annotations: Vec<(String, String)>,
    /// How long an alert must hold before it fires, in milliseconds.
    pub for_ms: i64,
    /// How long an alert fires on once it no longer holds, in milliseconds.
    pub keep_firing_for_ms: i64,
    /// How long after an end a new beginning is none, in milliseconds.
    pub cooldown_ms: i64,
    /// The most alerts; 0 for any number.
    pub limit: usize,
    /// What it means that the query's selectors have no series at all.
    pub on_no_data: OnFailure,
    /// What a failed evaluation means.
    pub on_error: OnFailure,
    /// Whether it counts.
    pub mode: RuleMode,
    /// Who is told; the routes decide when empty.
    pub channels: Vec<Name>,
    /// Whether it waits until its metrics exist: a rule that is built in.
    pub waits_for_data: bool,
}

impl AlertRule {
    /// The alerting rule of a rule file; `None` for a recording rule. No data means that nothing
    /// holds, as in Prometheus; a failed evaluation holds everything as it is.
    pub fn of_file(file: &str, group: &str, limit: usize, rule: &Rule) -> Option<AlertRule> {
        let RuleKind::Alerting { for_ms, keep_firing_for_ms, annotations } = &rule.kind else {
            return None;
        };
        Some(AlertRule {
            name: rule.name.clone(),
            source: AlertSource::Rule {
                file: file.to_owned(),
                group: group.to_owned(),
                name: rule.name.clone(),
            },
            expr: rule.expr.clone(),
            query: rule.query.clone(),
            condition: Condition::Present,
            labels: rule.labels.clone(),
            annotations: annotations.clone(),
            for_ms: *for_ms,
            keep_firing_for_ms: *keep_firing_for_ms,
            cooldown_ms: 0,
            limit,
            on_no_data: OnFailure::Ok,
            on_error: OnFailure::Hold,
            mode: RuleMode::Active,
            channels: Vec::new(),
            waits_for_data: false,
        })
    }

    /// What makes it the same rule after a reload or restart, as 32 hexadecimal digits. A rule of
    /// a file is known by file, group, name and labels (`CopyState` in `rules/group.go`), and by
    /// its `occurrence` among those that share all of that; a rule of ours by its name.
    pub fn identity(&self, occurrence: usize) -> String {
        let AlertSource::Rule { file, group, name } = &self.source else {
            return String::new();
        };
        let mut text = format!("{file}\0{group}\0{name}\0{occurrence}");
        if !group.is_empty() {
            for (name, value) in &self.labels {
                text.push_str(&format!("\0{name}\0{value}"));
            }
        }
        format!("{:032x}", xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
    }

    /// Changes with what is told along with its alerts: texts, channels, cooldown.
    pub fn texts_hash(&self) -> u64 {
        let text = format!("{:?}", (&self.annotations, &self.channels, self.cooldown_ms));
        xxhash_rust::xxh3::xxh3_64(text.as_bytes())
    }

    /// Changes with what an alert must hold: when it does, pending clocks start anew.
    pub fn condition_hash(&self) -> u64 {
        let text = format!("{}\0{:?}", self.query, self.condition);
        xxhash_rust::xxh3::xxh3_64(text.as_bytes())
    }
}
