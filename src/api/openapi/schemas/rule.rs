//! Rules, objectives, and what comes of them.

use serde_json::{Value, json};

use super::super::schema::{
    all_of, any, duration, flag, labels, list_of, map, name, number, object, one_of, or_null,
    refer, text, time, whole, with_example,
};
use super::{Named, SEVERITIES};

/// What an evaluation may find.
pub(crate) const FOUND: &[&str] = &["result", "no_data", "error", "waiting"];
const STATES: &[&str] = &["inactive", "pending", "firing"];
const MODES: &[&str] = &["active", "shadow", "paused"];
const ON_FAILURE: &[&str] = &["hold", "alert", "ok"];

pub(super) fn schemas() -> Vec<Named> {
    vec![
        ("RuleDefinition", definition()),
        ("Rule", shown()),
        ("RuleGroup", group()),
        (
            "RuleValue",
            object(&[
                ("labels*", labels("Which element.")),
                ("value*", text("Its value, as a text.")),
            ]),
        ),
        ("RuleExplanation", explanation()),
        ("PrometheusAlert", alert()),
        ("Backtest", backtest()),
        ("ObjectiveDefinition", objective()),
        ("Objective", all_of(&[refer("ObjectiveDefinition"), refer("Defined")])),
    ]
}

fn definition() -> Value {
    let fields = object(&[
        ("name*", name("Its name; the label `alertname`.")),
        ("description", text("In words; may be a template.")),
        ("expr", text("PromQL: an alert for every element of its result.")),
        ("metric", text("The simple form, in place of `expr`.")),
        ("labels", labels("With `metric`: of its series; with `expr`: of its alerts.")),
        (
            "aggregate",
            one_of(
                &["avg", "min", "max", "sum", "count", "last", "p50", "p90", "p95", "p99"],
                "Of the samples in the window; avg.",
            ),
        ),
        ("operator", one_of(&[">", "<", ">=", "<=", "=", "==", "!="], "How it compares.")),
        ("threshold", number("What with.")),
        ("exit_threshold", number("Once it fires, it ends only beyond this one.")),
        ("window", duration("The simple form: how far back; 5m.")),
        ("for", duration("How long it must hold before it fires; 0.")),
        ("keep_firing_for", duration("How long it goes on firing after it held last; 0.")),
        ("interval", duration("How often it is evaluated; 15s.")),
        ("severity", one_of(SEVERITIES, "How bad it is; warning.")),
        (
            "cooldown",
            duration("So long after an end a new beginning continues the old incident; 15m."),
        ),
        ("channels", list_of(name("A channel."), "Who is told; the routes decide when empty.")),
        ("alert_labels", labels("Labels of its alerts; may be templates.")),
        ("annotations", labels("Texts for people; may be templates.")),
        ("on_no_data", one_of(ON_FAILURE, "What no data means; hold.")),
        ("on_error", one_of(ON_FAILURE, "What a failed evaluation means; hold.")),
        ("mode", one_of(MODES, "Whether it counts; active.")),
        ("limit", whole("The most alerts at once; 1000.")),
        ("runbook", text("Where to read what to do.")),
        ("feature", name("What it belongs to.")),
    ]);
    let simple = json!({
        "name": "queue-deep", "metric": "queue_depth", "labels": {"job": "orders"},
        "aggregate": "avg", "operator": ">", "threshold": 100, "exit_threshold": 80,
        "window": 300, "for": 0, "interval": 15, "cooldown": 900, "severity": "critical",
        "channels": ["ops"],
    });
    let promql = json!({
        "name": "burning", "for": "2m", "severity": "critical",
        "expr": "sum(rate(errors_total[5m])) / sum(rate(requests_total[5m])) > 0.05",
    });
    with_example(with_example(fields, simple), promql)
}

fn shown() -> Value {
    all_of(&[
        refer("RuleDefinition"),
        refer("Defined"),
        object(&[
            ("query", text("The rule as PromQL.")),
            ("state", one_of(STATES, "The worst state of its alerts.")),
            ("alerts", list_of(refer("PrometheusAlert"), "Those that are pending or firing.")),
            ("waiting_for", or_null(any("Metrics that do not exist yet."))),
            ("health", one_of(&["ok", "err", "unknown"], "How the last evaluation went.")),
            ("last_error", text("Why it failed.")),
            ("last_evaluation", or_null(time("When it was."))),
        ]),
    ])
}

fn group() -> Value {
    object(&[
        ("name*", text("Its name.")),
        ("file*", text("Its file; empty for rules of ours.")),
        ("interval*", number("In seconds.")),
        ("limit*", whole("The most series of a rule.")),
        ("evaluationTime*", number("How long the last evaluation took, in seconds.")),
        ("lastEvaluation*", time("When it was.")),
        (
            "rules*",
            list_of(
                map(json!({}), "A rule, as Prometheus shows it, and ours besides."),
                "In their order.",
            ),
        ),
        ("origin", one_of(&["file", "api", "default"], "Of rules of ours.")),
    ])
}

fn alert() -> Value {
    object(&[
        ("labels*", labels("What identifies it.")),
        ("annotations*", labels("Texts for people.")),
        ("state*", one_of(STATES, "How far it is.")),
        ("activeAt*", or_null(time("Since when it holds."))),
        ("keepFiringSince", time("Since when it holds no more and goes on firing.")),
        ("value*", text("As Go writes it: `1e+00`.")),
    ])
}

fn explanation() -> Value {
    let clock = |says: &str| or_null(time(says));
    let state = |own: &[(&str, Value)]| {
        let mut fields = vec![
            ("labels*", labels("Which alert.")),
            ("value*", or_null(text("The value that it was judged by."))),
            ("state*", one_of(STATES, "How far it is.")),
            ("active_at*", clock("Since when it holds.")),
            ("pending_until*", clock("When it will fire.")),
            ("keep_firing_until*", clock("When it will end.")),
            ("cooldown_until*", clock("Until when a new beginning is not told.")),
            ("frozen_since*", clock("Since when its clocks stand still.")),
            ("told*", flag("Whether the watch knows of it.")),
        ];
        fields.extend(own.iter().cloned());
        object(&fields)
    };
    object(&[
        ("name*", text("The rule.")),
        ("file*", text("Its file; empty for rules of ours.")),
        ("group*", text("Its group; empty for rules of ours.")),
        ("query*", text("PromQL.")),
        ("mode*", one_of(MODES, "Whether it counts.")),
        ("state*", one_of(STATES, "The worst state of its alerts.")),
        ("waiting_for*", or_null(any("Metrics that do not exist yet."))),
        ("interval*", number("In seconds.")),
        ("for*", number("In seconds.")),
        ("keep_firing_for*", number("In seconds.")),
        ("cooldown*", number("In seconds.")),
        ("last_error*", or_null(text("Why the last evaluation failed."))),
        (
            "alerts*",
            list_of(
                state(&[
                    ("key*", text("What makes two alerts the same incident.")),
                    (
                        "telling*",
                        or_null(map(
                            json!({}),
                            "`routes`, `suppression`, `incident`, `deliveries`: who is told, or why not.",
                        )),
                    ),
                ]),
                "Its alerts.",
            ),
        ),
        (
            "evaluations*",
            list_of(
                object(&[
                    ("at*", time("When.")),
                    ("took*", number("How long, in seconds.")),
                    ("found*", one_of(FOUND, "What the query gave.")),
                    ("size*", whole("Elements of the result.")),
                    ("values*", list_of(refer("RuleValue"), "The first of them.")),
                    ("error*", or_null(text("Why it failed."))),
                    ("mode*", one_of(MODES, "Whether it counted.")),
                    ("settled*", flag("Whether what is missing was believed.")),
                    ("counts*", map(json!({"type": "integer"}), "Alerts by state.")),
                    ("alerts*", list_of(state(&[]), "The alerts then.")),
                ]),
                "The last 120, the newest first.",
            ),
        ),
    ])
}

fn backtest() -> Value {
    object(&[
        ("name*", text("The rule.")),
        ("query*", text("PromQL.")),
        ("start*", time("The first evaluation.")),
        ("end*", time("The last.")),
        ("interval*", number("Between two of them, in seconds.")),
        ("evaluations*", whole("How many were played.")),
        ("failed_evaluations*", whole("How many of them failed.")),
        ("first_error*", or_null(text("Why the first did."))),
        ("active_alerts_max*", whole("The most alerts at once, pending ones too.")),
        (
            "alerts*",
            list_of(
                object(&[
                    ("labels*", labels("Which.")),
                    ("active_at*", time("Since when it held.")),
                    ("fired_at*", time("When it fired.")),
                    ("ended_at*", or_null(time("When it ended; null: it goes on."))),
                    ("fired_for*", or_null(number("In seconds."))),
                    ("value*", or_null(number("The value that made it."))),
                ]),
                "Those that fired.",
            ),
        ),
        (
            "notifications*",
            list_of(
                map(json!({}), "`at`, `channel`, `reason`, `group`, `firing`, `resolved`."),
                "What would have been sent.",
            ),
        ),
        (
            "held_back*",
            list_of(
                map(json!({}), "`at`, `labels`, `reason`."),
                "Of whom nobody would have been told.",
            ),
        ),
        ("left_out*", whole("Entries beyond the first 1000 of each list.")),
    ])
}

fn objective() -> Value {
    with_example(
        object(&[
            ("name*", name("Its name; the label `slo`.")),
            (
                "objective*",
                json!({
                    "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1,
                    "description": "The share of good events.",
                }),
            ),
            ("window", duration("Over which time; 30d.")),
            ("total*", text("PromQL: events per second, with `$window` for the range.")),
            ("errors*", text("PromQL: how many of them are bad, with the same labels.")),
            ("description", text("More than a name.")),
            ("labels", labels("Of its series and alerts.")),
            ("annotations", labels("Of its alerts.")),
            ("page", one_of(SEVERITIES, "When the budget burns fast; critical.")),
            ("ticket", one_of(SEVERITIES, "When it will not last; warning.")),
            ("enabled", flag("Whether it is evaluated.")),
        ]),
        json!({
            "name": "shop", "objective": 0.999, "window": "30d",
            "total": "sum(rate(http_requests_total{job=\"shop\"}[$window]))",
            "errors": "sum(rate(http_requests_total{job=\"shop\",code=~\"5..\"}[$window]))",
        }),
    )
}
