//! Features, providers, outcomes, summaries, configuration.

use serde_json::{Value, json};

use super::super::schema::{
    all_of, any, flag, labels, list_of, map, moment, name, number, object, one_of, or_null, refer,
    text, time, whole, with_example,
};
use super::{CHECK_STATUS, Named};

pub(super) fn schemas() -> Vec<Named> {
    vec![
        ("FeatureDefinition", feature()),
        ("Feature", all_of(&[refer("FeatureDefinition"), seen()])),
        ("ProviderDefinition", provider()),
        ("Provider", all_of(&[refer("ProviderDefinition"), seen()])),
        ("Outcome", outcome()),
        ("Summary", summary()),
        (
            "ConfigurationVersion",
            with_example(
                object(&[
                    ("feature*", name("Which.")),
                    ("version*", whole("Counted from 1.")),
                    ("value*", any("The configuration.")),
                    ("author*", text("Who.")),
                    ("comment*", text("Why.")),
                    ("at*", time("When.")),
                ]),
                json!({
                    "feature": "search", "version": 2, "value": {"model": "small-2", "limit": 20},
                    "author": "ann", "comment": "cheaper", "at": "2026-11-21T15:07:43.124Z",
                }),
            ),
        ),
    ]
}

/// What answers add: those that only outcomes tell of were never made.
fn seen() -> Value {
    object(&[
        (
            "origin*",
            one_of(
                &["file", "api", "default", "seen"],
                "Where it is defined; `seen`: outcomes tell of it.",
            ),
        ),
        ("created_at", or_null(time("When it was made."))),
        ("updated_at", or_null(time("When it was last changed."))),
    ])
}

fn feature() -> Value {
    let query = |says: &str| text(&format!("PromQL with `$window`: {says}"));
    with_example(
        object(&[
            ("name*", name("Its name; the label `feature`.")),
            ("display_name", text("A name for people.")),
            ("description", text("More than a name.")),
            (
                "status",
                one_of(&["active", "inactive", "maintenance"], "Whether it is in use; active."),
            ),
            ("labels", labels("Labels.")),
            (
                "queries",
                object(&[
                    ("requests", query("requests within the window.")),
                    ("errors", query("failed ones.")),
                    ("latency_mean", query("the mean latency in seconds.")),
                    ("latency_quantile", query("in seconds, with `$quantile`.")),
                    ("cost", query("the cost within the window.")),
                    ("availability", query("the share of time, 0 to 1.")),
                ]),
            ),
            ("latency_target_ms", number("The 95th percentile that is good enough; 1000.")),
        ]),
        json!({
            "name": "search", "display_name": "Search", "labels": {"team": "web"},
            "latency_target_ms": 300,
        }),
    )
}

fn provider() -> Value {
    with_example(
        object(&[
            ("name*", name("Its name; the label `provider`.")),
            ("display_name", text("A name for people.")),
            ("description", text("More than a name.")),
            ("labels", labels("Labels.")),
        ]),
        json!({"name": "acme", "display_name": "ACME models"}),
    )
}

fn outcome() -> Value {
    with_example(
        object(&[
            ("id", text("Another outcome of the same id is left out.")),
            ("feature", name("The feature.")),
            ("provider", name("The outside service that was asked.")),
            ("model", text("The model, version or plan: any text up to 128 bytes.")),
            ("ok", flag("Whether it went well; true.")),
            ("latency_ms", number("How long it took.")),
            ("cost", number("In one currency throughout.")),
            ("input_tokens", whole("Sent.")),
            ("output_tokens", whole("Got back.")),
            ("tokens", whole("All, where they are not told apart.")),
            ("confidence", number("0 to 1.")),
            ("trace_id", text("The trace that it is part of.")),
            ("unit", text("Whose outcome it is, for experiments.")),
            ("experiment", name("The experiment.")),
            ("variant", name("The variant; the one that the unit was exposed to.")),
            ("metrics", map(json!({"type": "number"}), "Of the experiment, by name.")),
            ("time", moment("When it happened; now.")),
        ]),
        json!({
            "feature": "search", "provider": "acme", "model": "small-2", "ok": true,
            "latency_ms": 182, "cost": 0.0004, "input_tokens": 310, "output_tokens": 45,
        }),
    )
}

fn summary() -> Value {
    let figure = |says: &str| or_null(number(says));
    let figures = object(&[
        ("requests*", figure("Outcomes within the window.")),
        ("requests_per_minute*", figure("By the minutes of the window.")),
        ("errors*", figure("Those that went wrong.")),
        ("error_rate*", figure("By requests.")),
        ("success_rate*", figure("1 less that.")),
        (
            "latency_ms*",
            object(&[
                ("mean*", figure("Exact.")),
                ("p50*", figure("Within 2.2 %.")),
                ("p95*", figure("Within 2.2 %.")),
                ("p99*", figure("Within 2.2 %.")),
            ]),
        ),
        ("cost*", figure("The sum.")),
        ("cost_per_request*", figure("By all requests.")),
        (
            "tokens*",
            map(json!({"type": ["number", "null"]}), "`input`, `output`, `unknown`, `total`."),
        ),
    ]);
    let states: Vec<&str> =
        CHECK_STATUS[..4].iter().copied().chain(["inactive", "maintenance"]).collect();
    all_of(&[
        figures.clone(),
        object(&[
            ("name*", name("Which.")),
            ("origin*", text("`file`, `api`, `default`, or `seen`.")),
            ("display_name", text("A name for people.")),
            ("status*", one_of(&states, "How it is.")),
            ("from*", time("The window's beginning.")),
            ("to*", time("Its end.")),
            ("window_seconds*", number("How long it is.")),
            ("availability*", figure("0 to 1.")),
            ("availability_from*", or_null(text("`checks`, `query` or `outcomes`."))),
            ("health_score*", figure("0 to 100.")),
            (
                "health*",
                list_of(
                    object(&[
                        (
                            "part*",
                            one_of(&["availability", "success", "latency", "incidents"], "Which."),
                        ),
                        ("weight*", number("Of 100.")),
                        ("score*", number("0 to 1.")),
                    ]),
                    "The parts of the score that are known.",
                ),
            ),
            ("checks", list_of(any("A check."), "Its checks.")),
            ("open_incidents*", list_of(any("An incident."), "The oldest 20.")),
            ("open_incidents_count*", whole("How many are open.")),
            ("problems", list_of(text("What."), "Queries of its own that failed.")),
            ("by", text("The label of `parts`.")),
            ("parts", list_of(figures, "The same for each value of that label.")),
        ]),
    ])
}
