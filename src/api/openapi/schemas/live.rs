//! Frames of the live feed.

use serde_json::{Value, json};

use super::super::schema::{any, object, text, whole, with_example};
use super::Named;

/// How bad a line may be, the mildest first.
pub(crate) const LOG_LEVELS: &[&str] = &["debug", "info", "warn", "error", "fatal"];
/// The topics of the feed.
pub(crate) const TOPICS: &[&str] = &[
    "overview",
    "metrics",
    "checks",
    "incidents",
    "rules",
    "experiments",
    "features",
    "logs",
    "deliveries",
    "config",
];

pub(super) fn schemas() -> Vec<Named> {
    vec![("LiveFrame", frame())]
}

fn frame() -> Value {
    with_example(
        object(&[
            ("id*", whole("Rises with every event, over restarts too.")),
            (
                "type*",
                text(&format!(
                    "`check.result`, `incident.…` and the like, by topic ({}); or `hello`, \
                 `heartbeat`, and `reset` where what was asked for is not kept any more.",
                    TOPICS.join(", ")
                )),
            ),
            ("data", any("What is told of, mostly as its own API shows it.")),
        ]),
        json!({
            "id": 1_795_273_660_000_007_u64, "type": "check.result",
            "data": {"check": "shop", "status": "healthy"},
        }),
    )
}
