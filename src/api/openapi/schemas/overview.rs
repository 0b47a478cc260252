//! How everything is.

use serde_json::{Value, json};

use super::super::schema::{any, list_of, number, object, one_of, or_null, text, time, whole};
use super::{CHECK_STATUS, Named};

pub(super) fn schemas() -> Vec<Named> {
    vec![("Overview", overview())]
}

fn overview() -> Value {
    let figure = |says: &str| or_null(number(says));
    let counts = |words: &[&str]| {
        let fields: Vec<(String, Value)> =
            words.iter().map(|word| (format!("{word}*"), whole("How many."))).collect();
        let fields: Vec<(&str, Value)> =
            fields.iter().map(|(name, schema)| (name.as_str(), schema.clone())).collect();
        object(&fields)
    };
    object(&[
        ("live_id", whole("Follow the feed from here on, and nothing is missed.")),
        (
            "health*",
            one_of(&CHECK_STATUS[..4], "Healthy if all checks are, degraded from four of five."),
        ),
        (
            "checks*",
            counts(&[
                "healthy",
                "degraded",
                "unhealthy",
                "unknown",
                "paused",
                "maintenance",
                "total",
            ]),
        ),
        (
            "incidents*",
            object(&[
                ("active*", whole("Those that are not resolved.")),
                ("acknowledged*", whole("Those that somebody looks after.")),
                ("by_severity*", counts(&["critical", "warning", "info"])),
                ("latest*", list_of(any("An incident."), "The newest five.")),
            ]),
        ),
        (
            "metrics*",
            list_of(
                object(&[
                    ("name*", text("For programs.")),
                    ("title*", text("For people.")),
                    ("unit*", text("`ratio`, `s`, `/s`, `bytes/s`, or nothing.")),
                    ("value*", figure("Now.")),
                    ("previous*", figure("An hour ago.")),
                    ("change*", figure("Since then, as a share.")),
                    ("trend*", one_of(&["up", "down", "flat"], "Which way.")),
                    ("better*", or_null(one_of(&["lower", "higher"], "Which way is good."))),
                    (
                        "points*",
                        list_of(
                            list_of(json!({"type": "number"}), "Unix milliseconds and the value."),
                            "The last hour.",
                        ),
                    ),
                ]),
                "Key figures, the most telling first.",
            ),
        ),
        (
            "features*",
            list_of(
                object(&[
                    ("name*", text("Which.")),
                    ("display_name*", text("For people.")),
                    ("status*", text("What people say of it.")),
                    ("health*", text("How it is.")),
                    ("health_score", figure("0 to 100.")),
                    ("availability*", figure("0 to 1.")),
                    ("error_rate*", figure("0 to 1.")),
                    ("requests_per_minute*", figure("By the minutes of the window.")),
                    ("latency_p95_ms*", figure("In milliseconds.")),
                    ("cost_per_request*", figure("By all requests.")),
                    ("open_incidents", whole("Of it.")),
                ]),
                "By name.",
            ),
        ),
        (
            "experiments*",
            list_of(any("`name`, `status` and the like."), "Those that are not over."),
        ),
        ("generated_at*", time("When this was read.")),
    ])
}
