//! What can be said against a definition with all others and the settings at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Settings;
use crate::engine::watch::Defined;
use crate::model::{
    CheckDefinition, CheckKind, Definition as _, Labels, Name, Period, Severity, Threshold,
};

use super::alerts::RESERVED_LABELS;
use super::run::{Question, RETRIES_MAX};
use crate::checks::Schedule;

/// The longest time that an attempt may take.
const TIMEOUT_MS_MAX: i64 = 10 * 60_000;
/// Results that a threshold looks at.
const THRESHOLD_MAX: u32 = 100;
/// The shortest and the longest token that somebody may choose for a heartbeat.
const TOKEN_CHARS: std::ops::RangeInclusive<usize> = 8..=128;

/// Whether a check may be defined over the API.
///
/// # Errors
///
/// The field, what is wrong with it, and the mend.
pub fn examine(
    check: &CheckDefinition,
    settings: &Settings,
    all: &BTreeMap<Name, Arc<Defined<CheckDefinition>>>,
) -> Result<(), String> {
    if check.kind == CheckKind::Exec && !settings.checks.exec_from_api {
        return Err("kind: checks that run commands are defined in the settings file; set \
                    checks.exec_from_api = true there to allow them here"
            .to_owned());
    }
    one(check, settings)?;
    let others = all
        .iter()
        .filter(|(name, _)| **name != check.name)
        .map(|(name, defined)| (name, &defined.definition));
    cycle(others.chain([(&check.name, check)]).collect(), &check.name)
}

/// Whether the checks of the settings file may be taken up.
///
/// # Errors
///
/// The check, the field, what is wrong with it, and the mend.
pub fn examine_file(settings: &Settings) -> Result<(), String> {
    let all: BTreeMap<&Name, &CheckDefinition> =
        settings.check.iter().map(|check| (&check.name, check)).collect();
    for check in &settings.check {
        let named = |error: String| format!("[[check]] {:?}: {error}", check.name.as_str());
        check.check().map_err(named)?;
        one(check, settings).map_err(named)?;
        cycle(all.clone(), &check.name).map_err(named)?;
    }
    Ok(())
}

fn one(check: &CheckDefinition, settings: &Settings) -> Result<(), String> {
    Schedule::of(check)?;
    if check.timeout.is_some_and(|t| t.millis() < 1 || t.millis() > TIMEOUT_MS_MAX) {
        return Err("timeout: use 1ms to 10m".to_owned());
    }
    if check.retries > RETRIES_MAX {
        return Err(format!("retries: at most {RETRIES_MAX}"));
    }
    for (field, threshold) in [
        ("failure_threshold", check.failure_threshold),
        ("success_threshold", check.success_threshold),
    ] {
        let valid = match threshold {
            None => true,
            Some(Threshold::Consecutive(n)) => (1..=THRESHOLD_MAX).contains(&n),
            Some(Threshold::Of { of, within }) => {
                (1..=within).contains(&of) && within <= THRESHOLD_MAX
            }
        };
        if !valid {
            return Err(format!(
                "{field}: use a number from 1 to {THRESHOLD_MAX}, or {{\"of\": k, \"within\": n}} \
                 with k no more than n"
            ));
        }
    }
    for (name, _) in check.labels.iter() {
        if RESERVED_LABELS.contains(&name) || name.starts_with("__") {
            return Err(format!(
                "labels.{name}: is set by vedette; use another name, or the field of that name"
            ));
        }
    }
    if !matches!(check.compat.as_deref(), None | Some("blackbox")) {
        return Err("compat: the one word that means something is \"blackbox\"".to_owned());
    }
    if check.depends_on.contains(&check.name) {
        return Err("depends_on: a check cannot depend on itself".to_owned());
    }
    if check.kind == CheckKind::Heartbeat {
        return heartbeat(check);
    }
    if check.grace.is_some() {
        return Err("grace: only heartbeats have one".to_owned());
    }
    let timeout: Duration = settings.checks.timeout.duration();
    Question::new(Arc::new(check.clone()), timeout).map(|_| ())
}

fn heartbeat(check: &CheckDefinition) -> Result<(), String> {
    if !check.target.is_empty() {
        return Err("target: a heartbeat asks nobody; remove it".to_owned());
    }
    if !check.conditions.is_empty() {
        return Err("conditions: a heartbeat has no answer to judge; remove them".to_owned());
    }
    for (key, value) in &check.settings {
        let valid = value.as_str().is_some_and(|token| {
            TOKEN_CHARS.contains(&token.len())
                && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
        if key != "token" || !valid {
            return Err(
                "settings: a heartbeat knows token alone: 8 to 128 of a-z, A-Z, 0-9, - and _"
                    .to_owned(),
            );
        }
    }
    Ok(())
}

/// Follows `depends_on` from a check; names that nobody has are no fault: that check may come.
fn cycle(all: BTreeMap<&Name, &CheckDefinition>, start: &Name) -> Result<(), String> {
    let mut open: Vec<&Name> = vec![start];
    let mut seen: BTreeSet<&Name> = BTreeSet::new();
    while let Some(name) = open.pop() {
        for parent in all.get(name).into_iter().flat_map(|check| &check.depends_on) {
            if parent == start {
                return Err(format!(
                    "depends_on: {start} depends on itself by way of {name}; leave one of them out"
                ));
            }
            if seen.insert(parent) {
                open.push(parent);
            }
        }
    }
    Ok(())
}

/// Stands for the definition of a check that is gone, so that its alert can be ended.
pub(super) fn placeholder(name: Name) -> CheckDefinition {
    CheckDefinition {
        name,
        kind: CheckKind::Heartbeat,
        target: String::new(),
        every: Some(Period::from_secs(300)),
        cron: None,
        zone: String::new(),
        timeout: None,
        retries: 0,
        grace: None,
        conditions: Vec::new(),
        invert: false,
        failure_threshold: None,
        success_threshold: None,
        depends_on: Vec::new(),
        feature: None,
        provider: None,
        labels: Labels::empty(),
        severity: Severity::Critical,
        channels: Vec::new(),
        paused: false,
        compat: None,
        settings: serde_json::Map::new(),
        description: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::define;
    use super::*;

    fn refuse(fields: serde_json::Value) -> String {
        let check = define("shop", fields);
        examine(&check, &Settings::default(), &BTreeMap::new()).expect_err("refused")
    }

    #[test]
    fn what_is_wrong_is_said_with_its_field() {
        for (fields, field) in [
            (json!({"cron": "61 * * * *"}), "cron"),
            (json!({"cron": "1 * * * *", "zone": "Mars/Olympus"}), "zone"),
            (json!({"zone": "Europe/Amsterdam"}), "zone"),
            (json!({"every": "10ms"}), "every"),
            (json!({"timeout": "11m"}), "timeout"),
            (json!({"retries": 11}), "retries"),
            (json!({"failure_threshold": 0}), "failure_threshold"),
            (json!({"success_threshold": {"of": 3, "within": 2}}), "success_threshold"),
            (json!({"labels": {"severity": "page"}}), "labels.severity"),
            (json!({"compat": "nagios"}), "compat"),
            (json!({"depends_on": ["shop"]}), "depends_on"),
            (json!({"grace": "5m"}), "grace"),
            (json!({"kind": "exec", "target": "/bin/true"}), "kind"),
            (json!({"kind": "heartbeat"}), "target"),
            (json!({"kind": "heartbeat", "target": "", "settings": {"token": "a b"}}), "settings"),
        ] {
            let error = refuse(fields.clone());
            assert!(error.starts_with(&format!("{field}:")), "{fields}: {error}");
        }
    }

    #[test]
    fn dependencies_that_come_back_to_the_check_are_refused() {
        let defined = |definition: CheckDefinition| {
            let at = crate::model::Timestamp::default();
            let origin = crate::model::Origin::Api;
            Arc::new(Defined { definition, origin, created_at: at, updated_at: at })
        };
        let heartbeat = |name: &str, parents: serde_json::Value| {
            define(name, json!({"kind": "heartbeat", "target": "", "depends_on": parents}))
        };
        let all: BTreeMap<_, _> = [heartbeat("a", json!(["b"])), heartbeat("b", json!(["c"]))]
            .into_iter()
            .map(|check| (check.name.clone(), defined(check)))
            .collect();
        let settings = Settings::default();
        let error = examine(&heartbeat("c", json!(["a"])), &settings, &all).expect_err("a cycle");
        assert_eq!(error, "depends_on: c depends on itself by way of b; leave one of them out");
        assert_eq!(examine(&heartbeat("c", json!(["nobody"])), &settings, &all), Ok(()));
    }
}
