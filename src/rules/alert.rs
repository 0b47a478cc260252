//! The life of alerts: pending, firing, kept firing, gone (`rules/alerting.go`).
//!
//! Pure: an evaluation hands a query's result and the time in, and gets the series that are to
//! be written. Who is told is decided elsewhere.

use std::collections::BTreeMap;

use crate::model::{Labels, LabelsBuilder, METRIC_NAME, Reading, Row, Timestamp};
use crate::promql::Value;

use super::file::{Rule, RuleKind};
use super::recording::{RuleError, reading, vector_of};
use super::template::{AskQuery, Context, Template, Value as TemplateValue};

/// The label with the alert's name.
const ALERT_NAME: &str = "alertname";
/// The label of `ALERTS` with the state.
const ALERT_STATE: &str = "alertstate";

/// How far an alert has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// It held, and no longer does.
    Inactive,
    /// It holds, not yet for long enough.
    Pending,
    /// It holds, or did within `keep_firing_for`.
    Firing,
}

impl AlertState {
    /// The word in `ALERTS` and in `/api/v1/rules`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AlertState::Inactive => "inactive",
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
        }
    }
}

/// One alert of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Its labels, `alertname` among them.
    pub labels: Labels,
    /// Texts for people.
    pub annotations: Vec<(String, String)>,
    /// How far it has come.
    pub state: AlertState,
    /// The value that made it, of the last evaluation in which it held.
    pub value: Reading,
    /// Since when it holds.
    pub active_at: Timestamp,
    /// Since when it fires.
    pub fired_at: Option<Timestamp>,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
    /// Since when it fires though it no longer holds.
    pub keep_firing_since: Option<Timestamp>,
}

/// How long an ended alert is remembered, so that it can be told as ended: 15 minutes.
const RESOLVED_RETENTION_MS: i64 = 15 * 60 * 1000;

/// What templates of alerts may use besides the alert itself.
pub struct AlertContext<'a> {
    /// `$externalLabels`
    pub external_labels: &'a Labels,
    /// `$externalURL`
    pub external_url: &'a str,
    /// Answers `query` at the time of the evaluation.
    pub query: AskQuery<'a>,
}

/// All alerts of one rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertStates {
    alerts: BTreeMap<Labels, Alert>,
}

impl AlertStates {
    /// The alerts that are pending or firing, by labels.
    pub fn active(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().filter(|alert| alert.state != AlertState::Inactive)
    }

    /// The state of the rule: that of its alert which has come furthest.
    pub fn state(&self) -> AlertState {
        self.alerts.values().map(|alert| alert.state).max().unwrap_or(AlertState::Inactive)
    }

    /// Takes the result of the rule's query of the time `at` (asked `query_offset_ms` earlier)
    /// and gives `ALERTS` and `ALERTS_FOR_STATE`. `limit`: the most alerts, 0 for any number.
    ///
    /// # Errors
    ///
    /// Two alerts with the same labels, more alerts than `limit` (then there is none any more),
    /// a result that is no vector.
    pub fn evaluate(
        &mut self,
        rule: &Rule,
        result: Value,
        at: Timestamp,
        query_offset_ms: i64,
        limit: usize,
        context: &AlertContext<'_>,
    ) -> Result<Vec<Row>, RuleError> {
        let RuleKind::Alerting { for_ms, keep_firing_for_ms, annotations } = &rule.kind else {
            return Err(RuleError::Failed("not an alerting rule".to_owned()));
        };
        let held = instances(rule, annotations, result, at, context)?;
        for alert in held.values() {
            match self.alerts.get_mut(&alert.labels) {
                Some(known) if known.state != AlertState::Inactive => {
                    known.value = alert.value.clone();
                    known.annotations = alert.annotations.clone();
                }
                _ => {
                    self.alerts.insert(alert.labels.clone(), alert.clone());
                }
            }
        }
        let mut rows = Vec::new();
        let mut count = 0;
        self.alerts.retain(|labels, alert| {
            if held.contains_key(labels) {
                alert.keep_firing_since = None;
            } else {
                let keeps = *keep_firing_for_ms > 0
                    && alert.state == AlertState::Firing
                    && at.since(*alert.keep_firing_since.get_or_insert(at)) < *keep_firing_for_ms;
                if !keeps {
                    let long_gone = alert
                        .resolved_at
                        .is_some_and(|ended| at.since(ended) > RESOLVED_RETENTION_MS);
                    let forgets = alert.state == AlertState::Pending || long_gone;
                    if alert.state != AlertState::Inactive {
                        alert.state = AlertState::Inactive;
                        alert.resolved_at = Some(at);
                    }
                    return !forgets;
                }
            }
            count += 1;
            if alert.state == AlertState::Pending && at.since(alert.active_at) >= *for_ms {
                alert.state = AlertState::Firing;
                alert.fired_at = Some(at);
            }
            rows.extend(series_of(alert, at.plus_millis(-query_offset_ms)));
            true
        });
        if limit > 0 && count > limit {
            self.alerts.clear();
            return Err(RuleError::Limit { limit, count, what: "alerts" });
        }
        Ok(rows)
    }
}

/// The alerts that hold, each as if it were new.
fn instances(
    rule: &Rule,
    annotations: &[(String, String)],
    result: Value,
    at: Timestamp,
    context: &AlertContext<'_>,
) -> Result<BTreeMap<Labels, Alert>, RuleError> {
    let label_templates = Templates::read(&rule.name, &rule.labels);
    let annotation_templates = Templates::read(&rule.name, annotations);
    let mut held = BTreeMap::new();
    for sample in vector_of(result)? {
        let value = reading(&sample);
        let template_context = Context {
            labels: &sample.labels,
            external_labels: context.external_labels,
            external_url: context.external_url,
            value: match &value {
                Reading::Float(value) => TemplateValue::Float(*value),
                Reading::Histogram(histogram) => TemplateValue::Histogram(histogram.clone()),
            },
            at,
            query: context.query,
        };
        let mut labels = LabelsBuilder::new(&sample.labels);
        labels.remove(METRIC_NAME);
        for (name, text) in label_templates.expand(&template_context) {
            labels.set(&name, &text);
        }
        labels.set(ALERT_NAME, &rule.name);
        let labels = labels.build().map_err(|error| RuleError::Labels(error.to_string()))?;
        let alert = Alert {
            labels: labels.clone(),
            annotations: annotation_templates.expand(&template_context),
            state: AlertState::Pending,
            value,
            active_at: at,
            fired_at: None,
            resolved_at: None,
            keep_firing_since: None,
        };
        if held.insert(labels, alert).is_some() {
            return Err(RuleError::Duplicate("alert"));
        }
    }
    Ok(held)
}

/// Named templates, read once per evaluation.
struct Templates(Vec<(String, Result<Template, String>)>);

impl Templates {
    fn read(alert: &str, texts: &[(String, String)]) -> Self {
        let name = format!("__alert_{alert}");
        let read = |text: &str| Template::parse(&name, text).map_err(|error| error.to_string());
        Templates(texts.iter().map(|(name, text)| (name.clone(), read(text))).collect())
    }

    /// The texts. A template that fails gives its error as the text, as in Prometheus: an alert
    /// with a poor text is better than none.
    fn expand(&self, context: &Context<'_>) -> Vec<(String, String)> {
        let expanded = self.0.iter().map(|(name, template)| {
            let text = match template {
                Ok(template) => template
                    .expand(context)
                    .map_err(|error| format!("error executing template {}: {error}", error.name)),
                Err(error) => Err(error.clone()),
            };
            (name.clone(), text.unwrap_or_else(|e| format!("<error expanding template: {e}>")))
        });
        expanded.collect()
    }
}

fn series_of(alert: &Alert, at: Timestamp) -> Vec<Row> {
    let named = |name: &str, state: Option<&str>, value: f64| {
        let mut labels = LabelsBuilder::new(&alert.labels);
        labels.set(METRIC_NAME, name);
        if let Some(state) = state {
            labels.set(ALERT_STATE, state);
        }
        // Labels with more labels are valid again.
        labels.build().ok().map(|labels| Row { labels, at, value: value.into() })
    };
    let since = alert.active_at.millis().div_euclid(1000) as f64;
    let state = alert.state.as_str();
    [named("ALERTS", Some(state), 1.0), named("ALERTS_FOR_STATE", None, since)]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sample;
    use crate::promql::VectorSample;
    use crate::rules::RuleFile;

    fn rule(extra: &str) -> Rule {
        let text = format!("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x > 0\n{extra}");
        RuleFile::parse("f", &text).expect("valid").groups.remove(0).rules.remove(0)
    }

    fn holds(zones: &[&str]) -> Value {
        let one = |zone: &&str| VectorSample {
            labels: Labels::from_pairs([("__name__", "x"), ("zone", *zone)]).expect("valid"),
            sample: Sample::new(0, 5.0),
            histogram: None,
        };
        Value::Vector(zones.iter().map(one).collect())
    }

    struct Life {
        rule: Rule,
        states: AlertStates,
    }

    impl Life {
        fn new(extra: &str) -> Self {
            Life { rule: rule(extra), states: AlertStates::default() }
        }

        /// Evaluates at a second; gives the series but `ALERTS_FOR_STATE`.
        fn at(&mut self, second: i64, zones: &[&str]) -> Vec<String> {
            let empty = Labels::empty();
            let query = |_: &str| Ok(Vec::new());
            let context = AlertContext { external_labels: &empty, external_url: "", query: &query };
            let at = Timestamp::from_millis(second * 1000);
            let rows = self.states.evaluate(&self.rule, holds(zones), at, 0, 0, &context);
            let rows = rows.expect("evaluates");
            rows.iter()
                .filter(|row| row.labels.metric_name() == Some("ALERTS"))
                .map(|row| row.labels.get(ALERT_STATE).unwrap_or_default().to_owned())
                .collect()
        }
    }

    #[test]
    fn an_alert_is_pending_until_it_held_for_long_enough() {
        let mut life = Life::new("    for: 1m\n");
        assert_eq!(life.at(0, &["a"]), ["pending"]);
        assert_eq!(life.at(59, &["a"]), ["pending"]);
        assert_eq!(life.at(60, &["a"]), ["firing"]);
        assert!(life.at(61, &[]).is_empty());
        assert_eq!(life.at(62, &["a"]), ["pending"], "the clock starts anew");
    }

    #[test]
    fn an_interruption_while_pending_starts_the_clock_anew() {
        let mut life = Life::new("    for: 1m\n");
        life.at(0, &["a"]);
        life.at(30, &[]);
        life.at(40, &["a"]);
        assert_eq!(life.at(70, &["a"]), ["pending"]);
        assert_eq!(life.at(100, &["a"]), ["firing"]);
    }

    #[test]
    fn an_alert_keeps_firing_for_a_while() {
        let mut life = Life::new("    keep_firing_for: 1m\n");
        assert_eq!(life.at(0, &["a"]), ["firing"]);
        assert_eq!(life.at(10, &[]), ["firing"]);
        assert_eq!(life.at(69, &[]), ["firing"]);
        // It held again: the time starts anew.
        assert_eq!(life.at(69, &["a"]), ["firing"]);
        assert_eq!(life.at(80, &[]), ["firing"]);
        assert!(life.at(140, &[]).is_empty());
    }

    #[test]
    fn labels_and_annotations_are_templates_and_the_name_wins() {
        let extra = "    labels: {zone: 'z-{{ $labels.zone }}', alertname: other}\n    \
                     annotations: {text: '{{ $value }} of {{ $labels.__name__ }}'}\n";
        let mut life = Life::new(extra);
        life.at(0, &["a"]);
        let alert = life.states.active().next().expect("one").clone();
        assert_eq!(alert.labels.to_string(), "{alertname=\"A\", zone=\"z-a\"}");
        assert_eq!(alert.annotations, [("text".to_owned(), "5 of x".to_owned())]);
    }

    #[test]
    fn too_many_alerts_are_none() {
        let mut life = Life::new("");
        let empty = Labels::empty();
        let query = |_: &str| Ok(Vec::new());
        let context = AlertContext { external_labels: &empty, external_url: "", query: &query };
        let at = Timestamp::from_millis(0);
        let error = life
            .states
            .evaluate(&life.rule, holds(&["a", "b"]), at, 0, 1, &context)
            .expect_err("too many");
        assert_eq!(error.to_string(), "exceeded limit of 1 with 2 alerts");
        assert_eq!(life.states.state(), AlertState::Inactive);
    }
}
