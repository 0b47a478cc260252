//! Alert rules as guardrails.

use crate::engine::watch::View;
use crate::experiments::machine::Breach;
use crate::model::{AlertSource, ExperimentDefinition, Incident, Name};

/// The breaches of an experiment's rule guardrails: their alerts that fire.
pub(super) fn breaches(definition: &ExperimentDefinition, view: &View) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for guardrail in &definition.guardrails {
        let Some(rule) = &guardrail.rule else { continue };
        let firing = view.at_work().filter(|incident| incident.firing);
        for incident in firing.filter(|incident| is_of(incident, rule)) {
            let Some(variant) = concerns(definition, incident) else { continue };
            breaches.push(Breach {
                guardrail: format!("rule {rule}"),
                variant,
                reason: reason(incident),
                alert: Some(format!("{}@{}", incident.id, incident.triggered_at.millis())),
                action: guardrail.action,
            });
        }
    }
    breaches
}

/// Whether an incident is of this rule: of ours or of a file, or of a Prometheus that sends its
/// alerts here.
fn is_of(incident: &Incident, rule: &Name) -> bool {
    match &incident.alert.source {
        AlertSource::Rule { name, .. } => name == rule.as_str(),
        AlertSource::External => incident.alert.labels.get("alertname") == Some(rule.as_str()),
        AlertSource::Check { .. } | AlertSource::Experiment { .. } | AlertSource::Internal => false,
    }
}

/// Whether an alert is about this experiment, and about which variant. One without the labels is
/// about all; one of another experiment, of a variant that we do not have or of the control is
/// not about us: sending people to the control would help nobody.
fn concerns(definition: &ExperimentDefinition, incident: &Incident) -> Option<Option<String>> {
    let labels = &incident.alert.labels;
    if labels.get("experiment").is_some_and(|name| name != definition.name.as_str()) {
        return None;
    }
    match labels.get("variant").filter(|name| !name.is_empty()) {
        None => Some(None),
        Some(name) => {
            let place = definition.variant(name)?;
            (Some(place) != definition.control()).then(|| Some(name.to_owned()))
        }
    }
}

fn reason(incident: &Incident) -> String {
    let value = incident.alert.value.filter(|value| value.is_finite());
    let value = value.map_or(String::new(), |value| format!(", value {value}"));
    format!("incident {} fires: {}{value}", incident.number, incident.title)
}
