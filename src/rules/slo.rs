//! Objectives as rules: alerts when the error budget burns too fast, and series of what is left
//! of it ("Alerting on SLOs", chapter 5 of Google's Site Reliability Workbook).
//!
//! A burn rate of 1 uses up the budget just at the end of the window. An alert needs the rate in
//! a long window, so that it is worth acting on, and in one of a twelfth, so that it ends soon
//! after the burning does:
//!
//! | burn rate | windows of 30 days | budget used | is |
//! |---|---|---|---|
//! | 14.4 | 1h and 5m | 2 % | a page |
//! | 6 | 6h and 30m | 5 % | a page |
//! | 3 | 1d and 2h | 10 % | a ticket |
//! | 1 | 3d and 6h | 10 % | a ticket |
//!
//! For another window these are longer or shorter in proportion, so that the shares of the budget
//! stay. Names of series are those of sloth (`internal/prometheus/recording_rules.go`).

use serde_json::{Map, Value, json};

use super::file::{Group, RuleFile};
use crate::model::{ObjectiveDefinition, format_duration_ms};

/// The name under which groups of objectives are shown where those of files show their file.
pub const OBJECTIVES_FILE: &str = "objectives";

/// The alert's name.
const ALERT: &str = "ErrorBudgetBurn";

const MINUTE_MS: i64 = 60_000;
/// No rate looks back less than this, whatever the window: it would see no two samples.
const SHORTEST_MS: i64 = 5 * MINUTE_MS;
/// The window for which the table holds.
const BASE_MS: i64 = 30 * 24 * 60 * MINUTE_MS;

/// A row of the table.
struct Burn {
    rate: f64,
    long_min: i64,
    short_min: i64,
    is_page: bool,
}

const BURNS: [Burn; 4] = [
    Burn { rate: 14.4, long_min: 60, short_min: 5, is_page: true },
    Burn { rate: 6.0, long_min: 360, short_min: 30, is_page: true },
    Burn { rate: 3.0, long_min: 1440, short_min: 120, is_page: false },
    Burn { rate: 1.0, long_min: 4320, short_min: 360, is_page: false },
];

/// A window of the table for an objective over another time, in whole minutes (ms).
fn scaled(minutes: i64, window_ms: i64) -> i64 {
    let ms = minutes as f64 * MINUTE_MS as f64 * window_ms as f64 / BASE_MS as f64;
    let whole = (ms / MINUTE_MS as f64).round() as i64 * MINUTE_MS;
    whole.max(SHORTEST_MS)
}

/// The rules of an objective, as a group of a file named [`OBJECTIVES_FILE`].
///
/// # Errors
///
/// What is wrong with its queries, labels or annotations, with the field.
pub fn objective_group(objective: &ObjectiveDefinition) -> Result<Group, String> {
    let name = objective.name.as_str();
    let window_ms = objective.window.millis();
    let mut rates: Vec<i64> = BURNS
        .iter()
        .flat_map(|b| [scaled(b.short_min, window_ms), scaled(b.long_min, window_ms)])
        .collect();
    rates.sort_unstable();
    rates.dedup();
    let selector = format!("{{slo={}}}", Value::from(name));
    let rate_of = |ms: i64| format!("slo:sli_error:ratio_rate{}", format_duration_ms(ms));
    let whole = rate_of(window_ms);
    let shortest = rate_of(rates[0]);
    // What binary numbers add beyond twelve digits is nobody's promise.
    let budget = ((1.0 - objective.objective) * 1e12).round() / 1e12;

    let mut labels: Map<String, Value> =
        objective.labels.iter().map(|(n, v)| (n.clone(), v.as_str().into())).collect();
    labels.insert("slo".to_owned(), name.into());
    let record =
        |metric: &str, expr: String| json!({"record": metric, "expr": expr, "labels": labels});
    let constant = |metric: &str, value: f64| record(metric, format!("vector({value})"));

    let mut rules = Vec::new();
    for ms in &rates {
        let range = format_duration_ms(*ms);
        let put = |query: &str| query.replace("$window", &range);
        let (errors, total) = (put(&objective.errors), put(&objective.total));
        // No errors at all is a share of 0; no events at all is no share.
        let expr = format!("((({errors}) or (({total}) * 0)) / (({total}) > 0))");
        check_query(objective, &errors, &total)?;
        rules.push(record(&rate_of(*ms), expr));
    }
    // A rate over the whole window would read all its samples at each evaluation; the average of
    // the short rates is close to it, and weighs each moment the same.
    rules.push(record(
        &whole,
        format!("avg_over_time({shortest}{selector}[{}])", format_duration_ms(window_ms)),
    ));
    rules.push(constant("slo:objective:ratio", objective.objective));
    rules.push(constant("slo:error_budget:ratio", budget));
    rules.push(constant("slo:time_period:days", window_ms as f64 / 86_400_000.0));
    rules.push(record("slo:current_burn_rate:ratio", format!("{shortest}{selector} / {budget}")));
    rules.push(record("slo:period_burn_rate:ratio", format!("{whole}{selector} / {budget}")));
    rules.push(record(
        "slo:period_error_budget_remaining:ratio",
        format!("1 - slo:period_burn_rate:ratio{selector}"),
    ));
    for is_page in [true, false] {
        let either: Vec<String> = BURNS
            .iter()
            .filter(|burn| burn.is_page == is_page)
            .map(|burn| {
                let limit = format!("{} * {budget}", burn.rate);
                let above = |minutes| {
                    format!("{}{selector} > {limit}", rate_of(scaled(minutes, window_ms)))
                };
                format!("({} and {})", above(burn.short_min), above(burn.long_min))
            })
            .collect();
        rules.push(alert(objective, is_page, &either.join(" or "), &labels));
    }
    let text = json!({"groups": [{"name": format!("slo-{name}"), "rules": rules}]}).to_string();
    let file = RuleFile::parse(OBJECTIVES_FILE, &text).map_err(|faults| {
        let faults: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        faults.join("; ")
    })?;
    file.groups.into_iter().next().ok_or_else(|| "no group".to_owned())
}

/// Each query for itself, so that an error names the field and not what was made of it.
fn check_query(objective: &ObjectiveDefinition, errors: &str, total: &str) -> Result<(), String> {
    for (field, written, query) in
        [("errors", &objective.errors, errors), ("total", &objective.total, total)]
    {
        crate::promql::parse(query).map_err(|error| format!("{field}: {written}: {error}"))?;
    }
    Ok(())
}

fn alert(
    objective: &ObjectiveDefinition,
    is_page: bool,
    expr: &str,
    labels: &Map<String, Value>,
) -> Value {
    let severity = if is_page { objective.page } else { objective.ticket };
    let mut labels = labels.clone();
    labels.insert("severity".to_owned(), severity.as_str().into());
    labels.insert("burn".to_owned(), if is_page { "fast" } else { "slow" }.into());
    let (name, window) = (objective.name.as_str(), objective.window);
    let pace = if is_page { "fast" } else { "faster than it comes back" };
    let percent = objective.objective * 100.0;
    let mut annotations = Map::new();
    annotations.insert(
        "summary".to_owned(),
        format!(
            "The error budget of {name} burns {pace}: {{{{ $value | humanizePercentage }}}} of \
             events are bad"
        )
        .into(),
    );
    let promised = format!("{name} promises {percent} % good events in {window}.");
    let description = match objective.description.as_str() {
        "" => promised,
        text => format!("{text}\n{promised}"),
    };
    annotations.insert("description".to_owned(), description.into());
    annotations.extend(objective.annotations.iter().map(|(n, v)| (n.clone(), v.as_str().into())));
    json!({"alert": ALERT, "expr": expr, "labels": labels, "annotations": annotations})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objective(json: Value) -> ObjectiveDefinition {
        let mut whole = json!({
            "name": "shop", "objective": 0.999,
            "total": "sum(rate(requests_total[$window]))",
            "errors": "sum(rate(requests_total{code=~\"5..\"}[$window]))",
        });
        for (name, value) in json.as_object().expect("an object") {
            whole[name] = value.clone();
        }
        serde_json::from_value(whole).expect("valid")
    }

    fn queries(group: &Group) -> Vec<(String, String)> {
        group.rules.iter().map(|rule| (rule.name.clone(), rule.query.clone())).collect()
    }

    #[test]
    fn thirty_days_have_the_windows_and_rates_of_the_workbook() {
        let group = objective_group(&objective(json!({}))).expect("rules");
        let names: Vec<String> = queries(&group).into_iter().map(|(name, _)| name).collect();
        let rates = ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"];
        let rates: Vec<String> = rates.map(|w| format!("slo:sli_error:ratio_rate{w}")).to_vec();
        assert_eq!(names[..8], rates[..]);
        let alerts: Vec<_> = group.rules.iter().filter(|rule| rule.is_alerting()).collect();
        let expected = |rows: [(&str, &str, &str); 2]| {
            rows.map(|(rate, short, long)| {
                let side =
                    |w| format!("slo:sli_error:ratio_rate{w}{{slo=\"shop\"}} > {rate} * 0.001");
                format!("({} and {})", side(short), side(long))
            })
            .join(" or ")
        };
        assert_eq!(alerts[0].query, expected([("14.4", "5m", "1h"), ("6", "30m", "6h")]));
        assert_eq!(alerts[1].query, expected([("3", "2h", "1d"), ("1", "6h", "3d")]));
        assert!(alerts[0].labels.contains(&("severity".to_owned(), "critical".to_owned())));
        assert!(alerts[1].labels.contains(&("severity".to_owned(), "warning".to_owned())));
    }

    /// 7 days: a table in proportion, in whole minutes; none below 5 minutes.
    #[test]
    fn other_windows_are_in_proportion() {
        for (minutes, days, expected) in [
            (60, 7, 14),
            (360, 7, 84),
            (1440, 7, 336),
            (4320, 7, 1008),
            (5, 7, 5),
            (30, 7, 7),
            (60, 90, 180),
            (60, 30, 60),
        ] {
            let scaled = scaled(minutes, days * 86_400_000);
            assert_eq!(scaled, expected * MINUTE_MS, "{minutes} of {days} days");
        }
    }

    #[test]
    fn labels_reach_series_and_alerts() {
        let objective =
            objective(json!({"labels": {"team": "a"}, "annotations": {"runbook_url": "http://x"}}));
        let group = objective_group(&objective).expect("rules");
        assert!(
            group.rules.iter().all(|r| r.labels.contains(&("team".to_owned(), "a".to_owned())))
        );
        assert!(
            group.rules.iter().all(|r| r.labels.contains(&("slo".to_owned(), "shop".to_owned())))
        );
    }

    #[test]
    fn a_broken_query_is_named_by_its_field() {
        let error = objective_group(&objective(json!({"errors": "sum(rate(x[$window])"})));
        let error = error.expect_err("broken");
        assert!(error.starts_with("errors: sum(rate(x[$window]): "), "{error}");
    }

    #[test]
    fn what_is_no_objective_is_refused() {
        use crate::model::Definition as _;
        for (change, word) in [
            (json!({"objective": 1.0}), "objective"),
            (json!({"objective": 99.9}), "0.999"),
            (json!({"window": "1h"}), "window"),
            (json!({"total": "sum(rate(x[5m]))"}), "$window"),
        ] {
            let error = objective(change).check().expect_err(word);
            assert!(error.contains(word), "{error}");
        }
        assert_eq!(objective(json!({})).check(), Ok(()));
    }
}
