//! What makes a rule file wrong. Rules and wording are those of `model/rulefmt/rulefmt.go`.

use std::collections::BTreeMap;

use crate::model::METRIC_NAME;
use crate::promql;

use super::file::{Group, RawGroup, RawRule, Rule, RuleKind};
use super::template::Template;
use super::yaml::{Fault, Place};

/// Checks all groups; gives all faults.
pub(super) fn check(groups: Vec<RawGroup>) -> Result<Vec<Group>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut names: BTreeMap<String, Place> = BTreeMap::new();
    let mut checked = Vec::new();
    for group in groups {
        if group.name.is_empty() {
            faults.push(Fault::new(group.place, "Groupname must not be empty"));
        }
        if let Some(first) = names.insert(group.name.clone(), group.place) {
            let message = format!(
                "groupname: \"{}\" is repeated in the same file; the first is at line {}",
                group.name, first.line
            );
            faults.push(Fault::new(group.place, message));
        }
        for (name, _, place) in &group.labels {
            if let Err(message) = check_label_name(name) {
                faults.push(Fault::new(*place, message));
            }
        }
        let mut rules = Vec::new();
        for (place, rule) in group.rules.into_iter().enumerate() {
            match check_rule(rule, &group.labels) {
                Ok(rule) => rules.push(rule),
                Err((name, found)) => faults.extend(found.into_iter().map(|fault| Fault {
                    message: format!(
                        "group {:?}, rule {}, {name:?}: {}",
                        group.name,
                        place + 1,
                        fault.message
                    ),
                    ..fault
                })),
            }
        }
        checked.push(Group {
            name: group.name,
            interval_ms: group.interval_ms,
            query_offset_ms: group.query_offset_ms,
            limit: group.limit,
            rules,
            place: group.place,
        });
    }
    if faults.is_empty() { Ok(checked) } else { Err(faults) }
}

/// Any UTF-8 is a label name since Prometheus 3; the metric's name is no label to set.
fn check_label_name(name: &str) -> Result<(), String> {
    match name.is_empty() || name == METRIC_NAME {
        true => Err(format!("invalid label name: {name}")),
        false => Ok(()),
    }
}

type Pairs = [(String, String, Place)];

fn check_rule(rule: RawRule, group_labels: &Pairs) -> Result<Rule, (String, Vec<Fault>)> {
    let mut faults = Vec::new();
    let mut wrong = |place: Place, message: String| faults.push(Fault::new(place, message));
    let (record, record_place) = &rule.record;
    let (alert, _) = &rule.alert;
    if !record.is_empty() && !alert.is_empty() {
        wrong(*record_place, "only one of 'record' and 'alert' must be set".to_owned());
    }
    if record.is_empty() && alert.is_empty() {
        wrong(rule.place, "one of 'record' or 'alert' must be set".to_owned());
    }
    let (text, expr_place) = &rule.expr;
    let expr = if text.is_empty() {
        wrong(*expr_place, "field 'expr' must be set in rule".to_owned());
        None
    } else {
        match promql::parse(text) {
            Ok(expr) => Some(expr),
            Err(error) => {
                wrong(*expr_place, format!("could not parse expression: {error}"));
                None
            }
        }
    };
    if !record.is_empty() {
        check_recording(&rule, &mut wrong);
    }
    for (name, _, place) in &rule.labels {
        if let Err(message) = check_label_name(name) {
            wrong(*place, message);
        }
    }
    for (name, _, place) in &rule.annotations {
        if name.is_empty() {
            wrong(*place, format!("invalid annotation name: {name}"));
        }
    }
    if !alert.is_empty() {
        for (kind, pairs) in [("label", &rule.labels), ("annotation", &rule.annotations)] {
            for (name, text, place) in pairs {
                if let Err(error) = Template::parse(&format!("__alert_{alert}"), text) {
                    wrong(*place, format!("{kind} {name:?}: {error}"));
                }
            }
        }
    }
    let name = rule.name().to_owned();
    let Some(expr) = expr.filter(|_| faults.is_empty()) else { return Err((name, faults)) };
    let kind = if rule.alert.0.is_empty() {
        RuleKind::Recording
    } else {
        RuleKind::Alerting {
            for_ms: rule.for_ms,
            keep_firing_for_ms: rule.keep_firing_for_ms,
            annotations: sorted(&[], &rule.annotations),
        }
    };
    let labels = sorted(group_labels, &rule.labels);
    Ok(Rule { name, query: expr.to_string(), expr, labels, kind, place: rule.place })
}

fn check_recording(rule: &RawRule, wrong: &mut impl FnMut(Place, String)) {
    let (record, place) = &rule.record;
    for (name, is_set) in [
        ("annotations", !rule.annotations.is_empty()),
        ("for", rule.for_ms != 0),
        ("keep_firing_for", rule.keep_firing_for_ms != 0),
    ] {
        if is_set {
            wrong(*place, format!("invalid field '{name}' in recording rule"));
        }
    }
    if record.contains(['{', '}']) {
        wrong(
            *place,
            format!("braces present in the recording rule name; should it be in expr?: {record}"),
        );
    }
}

/// The pairs of `over` on top of those of `base`, sorted by name.
fn sorted(base: &Pairs, over: &Pairs) -> Vec<(String, String)> {
    let all: BTreeMap<&str, &str> =
        base.iter().chain(over).map(|(name, value, _)| (name.as_str(), value.as_str())).collect();
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A hint about rules that are allowed and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The name that several rules share, together with their labels.
    pub name: String,
    /// The shared labels.
    pub labels: Vec<(String, String)>,
    /// Where they are: group and place.
    pub places: Vec<(String, Place)>,
}

/// Rules of one file that write the same series: same name and labels (promtool's lint
/// `duplicate-rules`).
pub fn duplicates(groups: &[Group]) -> Vec<Duplicate> {
    type Key<'g> = (&'g str, &'g [(String, String)]);
    let mut places: BTreeMap<Key<'_>, Vec<(String, Place)>> = BTreeMap::new();
    for group in groups {
        for rule in &group.rules {
            let key = (rule.name.as_str(), rule.labels.as_slice());
            places.entry(key).or_default().push((group.name.clone(), rule.place));
        }
    }
    places
        .into_iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|((name, labels), places)| Duplicate {
            name: name.to_owned(),
            labels: labels.to_vec(),
            places,
        })
        .collect()
}
