//! How an alert becomes an incident, and what a further report of it changes.

use crate::model::{
    Alert, Escalation, Evidence, Incident, IncidentId, IncidentStatus, TimelineEntry, TimelineKind,
    Timestamp,
};

use super::machine::{Effect, Step};

/// The most annotations that are kept of an alert.
const ANNOTATIONS_MAX: usize = 32;
/// The longest annotation, in bytes.
const ANNOTATION_BYTES_MAX: usize = 4096;
/// The most series of samples in evidence.
const EVIDENCE_SERIES_MAX: usize = 20;
/// The most samples of one of them.
const EVIDENCE_SAMPLES_MAX: usize = 500;
/// The longest text in evidence, in bytes.
const EVIDENCE_TEXT_MAX: usize = 16 * 1024;
/// The most log lines in evidence.
const EVIDENCE_LINES_MAX: usize = 50;

/// The beginning of a text: at most `max` bytes, cut between characters.
pub fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = (0..=max.saturating_sub(3)).rev().find(|end| text.is_char_boundary(*end));
    format!("{}…", &text[..end.unwrap_or(0)])
}

/// An alert within bounds, and what explains it.
pub fn admit(mut alert: Alert) -> (Alert, Evidence) {
    alert.annotations.truncate(ANNOTATIONS_MAX);
    for (_, text) in &mut alert.annotations {
        *text = cut(text, ANNOTATION_BYTES_MAX);
    }
    alert.generator_url = cut(&alert.generator_url, ANNOTATION_BYTES_MAX);
    alert.cooldown_ms = alert.cooldown_ms.max(0);
    let mut evidence = std::mem::take(&mut alert.evidence);
    evidence.samples.truncate(EVIDENCE_SERIES_MAX);
    for (series, samples) in &mut evidence.samples {
        *series = cut(series, ANNOTATION_BYTES_MAX);
        let excess = samples.len().saturating_sub(EVIDENCE_SAMPLES_MAX);
        samples.drain(..excess);
    }
    evidence.expression = cut(&evidence.expression, EVIDENCE_TEXT_MAX);
    evidence.response_excerpt = cut(&evidence.response_excerpt, EVIDENCE_TEXT_MAX);
    evidence.log_lines.truncate(EVIDENCE_LINES_MAX);
    for line in &mut evidence.log_lines {
        *line = cut(line, ANNOTATION_BYTES_MAX);
    }
    let large = |value: &serde_json::Value| value.to_string().len() > 4 * EVIDENCE_TEXT_MAX;
    if evidence.check_result.as_ref().is_some_and(large) {
        evidence.check_result = None;
    }
    (alert, evidence)
}

/// The alert as its incident keeps it: the evidence is kept beside that.
pub(super) fn stripped(alert: &Alert) -> Alert {
    Alert { evidence: Evidence::default(), ..alert.clone() }
}

/// A line for people.
fn title(alert: &Alert) -> String {
    let named = ["summary", "title"].into_iter().find_map(|name| alert.annotation(name));
    let line = named.map(str::trim).filter(|line| !line.is_empty());
    let line = line.or_else(|| alert.labels.get("alertname")).unwrap_or("an alert without a name");
    cut(line, super::machine::TITLE_BYTES_MAX)
}

fn description(alert: &Alert) -> String {
    ["description", "message"]
        .into_iter()
        .find_map(|name| alert.annotation(name))
        .unwrap_or_default()
        .to_owned()
}

/// A new incident. The alert has been admitted.
pub fn open(
    (id, number): (IncidentId, u64),
    alert: &Alert,
    escalations: Vec<Escalation>,
    now: Timestamp,
) -> Incident {
    Incident {
        id,
        number,
        key: alert.key(),
        alert: stripped(alert),
        status: IncidentStatus::Open,
        firing: true,
        severity: alert.severity,
        title: title(alert),
        description: description(alert),
        triggered_at: now,
        ended_at: None,
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        assignee: None,
        snoozed_until: None,
        escalations,
        escalated: 0,
        told: Vec::new(),
        sequence: 0,
        version: 1,
        updated_at: now,
        updated_by: String::new(),
        suppressed: None,
        quiet_until: None,
        timeline_entries: 0,
        notes: 0,
    }
}

/// What a further report of the alert would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Update {
    /// Anything at all.
    pub(super) changed: bool,
    /// Something that a person who looked at it would want to know of. A value that moves or a
    /// deadline that is put off is not: else nobody's version would be the last for long.
    pub(super) worth_a_version: bool,
}

pub(super) fn update(incident: &Incident, alert: &Alert) -> Update {
    let old = &incident.alert;
    let texts = old.annotations != alert.annotations || old.severity != alert.severity;
    let rest = old.value.map(f64::to_bits) != alert.value.map(f64::to_bits)
        || old.ends_at != alert.ends_at
        || old.generator_url != alert.generator_url
        || old.channels != alert.channels
        || old.cooldown_ms != alert.cooldown_ms
        || old.starts_at != alert.starts_at;
    Update { changed: texts || rest, worth_a_version: texts }
}

/// Takes a further report of an incident that goes on up. `None`: it says nothing new.
pub(super) fn take_up(
    incident: &mut Incident,
    alert: &Alert,
    update: Update,
    now: Timestamp,
) -> Option<Step> {
    if !update.changed {
        return None;
    }
    // A title that a person wrote stays.
    let own_title = incident.title == title(&incident.alert);
    let before = incident.alert.severity;
    incident.alert = stripped(alert);
    if own_title {
        incident.title = title(alert);
    }
    incident.description = description(alert);
    let mut step = Step { entries: Vec::new(), effect: Effect::Nothing };
    if alert.severity > before && alert.severity > incident.severity {
        let text = format!("from {} to {}", incident.severity.as_str(), alert.severity.as_str());
        let kind = TimelineKind::SeverityChanged;
        step.entries.push(TimelineEntry { at: now, kind, by: String::new(), text });
        incident.severity = alert.severity;
        step.effect = Effect::Worse;
    }
    Some(step)
}
