//! What is remembered of a rule's last evaluations, so that people can see why it fired or did
//! not.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Labels, Reading, RuleMode, Timestamp};
use crate::promql::Value;

use super::alert::AlertState;
use super::alert_rule::AlertRule;
use super::step::{AlertStates, Finding, Outcome};

/// Evaluations that are remembered of each rule.
pub const EVALUATIONS_KEPT: usize = 120;
/// Alerts that an evaluation shows, and elements of its result.
const SHOWN_MAX: usize = 10;

/// What an evaluation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// An answer.
    Result,
    /// An empty answer, and no series that could give another.
    NoData,
    /// No answer.
    Failed,
    /// It was not asked: its metrics do not exist yet.
    Waiting,
}

impl Found {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Found::Result => "result",
            Found::NoData => "no_data",
            Found::Failed => "error",
            Found::Waiting => "waiting",
        }
    }
}

/// One alert as an evaluation left it.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownAlert {
    /// Its labels.
    pub labels: Labels,
    /// Its value; none of a histogram.
    pub value: Option<f64>,
    /// How far it has come.
    pub state: AlertState,
    /// Since when it holds.
    pub active_at: Timestamp,
    /// While it is pending: when it fires if it goes on.
    pub pending_until: Option<Timestamp>,
    /// While it no longer holds: when it ends unless it holds again.
    pub keep_firing_until: Option<Timestamp>,
    /// After its end: until when a new beginning is none.
    pub cooldown_until: Option<Timestamp>,
    /// Its clocks stand still since then.
    pub frozen_since: Option<Timestamp>,
    /// Whether it was told as firing.
    pub told: bool,
}

/// One evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// When.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What it found.
    pub found: Found,
    /// How many elements the result had.
    pub size: usize,
    /// The first elements of the result.
    pub values: Box<[(Labels, f64)]>,
    /// Why it could not be judged.
    pub error: Option<String>,
    /// How the rule counted.
    pub mode: RuleMode,
    /// Whether what was missing was believed; see [`super::Step::settled`].
    pub settled: bool,
    /// How many alerts it has, of each state: inactive, pending, firing.
    pub counts: [usize; 3],
    /// The first of its alerts, those that have come furthest first.
    pub alerts: Box<[ShownAlert]>,
}

/// The last evaluations, the newest last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluations(VecDeque<Evaluation>);

impl Evaluations {
    /// Adds one and forgets the oldest.
    pub fn push(&mut self, evaluation: Evaluation) {
        if self.0.len() == EVALUATIONS_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(evaluation);
    }

    /// From the oldest to the newest.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Evaluation> {
        self.0.iter()
    }
}

/// The first elements of a result, for [`Evaluation::values`].
pub fn shown_values(finding: &Finding) -> Box<[(Labels, f64)]> {
    match finding {
        Finding::Result(Value::Vector(samples)) => samples
            .iter()
            .take(SHOWN_MAX)
            .map(|sample| (sample.labels.clone(), sample.sample.value))
            .collect(),
        Finding::Result(Value::Scalar(sample)) => Box::new([(Labels::empty(), sample.value)]),
        _ => Box::default(),
    }
}

/// The clocks of a rule's alerts, for people; those that have come furthest first.
pub fn shown_alerts(rule: &AlertRule, states: &AlertStates, max: usize) -> Vec<ShownAlert> {
    let mut alerts: Vec<_> = states.all().collect();
    alerts.sort_by_key(|alert| std::cmp::Reverse(alert.clocks.state));
    alerts.truncate(max);
    let shown = alerts.into_iter().map(|alert| {
        let clocks = alert.clocks;
        ShownAlert {
            labels: alert.labels.clone(),
            value: match alert.value {
                Reading::Float(value) => Some(value),
                Reading::Histogram(_) => None,
            },
            state: clocks.state,
            active_at: clocks.active_at,
            pending_until: (clocks.state == AlertState::Pending)
                .then(|| clocks.active_at.plus_millis(rule.for_ms)),
            keep_firing_until: clocks
                .keep_firing_since
                .map(|since| since.plus_millis(rule.keep_firing_for_ms)),
            cooldown_until: clocks
                .resolved_at
                .filter(|_| clocks.state == AlertState::Inactive && rule.cooldown_ms > 0)
                .map(|ended| ended.plus_millis(rule.cooldown_ms)),
            frozen_since: clocks.frozen_since,
            told: clocks.told.is_some(),
        }
    });
    shown.collect()
}

impl Evaluation {
    /// What is remembered of an evaluation.
    pub fn of(
        rule: &AlertRule,
        states: &AlertStates,
        at: Timestamp,
        found: Found,
        outcome: &Outcome,
    ) -> Self {
        let mut counts = [0; 3];
        for alert in states.all() {
            counts[alert.clocks.state as usize] += 1;
        }
        Evaluation {
            at,
            took: Duration::ZERO,
            found,
            size: outcome.size,
            values: Box::default(),
            error: outcome.error.as_ref().map(ToString::to_string),
            mode: rule.mode,
            settled: true,
            counts,
            alerts: shown_alerts(rule, states, SHOWN_MAX).into(),
        }
    }
}
