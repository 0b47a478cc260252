//! What others send: metrics and outcomes. A 2xx means that it is durable.

use serde_json::{Value, json};

use super::super::auth::Permission::{Open, Send};
use super::operation::{Operation, get, idempotency_key, post};
use super::schema::{any_of, list, object, refer, text, whole};

/// Bytes of a format that JSON Schema does not describe.
pub(super) fn bytes() -> Value {
    json!({"type": "string", "format": "binary"})
}

const PACKED: &str = "The body may be packed: gzip, deflate, zstd or snappy, named in \
                      `Content-Encoding`.";
const PARTLY: &str = "Good ones are kept when others are not: the answer is then 400 and says \
                      which were refused and why. 429 asks to come again after `Retry-After`.";

fn too_many(operation: Operation) -> Operation {
    let schema = refer("Error");
    operation
        .answers_raw(413, "A limit of sizes.", &[("application/json", schema.clone())])
        .answers_raw(415, "A type that is not spoken.", &[("application/json", schema.clone())])
        .answers_raw(
            429,
            "The writer is behind; see `Retry-After`.",
            &[("application/json", schema)],
        )
}

/// OTLP over HTTP: the same for every signal.
pub(super) fn otlp(path: &str, signal: &str) -> Operation {
    post(path, Send, format!("Take {signal} by OTLP/HTTP"))
        .says("The answer is in the form of the request, with `partial_success` where some were rejected.")
        .says(PACKED)
        .body_of(
            true,
            &[("application/x-protobuf", bytes()), ("application/json", json!({"type": "object"}))],
        )
        .answers_raw(
            200,
            "Taken.",
            &[("application/x-protobuf", bytes()), ("application/json", json!({"type": "object"}))],
        )
}

pub(super) fn operations() -> Vec<Operation> {
    let samples = any_of(
        &[object(&[("samples*", list(refer("Sample")))]), list(refer("Sample")), refer("Sample")],
        "Many samples, or one.",
    );
    let outcomes = any_of(
        &[
            object(&[("outcomes*", list(refer("Outcome")))]),
            list(refer("Outcome")),
            refer("Outcome"),
        ],
        "Many outcomes, or one.",
    );
    let lines = |of: &str| json!({"type": "string", "description": format!("One {of} per line.")});
    let ping = |operation: Operation| {
        operation
            .says("The token is all that is needed. The first KiB of a body are kept as evidence.")
            .answers_raw(200, "It is on disk.", &[("text/plain", text("`OK`"))])
    };
    vec![
        too_many(
            post("/api/v1/write", Send, "Take samples by remote write 1.0 or 2.0")
                .says("`Content-Type` says which version. Bodies are snappy.")
                .says(PARTLY)
                .body_of(true, &[("application/x-protobuf", bytes())])
                .answers_nothing(204, "All of it is durable."),
        ),
        too_many(
            post("/api/v1/samples", Send, "Take samples as JSON")
                .says(PARTLY)
                .says(PACKED)
                .body_of(
                    true,
                    &[("application/json", samples), ("application/x-ndjson", lines("sample"))],
                )
                .answers(object(&[("written*", whole("Samples that were written."))])),
        ),
        too_many(
            post("/api/v1/import/prometheus", Send, "Take a text exposition or OpenMetrics")
                .says(PARTLY)
                .says(PACKED)
                .body_of(
                    true,
                    &[
                        ("text/plain", text("Text 0.0.4.")),
                        ("application/openmetrics-text", text("OpenMetrics 1.0.")),
                    ],
                )
                .answers(object(&[("written*", whole("Samples that were written."))])),
        ),
        otlp("/v1/metrics", "metrics"),
        otlp("/api/v1/otlp/v1/metrics", "metrics"),
        too_many(
            post("/api/v1/outcomes", Send, "Tell what happened, call by call")
                .says("Up to 50,000 in one request.")
                .says(PARTLY)
                .says(PACKED)
                .takes(&[idempotency_key("Names the request: sent again, nothing counts twice.")])
                .body_of(
                    true,
                    &[("application/json", outcomes), ("application/x-ndjson", lines("outcome"))],
                )
                .answers(object(&[
                    ("accepted*", whole("Outcomes that were taken.")),
                    ("repeated*", whole("Outcomes whose id was known.")),
                ])),
        ),
        ping(get("/ping/{token}", Open, "Tell a heartbeat that it went well")),
        ping(post("/ping/{token}", Open, "Tell a heartbeat that it went well, with a text")),
        ping(get(
            "/ping/{token}/{what}",
            Open,
            "Tell a heartbeat of a start, a failure or an exit code",
        )),
        ping(post(
            "/ping/{token}/{what}",
            Open,
            "Tell a heartbeat of a start, a failure or an exit code, with a text",
        )),
    ]
}
