//! Log lines.

use serde_json::{Value, json};

use super::super::schema::{map, moment, object, one_of, text, time, with_example};
use super::{LOG_LEVELS, Named};

pub(super) fn schemas() -> Vec<Named> {
    vec![("LogEntry", entry()), ("LogLine", line())]
}

/// What a line says about itself, in both directions.
fn said() -> Vec<(&'static str, Value)> {
    vec![
        ("message*", text("What was said.")),
        ("source", text("The program, unit or file that said it.")),
        ("feature", text("What it belongs to.")),
        ("environment", text("production, staging …")),
        ("trace_id", text("The trace that it is part of.")),
        ("user_id", text("Whom it is about.")),
        ("metadata", map(json!({}), "Whatever else it says.")),
    ]
}

fn entry() -> Value {
    let mut fields = said();
    fields.push(("time", moment("When; now unless it says.")));
    fields.push(("level", text("debug, info, warn, error, fatal, or another usual name; info.")));
    let mut schema = object(&fields);
    schema["additionalProperties"] = json!({"description": "Goes to the metadata."});
    with_example(
        schema,
        json!({
            "time": "2026-11-21T15:00:00.250Z", "level": "error", "message": "payment timed out",
            "source": "api", "feature": "checkout", "trace_id": "4bf92f3577b34da6",
            "metadata": {"took_ms": 5000},
        }),
    )
}

fn line() -> Value {
    let mut fields = said();
    fields.push(("id*", text("What it is found by again.")));
    fields.push(("time*", time("When.")));
    fields.push(("level*", one_of(LOG_LEVELS, "How bad it is.")));
    object(&fields)
}
