//! Which alerts hold by a query's result.

use std::collections::BTreeMap;

use crate::model::{Labels, LabelsBuilder, METRIC_NAME, Reading, Timestamp};
use crate::promql::{Value, VectorSample};

use super::alert::{ALERT_NAME, Alert, AlertContext, Clocks};
use super::alert_rule::{AlertRule, Condition, compares};
use super::recording::{RuleError, reading, vector_of};
use super::template::{Context, Template, Value as TemplateValue};

/// The alerts that hold, each as if it were new. `fires` says whether the alert with these labels
/// fires now, which is judged by the exit threshold.
pub(super) fn held_alerts(
    rule: &AlertRule,
    result: Value,
    at: Timestamp,
    fires: &dyn Fn(&Labels) -> bool,
    context: &AlertContext<'_>,
) -> Result<BTreeMap<Labels, Alert>, RuleError> {
    let mut held = BTreeMap::new();
    let samples = vector_of(result)?;
    if samples.is_empty() {
        return Ok(held);
    }
    let label_templates = Templates::read(&rule.name, &rule.labels);
    let annotation_templates = Templates::read(&rule.name, &rule.annotations);
    for sample in samples {
        let (enters, stays) = judge(&rule.condition, &sample);
        if !enters && !stays {
            continue;
        }
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
        if !enters && !fires(&labels) {
            continue;
        }
        let alert = Alert {
            labels: labels.clone(),
            annotations: annotation_templates.expand(&template_context),
            value,
            clocks: Clocks::beginning(at),
        };
        if held.insert(labels, alert).is_some() {
            return Err(RuleError::Duplicate("alert"));
        }
    }
    Ok(held)
}

/// Whether a new alert would begin with this value, and whether one that fires goes on.
fn judge(condition: &Condition, sample: &VectorSample) -> (bool, bool) {
    match condition {
        Condition::Present => (true, true),
        Condition::Compare { .. } if sample.histogram.is_some() => (false, false),
        Condition::Compare { operator, enter, exit } => {
            let value = sample.sample.value;
            let enters = compares(value, *operator, *enter);
            let stays = exit.map_or(enters, |exit| compares(value, *operator, exit));
            (enters, stays)
        }
    }
}

/// The one alert that stands for a rule without data or without an answer: it has the rule's own
/// labels as far as they are no templates, and says why in the annotation `reason`.
pub(super) fn stand_in(rule: &AlertRule, at: Timestamp, reason: &str) -> Result<Alert, RuleError> {
    let mut labels = LabelsBuilder::default();
    for (name, text) in rule.labels.iter().filter(|(_, text)| !text.contains("{{")) {
        labels.set(name, text);
    }
    labels.set(ALERT_NAME, &rule.name);
    let labels = labels.build().map_err(|error| RuleError::Labels(error.to_string()))?;
    let plain = rule.annotations.iter().filter(|(_, text)| !text.contains("{{"));
    let mut annotations: BTreeMap<String, String> = plain.cloned().collect();
    annotations.insert("reason".to_owned(), reason.to_owned());
    annotations.insert("summary".to_owned(), format!("{}: {reason}", rule.name));
    Ok(Alert {
        labels,
        annotations: annotations.into_iter().collect(),
        value: Reading::Float(f64::NAN),
        clocks: Clocks::beginning(at),
    })
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
