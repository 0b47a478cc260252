//! What everything else is made of: names, times, errors, samples, answers of queries.

use serde_json::json;

use super::super::schema::{
    any, any_of, labels, list_of, map, number, object, one_of, refer, text, time, with_example,
};
use super::Named;

/// The kinds of failure, as `errorType` names them.
pub(crate) const ERROR_TYPES: &[&str] = &[
    "bad_data",
    "execution",
    "timeout",
    "canceled",
    "unavailable",
    "internal",
    "not_found",
    "unauthorized",
    "forbidden",
    "method_not_allowed",
    "conflict",
    "too_large",
    "unsupported_media_type",
    "too_many_requests",
];

pub(super) fn schemas() -> Vec<Named> {
    vec![
        (
            "Error",
            with_example(
                object(&[
                    ("status*", json!({"type": "string", "const": "error"})),
                    ("errorType*", one_of(ERROR_TYPES, "What kind of failure.")),
                    ("error*", text("What, where, how to mend it.")),
                ]),
                json!({
                    "status": "error", "errorType": "not_found",
                    "error": "there is no check \"shop\"",
                }),
            ),
        ),
        (
            "Name",
            json!({
                "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 63,
                "description": "`a-z`, `0-9` and `-`; neither first nor last a `-`.",
                "examples": ["shop", "one-page-checkout"],
            }),
        ),
        (
            "Moment",
            any_of(
                &[json!({"type": "string", "format": "date-time"}), json!({"type": "integer"})],
                "RFC 3339, or Unix milliseconds.",
            ),
        ),
        (
            "Duration",
            any_of(
                &[
                    json!({"type": "number", "minimum": 0}),
                    json!({"type": "string", "examples": ["30s", "5m", "1h30m", "14d"]}),
                ],
                "Seconds, or a text. Answers give seconds.",
            ),
        ),
        (
            "Defined",
            object(&[
                (
                    "origin*",
                    one_of(
                        &["file", "api", "default"],
                        "Where it is defined: the settings file, here, or built in.",
                    ),
                ),
                ("created_at*", time("When it was made.")),
                ("updated_at*", time("When it was last changed.")),
            ]),
        ),
        (
            "Sample",
            with_example(
                object(&[
                    ("name*", text("The metric.")),
                    (
                        "value*",
                        any_of(
                            &[json!({"type": "number"}), json!({"type": "string"})],
                            "A number, or `\"NaN\"`, `\"+Inf\"`, `\"-Inf\"`.",
                        ),
                    ),
                    ("labels", labels("Its labels.")),
                    (
                        "type",
                        one_of(
                            &["gauge", "counter", "histogram", "summary", "untyped"],
                            "Kept as metadata.",
                        ),
                    ),
                    ("at", refer("Moment")),
                ]),
                json!({
                    "name": "queue_depth", "value": 42, "labels": {"job": "orders"},
                    "type": "gauge", "at": "2026-11-20T10:00:00Z",
                }),
            ),
        ),
        ("QueryAnswer", query_answer()),
        (
            "MetricMetadata",
            object(&[
                ("type*", text("counter, gauge, histogram, summary, unknown …")),
                ("help*", text("In words.")),
                ("unit*", text("The unit.")),
            ]),
        ),
        (
            "SeriesExemplars",
            object(&[
                ("seriesLabels*", labels("The series.")),
                (
                    "exemplars*",
                    list_of(
                        object(&[
                            ("labels*", labels("`trace_id` and the like.")),
                            ("value*", text("The value.")),
                            ("timestamp*", number("Unix seconds.")),
                        ]),
                        "Its exemplars, the oldest first.",
                    ),
                ),
            ]),
        ),
    ]
}

fn query_answer() -> serde_json::Value {
    let pair = || {
        json!({
            "type": "array", "minItems": 2, "maxItems": 2,
            "prefixItems": [{"type": "number"}, {"type": "string"}],
            "description": "Unix seconds, and the value as a text.",
        })
    };
    let element = object(&[
        ("metric*", labels("The series.")),
        ("value", pair()),
        ("values", list_of(pair(), "Of a matrix.")),
        ("histogram", any("Unix seconds, and a native histogram.")),
        ("histograms", list_of(any("The same."), "Of a matrix.")),
    ]);
    with_example(
        object(&[
            ("resultType*", one_of(&["vector", "matrix", "scalar", "string"], "Its form.")),
            ("result*", any_of(&[list_of(element, "Series."), pair()], "By its form.")),
            ("stats", map(json!({}), "What the evaluation took, if asked for.")),
        ]),
        json!({
            "resultType": "vector",
            "result": [{"metric": {"__name__": "up", "job": "node"}, "value": [1_795_273_711.9, "1"]}],
        }),
    )
}
