//! The alerts of checks.
//!
//! An unhealthy check has the alert `CheckUnhealthy` with the check's own severity, a degraded one
//! `CheckDegraded` with the severity `warning`. They are two alerts because a label that changed
//! would be another alert anyway, and routes choose by labels.

use crate::model::{
    Alert, AlertKey, AlertSource, CheckDefinition, CheckResult, CheckStatus, Evidence,
    INSTANCE_LABEL, Labels, LabelsBuilder, Severity, Timestamp,
};

use super::target::shown_target;

/// `alertname` of a check that is unhealthy.
pub const UNHEALTHY: &str = "CheckUnhealthy";
/// `alertname` of a check that is degraded.
pub const DEGRADED: &str = "CheckDegraded";

/// Labels that are ours: a definition may not set them.
pub(super) const RESERVED_LABELS: [&str; 6] =
    ["alertname", "check", "kind", "severity", "feature", "provider"];

/// What identifies a check in metrics and in alerts: its own labels, and `check`, `kind`,
/// `feature`, `provider`, `instance`. Silences and maintenance windows match by these.
pub fn check_labels(check: &CheckDefinition) -> Labels {
    let mut labels = LabelsBuilder::new(&check.labels);
    labels.set("check", check.name.as_str());
    labels.set("kind", &kind_word(check));
    if let Some(feature) = &check.feature {
        labels.set("feature", feature.as_str());
    }
    if let Some(provider) = &check.provider {
        labels.set("provider", provider.as_str());
    }
    if labels.get(INSTANCE_LABEL).is_none() && !check.target.is_empty() {
        labels.set(INSTANCE_LABEL, &shown_target(check));
    }
    // Names are given and values texts: only what is too long fails.
    labels.build().unwrap_or_else(|_| check.labels.clone())
}

/// The word of a kind in JSON.
pub(super) fn kind_word(check: &CheckDefinition) -> String {
    match serde_json::to_value(check.kind) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The labels of the alert that a status stands for, and its severity; `None` for a status that
/// is no alert.
pub(super) fn alert_labels(
    check: &CheckDefinition,
    status: CheckStatus,
) -> Option<(Labels, Severity)> {
    let (alertname, severity) = match status {
        CheckStatus::Unhealthy => (UNHEALTHY, check.severity),
        CheckStatus::Degraded => (DEGRADED, check.severity.min(Severity::Warning)),
        CheckStatus::Healthy | CheckStatus::Unknown | CheckStatus::Paused => return None,
    };
    let mut labels = LabelsBuilder::new(&check_labels(check));
    labels.set("alertname", alertname);
    labels.set("severity", severity.as_str());
    labels.build().ok().map(|labels| (labels, severity))
}

/// The key of the alert that a status stands for.
pub(super) fn key_of(check: &CheckDefinition, labels: &Labels) -> AlertKey {
    AlertKey::of(&AlertSource::Check { name: check.name.clone() }, labels)
}

/// The alert that a status stands for. `excerpt`: the beginning of what was answered.
pub(super) fn alert_of(
    check: &CheckDefinition,
    status: CheckStatus,
    since: Timestamp,
    result: Option<&CheckResult>,
    excerpt: &str,
) -> Option<Alert> {
    let (labels, severity) = alert_labels(check, status)?;
    let what = match &check.target {
        target if target.is_empty() => String::new(),
        _ => format!(" ({})", shown_target(check)),
    };
    let summary = format!("Check {}{what} is {}", check.name, status.as_str());
    let reason = result.and_then(|r| r.error.clone().or_else(|| r.failed_condition.clone()));
    let mut annotations = vec![("summary".to_owned(), summary)];
    let description = match (&reason, check.description.as_str()) {
        (Some(reason), "") => reason.clone(),
        (Some(reason), text) => format!("{reason}. {text}"),
        (None, text) => text.to_owned(),
    };
    if !description.is_empty() {
        annotations.push(("description".to_owned(), description));
    }
    let evidence = Evidence {
        expression: result.and_then(|r| r.failed_condition.clone()).unwrap_or_default(),
        check_result: result.and_then(|r| serde_json::to_value(r).ok()),
        response_excerpt: excerpt.to_owned(),
        ..Evidence::default()
    };
    Some(Alert {
        source: AlertSource::Check { name: check.name.clone() },
        labels,
        annotations,
        severity,
        starts_at: since,
        ends_at: None,
        value: None,
        generator_url: format!("/api/v1/checks/{}", check.name),
        channels: check.channels.clone(),
        cooldown_ms: 0,
        evidence,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{at, define, result};
    use super::*;

    #[test]
    fn an_alert_says_what_which_and_why_and_its_key_does_not_depend_on_texts() {
        let check = define(
            "shop",
            json!({ "target": "https://u:secret@shop.example/x?token=secret", "feature": "cart",
                    "labels": {"team": "web"}, "channels": ["ops"] }),
        );
        let found = result("shop", 60, CheckStatus::Unhealthy);
        let alert = alert_of(&check, CheckStatus::Unhealthy, at(30), Some(&found), "oops")
            .expect("an alert");
        assert_eq!(
            alert.labels.to_string(),
            "{alertname=\"CheckUnhealthy\", check=\"shop\", feature=\"cart\", \
             instance=\"https://shop.example/x\", kind=\"http\", severity=\"critical\", \
             team=\"web\"}"
        );
        assert_eq!(
            alert.annotation("summary"),
            Some("Check shop (https://shop.example/x) is unhealthy")
        );
        assert_eq!(alert.annotation("description"), Some("[STATUS] (503) == 200"));
        assert_eq!((alert.starts_at, alert.severity), (at(30), Severity::Critical));
        assert!(!format!("{alert:?}").contains("secret"));
        let bare = alert_of(&check, CheckStatus::Unhealthy, at(90), None, "").expect("an alert");
        assert_eq!(bare.key(), alert.key());
    }

    #[test]
    fn degraded_is_an_alert_of_its_own_and_never_worse_than_a_warning() {
        let check = define("shop", json!({}));
        let degraded = alert_of(&check, CheckStatus::Degraded, at(0), None, "").expect("one");
        assert_eq!(degraded.severity, Severity::Warning);
        assert_eq!(degraded.labels.get("alertname"), Some(DEGRADED));
        let info = define("shop", json!({ "severity": "info" }));
        let degraded = alert_of(&info, CheckStatus::Degraded, at(0), None, "").expect("one");
        assert_eq!(degraded.severity, Severity::Info);
        for none in [CheckStatus::Healthy, CheckStatus::Unknown, CheckStatus::Paused] {
            assert!(alert_of(&check, none, at(0), None, "").is_none());
        }
    }
}
