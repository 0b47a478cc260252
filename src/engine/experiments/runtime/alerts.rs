//! The alerts of breached guardrails: one incident for each.

use crate::engine::watch::{Signal, View};
use crate::experiments::EstimatePoint;
use crate::experiments::machine::firing;
use crate::model::{
    Alert, AlertKey, AlertSource, Evidence, ExperimentDefinition, ExperimentState, GuardrailState,
    Labels, LabelsBuilder, Severity,
};

use super::timeline::Point;

/// `alertname` of a breached guardrail.
pub(super) const BREACHED: &str = "ExperimentGuardrailBreached";

/// Points of the timeline that go into the evidence.
const EVIDENCE_POINTS_MAX: usize = 60;

fn source(definition: &ExperimentDefinition) -> AlertSource {
    AlertSource::Experiment { name: definition.name.clone() }
}

/// How bad it is: what the labels say, else a warning, as it has been stopped already.
fn severity(definition: &ExperimentDefinition) -> Severity {
    definition.labels.get("severity").map_or(Severity::Warning, |text| Severity::from_label(text))
}

fn labels(definition: &ExperimentDefinition, breach: &GuardrailState) -> Labels {
    let own = Labels::from_pairs(&definition.labels).unwrap_or_default();
    let mut labels = LabelsBuilder::new(&own);
    labels.set("alertname", BREACHED);
    labels.set("experiment", definition.name.as_str());
    labels.set("guardrail", &breach.guardrail);
    labels.set("severity", severity(definition).as_str());
    if let Some(variant) = &breach.variant {
        labels.set("variant", variant);
    }
    if let Some(feature) = &definition.feature {
        labels.set("feature", feature.as_str());
    }
    // Names are given and values texts: only what is too long fails, and then our own are left.
    labels.build().unwrap_or_else(|_| {
        let own = [("alertname", BREACHED), ("experiment", definition.name.as_str())];
        Labels::from_pairs(own).unwrap_or_default()
    })
}

fn key(definition: &ExperimentDefinition, breach: &GuardrailState) -> AlertKey {
    AlertKey::of(&source(definition), &labels(definition, breach))
}

/// What the watch is to hear: breaches that are new fire, those that somebody has accepted or
/// that passed end.
pub(super) fn signals(
    before: (&ExperimentDefinition, &ExperimentState),
    after: (&ExperimentDefinition, &ExperimentState),
    evidence: impl Fn(&GuardrailState) -> Evidence,
) -> Vec<Signal> {
    let old: Vec<AlertKey> = firing(before.1).map(|breach| key(before.0, breach)).collect();
    let new: Vec<AlertKey> = firing(after.1).map(|breach| key(after.0, breach)).collect();
    let at = after.1.changed_at.unwrap_or_default();
    let ended = old.iter().filter(|key| !new.contains(key));
    let mut signals: Vec<Signal> = ended.map(|key| Signal::Ended { key: *key, at }).collect();
    for breach in firing(after.1) {
        if !old.contains(&key(after.0, breach)) {
            let alert = alert(after.0, after.1, breach, evidence(breach));
            signals.push(Signal::Firing(Box::new(alert)));
        }
    }
    signals
}

fn alert(
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    breach: &GuardrailState,
    evidence: Evidence,
) -> Alert {
    let what = if state.rolled_back { "was rolled back" } else { "was paused" };
    let summary = format!("Experiment {} {what}: {}", definition.name, breach.guardrail);
    let of = breach.variant.as_ref().map_or(String::new(), |name| format!("Variant {name}: "));
    Alert {
        source: source(definition),
        labels: labels(definition, breach),
        annotations: vec![
            ("summary".to_owned(), summary),
            ("description".to_owned(), format!("{of}{}", breach.reason)),
        ],
        severity: severity(definition),
        starts_at: breach.at,
        ends_at: None,
        value: None,
        generator_url: format!("/api/v1/experiments/{}/analysis", definition.name),
        channels: Vec::new(),
        cooldown_ms: 0,
        evidence,
    }
}

/// What explains a breach: of a rule what explains its own incident, of a metric how the estimate
/// went.
pub(super) fn evidence(view: &View, breach: &GuardrailState, points: &[Point]) -> Evidence {
    if let Some(alert) = &breach.alert {
        let id = alert.split('@').next().and_then(|id| id.parse().ok());
        let found = id.map(|id| view.evidence(id));
        let mut evidence = match found {
            Some(Ok(evidence)) => evidence,
            Some(Err(error)) => {
                tracing::warn!(%error, "what explains a breached guardrail cannot be read");
                Evidence::default()
            }
            None => Evidence::default(),
        };
        evidence.response_excerpt = breach.reason.clone();
        return evidence;
    }
    let metric = breach.guardrail.strip_prefix("metric ").unwrap_or(&breach.guardrail);
    let recent = &points[points.len().saturating_sub(EVIDENCE_POINTS_MAX)..];
    let variant = breach.variant.as_deref();
    let series = |what: &str, value: fn(&EstimatePoint) -> Option<f64>| {
        let values = recent.iter().filter_map(|point| {
            let mut of = point.estimates.iter();
            let fits = of.find(|e| e.metric == metric && variant.is_none_or(|v| v == e.variant))?;
            Some((point.at.millis(), value(fits)?))
        });
        let name = match variant {
            Some(variant) => format!("{metric}{{variant=\"{variant}\"}} {what}"),
            None => format!("{metric} {what}"),
        };
        (name, values.collect::<Vec<_>>())
    };
    let mut samples = vec![
        series("difference", |e| e.diff),
        series("ci_low", |e| e.ci_low),
        series("ci_high", |e| e.ci_high),
    ];
    samples.retain(|(_, values)| !values.is_empty());
    Evidence {
        expression: format!("guardrail {}", breach.guardrail),
        samples,
        response_excerpt: breach.reason.clone(),
        ..Evidence::default()
    }
}
