//! Rules of ours: from what people define to what is evaluated.

use std::collections::BTreeMap;

use crate::model::{
    AlertSource, Definition as _, METRIC_NAME, Operator, Origin, Period, RuleDefinition,
};
use crate::promql::{self, Expr, ValueType};

use super::alert_rule::{AlertRule, Condition};
use super::file::{Group, Rule, RuleKind};
use super::simple;
use super::template::Template;
use super::yaml::Place;

/// How long after an end a new beginning is none, unless a definition says.
const COOLDOWN: Period = Period::from_secs(900);
/// The most alerts of a definition that does not say.
const ALERTS_MAX: usize = 1000;
/// How often a definition is evaluated that does not say: people are to hear of a breach well
/// within a minute.
const INTERVAL: Period = Period::from_secs(15);
/// No definition is evaluated more often.
const INTERVAL_MIN: Period = Period::from_secs(1);

/// A definition, ready to be evaluated: a group of one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The group. Its one rule's `query` is the whole condition, its `expr` what is asked.
    pub group: Group,
    /// The rule.
    pub rule: AlertRule,
}

/// Compiles a definition.
///
/// # Errors
///
/// What is wrong, beginning with the field: `threshold: …`.
pub fn compile(definition: &RuleDefinition, origin: Origin) -> Result<Compiled, String> {
    definition.check()?;
    let (measured, condition, query) = condition_of(definition)?;
    check_periods(definition)?;
    let labels = labels_of(definition)?;
    let annotations = annotations_of(definition)?;
    let limit = definition.limit.unwrap_or(ALERTS_MAX);
    if limit == 0 {
        return Err("limit: must be at least 1".to_owned());
    }
    let name = definition.name.as_str().to_owned();
    let (for_ms, keep_firing_for_ms) =
        (definition.hold.millis(), definition.keep_firing_for.millis());
    let rule = AlertRule {
        name: name.clone(),
        source: AlertSource::Rule { file: String::new(), group: String::new(), name: name.clone() },
        expr: measured.clone(),
        query: query.clone(),
        condition,
        labels: labels.clone(),
        annotations: annotations.clone(),
        for_ms,
        keep_firing_for_ms,
        cooldown_ms: definition.cooldown.unwrap_or(COOLDOWN).millis(),
        limit,
        on_no_data: definition.on_no_data,
        on_error: definition.on_error,
        mode: definition.mode,
        channels: definition.channels.clone(),
        waits_for_data: origin == Origin::Default,
    };
    let shown = Rule {
        name: name.clone(),
        expr: measured,
        query,
        labels,
        kind: RuleKind::Alerting { for_ms, keep_firing_for_ms, annotations },
        place: Place::default(),
    };
    let group = Group {
        name,
        interval_ms: Some(definition.interval.unwrap_or(INTERVAL).millis()),
        query_offset_ms: None,
        limit,
        rules: vec![shown],
        place: Place::default(),
    };
    Ok(Compiled { group, rule })
}

/// What is asked, when an element of it holds, and the whole as PromQL.
fn condition_of(definition: &RuleDefinition) -> Result<(Expr, Condition, String), String> {
    let (field, text) = match (&definition.metric, &definition.expr) {
        (Some(metric), _) => {
            check_selecting(definition, metric)?;
            ("metric", simple::measured(definition, metric))
        }
        (None, Some(expr)) => ("expr", expr.clone()),
        (None, None) => return Err("expr: a rule needs expr or metric".to_owned()),
    };
    let expr = promql::parse(&text).map_err(|error| format!("{field}: {error}"))?;
    if !matches!(expr.value_type(), ValueType::Vector | ValueType::Scalar) {
        let found = expr.value_type().documented();
        return Err(format!("{field}: gives a {found}; a rule needs an instant vector or scalar"));
    }
    if definition.expr.is_some() && definition.window.is_some() {
        return Err("window: belongs to metric; with expr write the range there".to_owned());
    }
    match (definition.operator, definition.threshold) {
        (Some(operator), Some(enter)) => compared(definition, expr, operator, enter),
        (None, None) if definition.exit_threshold.is_some() => {
            Err("exit_threshold: needs operator and threshold, and an expr that gives the value \
                 itself without a comparison"
                .to_owned())
        }
        (None, None) => {
            let query = expr.to_string();
            Ok((expr, Condition::Present, query))
        }
        (Some(_), None) => Err("threshold: operator needs one".to_owned()),
        (None, Some(_)) => Err("operator: threshold needs one of >, <, >=, <=, =, !=".to_owned()),
    }
}

fn compared(
    definition: &RuleDefinition,
    expr: Expr,
    operator: Operator,
    enter: f64,
) -> Result<(Expr, Condition, String), String> {
    if !enter.is_finite() {
        return Err("threshold: must be a number".to_owned());
    }
    if let Expr::Binary(binary) = expr.unwrap_parens()
        && binary.op.is_comparison()
        && !binary.return_bool
    {
        return Err("expr: compares itself; with operator and threshold write the value alone, \
                    or leave both out"
            .to_owned());
    }
    if let Some(exit) = definition.exit_threshold {
        let beyond = match operator {
            Operator::Above | Operator::AtLeast => exit <= enter,
            Operator::Below | Operator::AtMost => exit >= enter,
            Operator::Equal | Operator::NotEqual => {
                return Err("exit_threshold: makes no sense with = and !=".to_owned());
            }
        };
        if !beyond {
            let side = match operator {
                Operator::Above | Operator::AtLeast => "at or below",
                _ => "at or above",
            };
            return Err(format!(
                "exit_threshold: must be a number {side} the threshold {enter}, not {exit}"
            ));
        }
    }
    let sign = simple::sign(operator);
    let inner = match expr.unwrap_parens() {
        Expr::Binary(_) => format!("({expr})"),
        _ => expr.to_string(),
    };
    let query = format!("{inner} {sign} {enter}");
    let condition = Condition::Compare { operator, enter, exit: definition.exit_threshold };
    Ok((expr, condition, query))
}

fn check_selecting(definition: &RuleDefinition, metric: &str) -> Result<(), String> {
    if metric.is_empty() {
        return Err("metric: is empty; write the metric's name".to_owned());
    }
    if simple::window(definition).millis() == 0 {
        return Err("window: must be longer than 0".to_owned());
    }
    match definition.labels.keys().find(|name| name.is_empty() || *name == METRIC_NAME) {
        Some(name) => Err(format!("labels: {name:?} cannot be selected by; use metric")),
        None => Ok(()),
    }
}

fn check_periods(definition: &RuleDefinition) -> Result<(), String> {
    if definition.interval.is_some_and(|interval| interval < INTERVAL_MIN) {
        return Err(format!("interval: must be at least {INTERVAL_MIN}"));
    }
    Ok(())
}

fn labels_of(definition: &RuleDefinition) -> Result<Vec<(String, String)>, String> {
    let mut labels = BTreeMap::new();
    // The simple form selects by `labels`; with `expr` they are those of its alerts.
    if definition.metric.is_none() {
        labels.extend(definition.labels.clone().into_iter().map(|(n, v)| (n, ("labels", v))));
    }
    let own = definition.alert_labels.clone().into_iter();
    labels.extend(own.map(|(name, value)| (name, ("alert_labels", value))));
    for (name, (field, text)) in &labels {
        if name.is_empty() || name == METRIC_NAME || name == super::alert::ALERT_NAME {
            return Err(format!("{field}: {name:?} cannot be set"));
        }
        check_template(field, name, text)?;
    }
    let mut labels: BTreeMap<String, String> =
        labels.into_iter().map(|(name, (_, text))| (name, text)).collect();
    let severity = || definition.severity.as_str().to_owned();
    labels.entry("severity".to_owned()).or_insert_with(severity);
    if let Some(feature) = &definition.feature {
        labels.entry("feature".to_owned()).or_insert_with(|| feature.as_str().to_owned());
    }
    Ok(labels.into_iter().collect())
}

fn annotations_of(definition: &RuleDefinition) -> Result<Vec<(String, String)>, String> {
    let mut annotations = definition.annotations.clone();
    for (name, text) in &annotations {
        if name.is_empty() {
            return Err("annotations: a name is empty".to_owned());
        }
        check_template("annotations", name, text)?;
    }
    if !definition.description.is_empty() {
        check_template("description", "description", &definition.description)?;
        let text = || definition.description.clone();
        annotations.entry("description".to_owned()).or_insert_with(text);
    }
    if !definition.runbook.is_empty() {
        let text = || definition.runbook.clone();
        annotations.entry("runbook_url".to_owned()).or_insert_with(text);
    }
    annotations.entry("summary".to_owned()).or_insert_with(|| summary_of(definition));
    Ok(annotations.into_iter().collect())
}

fn check_template(field: &str, name: &str, text: &str) -> Result<(), String> {
    match Template::parse(name, text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{field}: {name}: {error}")),
    }
}

/// The line for people of a definition that has none.
fn summary_of(definition: &RuleDefinition) -> String {
    let compared = match (definition.operator, definition.threshold) {
        (Some(operator), Some(threshold)) => {
            format!(" ({} {threshold})", simple::sign(operator))
        }
        _ => String::new(),
    };
    let value = "{{ $value | humanize }}";
    match &definition.metric {
        // A name with braces would be read as a template.
        Some(metric) if !metric.contains('{') => format!(
            "{}: {} of {metric} over {} is {value}{compared}",
            definition.name,
            simple::word(definition.aggregate),
            simple::window(definition),
        ),
        _ => format!("{}: {value}{compared}", definition.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(json: &str) -> RuleDefinition {
        serde_json::from_str(json).expect("a definition")
    }

    #[test]
    fn the_simple_form_becomes_promql() {
        for (json, query) in [
            (
                r#"{"name":"a","metric":"queue_depth","labels":{"job":"orders"},"operator":">",
                    "threshold":100,"window":300}"#,
                r#"avg_over_time(queue_depth{job="orders"}[5m]) > 100"#,
            ),
            (
                r#"{"name":"a","metric":"x","aggregate":"p90","operator":"<=","threshold":-0.5}"#,
                "quantile_over_time(0.9, x[5m]) <= -0.5",
            ),
            (
                r#"{"name":"a","metric":"with space","aggregate":"last","operator":"=",
                    "threshold":0,"window":"1m"}"#,
                r#"last_over_time({__name__="with space"}[1m]) == 0"#,
            ),
            (r#"{"name":"a","expr":"a / b","operator":"!=","threshold":1}"#, "(a / b) != 1"),
        ] {
            let compiled = compile(&definition(json), Origin::Api).expect(json);
            assert_eq!(compiled.rule.query, query);
            promql::parse(&compiled.rule.query).expect("what is shown is PromQL");
        }
    }

    #[test]
    fn what_is_wrong_begins_with_the_field() {
        for (json, field) in [
            (r#"{"name":"a"}"#, "expr"),
            (r#"{"name":"a","expr":"x >"}"#, "expr"),
            (r#"{"name":"a","expr":"x[5m]"}"#, "expr"),
            (r#"{"name":"a","expr":"x","metric":"x"}"#, "metric"),
            (r#"{"name":"a","metric":"x","operator":">"}"#, "threshold"),
            (r#"{"name":"a","metric":"","operator":">","threshold":1}"#, "metric"),
            (r#"{"name":"a","metric":"x","operator":">","threshold":1,"window":0}"#, "window"),
            (r#"{"name":"a","expr":"x > 1","window":5}"#, "window"),
            (r#"{"name":"a","expr":"x > 1","exit_threshold":5}"#, "exit_threshold"),
            (
                r#"{"name":"a","expr":"x > 1","operator":">","threshold":1,"exit_threshold":0}"#,
                "expr",
            ),
            (
                r#"{"name":"a","metric":"x","operator":">","threshold":1,"exit_threshold":2}"#,
                "exit_threshold",
            ),
            (
                r#"{"name":"a","metric":"x","operator":"<","threshold":1,"exit_threshold":0}"#,
                "exit_threshold",
            ),
            (
                r#"{"name":"a","metric":"x","operator":"=","threshold":1,"exit_threshold":1}"#,
                "exit_threshold",
            ),
            (r#"{"name":"a","expr":"x","threshold":1}"#, "operator"),
            (r#"{"name":"a","expr":"x","interval":0.5}"#, "interval"),
            (r#"{"name":"a","expr":"x","limit":0}"#, "limit"),
            (r#"{"name":"a","expr":"x","alert_labels":{"alertname":"b"}}"#, "alert_labels"),
            (r#"{"name":"a","expr":"x","labels":{"a":"{{"}}"#, "labels"),
            (r#"{"name":"a","expr":"x","annotations":{"a":"{{ nope }}"}}"#, "annotations"),
        ] {
            let error = compile(&definition(json), Origin::Api).expect_err(json);
            assert!(error.starts_with(&format!("{field}: ")), "{json}: {error}");
        }
    }

    #[test]
    fn severity_runbook_and_texts_have_their_places() {
        let json = r#"{"name":"slow","metric":"x","operator":">","threshold":1,
            "severity":"critical","runbook":"https://r","description":"It is slow."}"#;
        let rule = compile(&definition(json), Origin::Api).expect("valid").rule;
        assert_eq!(rule.labels, [("severity".to_owned(), "critical".to_owned())]);
        let texts: Vec<(&str, &str)> =
            rule.annotations.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        assert_eq!(
            texts,
            [
                ("description", "It is slow."),
                ("runbook_url", "https://r"),
                ("summary", "slow: avg of x over 5m is {{ $value | humanize }} (> 1)"),
            ]
        );
        assert_eq!((rule.cooldown_ms, rule.limit), (900_000, 1000));
    }
}
