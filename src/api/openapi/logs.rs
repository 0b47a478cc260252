//! Log lines: sending, searching, exporting.

use serde_json::{Value, json};

use super::super::auth::Permission::{Read, Send};
use super::operation::{Operation, get, idempotency_key, limit, post, query};
use super::schema::{
    any_of, flag, list, list_of, object, one_of, or_null, refer, text, time, whole,
};
use super::sending::{bytes, otlp, too_many};

fn times() -> Vec<Value> {
    vec![
        query("from", text("From: RFC 3339, Unix seconds or milliseconds.")),
        query("until", text("Until then, not included.")),
        query("timeout", text("How long it may take; never more than `query.timeout`.")),
    ]
}

fn searching() -> Vec<Value> {
    let mut all = super::live::filters();
    all.extend(times());
    all
}

pub(super) fn operations() -> Vec<Operation> {
    let bodies = any_of(
        &[
            object(&[("logs*", list(refer("LogEntry")))]),
            list(refer("LogEntry")),
            refer("LogEntry"),
        ],
        "Many lines, or one.",
    );
    let order = || query("order", one_of(&["newest", "oldest"], "Which come first; newest."));
    let mut pages = searching();
    pages.extend([
        order(),
        limit("At most so many; 100, at most 5000."),
        query("after", text("The `next` of the page before.")),
    ]);
    let mut export = searching();
    export.extend([
        query("format", one_of(&["ndjson", "json", "csv"], "Its form; ndjson.")),
        order(),
        limit("At most so many; all unless it says."),
    ]);
    let mut counted = searching();
    counted.push(query("step", text("Between two counts: seconds or a duration.")));
    vec![
        too_many(
            post("/api/v1/logs", Send, "Take log lines as JSON")
                .says("What is answered as accepted is durable. Good lines are kept when others are not: then 400 names the others.")
                .takes(&[idempotency_key("Names the request: sent again, no line is taken twice.")])
                .body_of(
                    true,
                    &[("application/json", bodies), ("application/x-ndjson", text("One line of JSON per log line."))],
                )
                .answers(object(&[
                    ("accepted*", whole("Lines that were taken.")),
                    ("repeated", flag("`true` where the key was known: nothing was taken now.")),
                ])),
        ),
        get("/api/v1/logs", Read, "Search log lines")
            .says("An unknown parameter is refused: misspelt, it would let every line through.")
            .takes(&pages)
            .answers_page(refer("LogLine")),
        get("/api/v1/logs/{id}/context", Read, "Show the lines around a line")
            .takes(&[
                query("before", whole("Lines before it; 5.")),
                query("after", whole("Lines after it; 5.")),
                query("same", text("Only lines that agree in these: `source`, `feature`, `environment`, `trace_id`, `user_id`.")),
                query("timeout", text("How long it may take.")),
            ])
            .answers(object(&[
                ("before*", list_of(refer("LogLine"), "The oldest first.")),
                ("line*", refer("LogLine")),
                ("after*", list_of(refer("LogLine"), "The oldest first.")),
            ])),
        get("/api/v1/logs/histogram", Read, "Count lines by level over time")
            .takes(&counted)
            .answers(list(object(&[
                ("from*", time("The beginning of the step.")),
                ("debug*", whole("Lines.")),
                ("info*", whole("Lines.")),
                ("warn*", whole("Lines.")),
                ("error*", whole("Lines.")),
                ("fatal*", whole("Lines.")),
            ]))),
        get("/api/v1/logs/export", Read, "Export log lines, however many")
            .says("Streamed. Texts of CSV that a spreadsheet would take for a formula have a `'` before them.")
            .takes(&export)
            .answers_raw(
                200,
                "The lines.",
                &[
                    ("application/x-ndjson", text("A line of JSON each.")),
                    ("application/json", list(refer("LogLine"))),
                    ("text/csv", text("RFC 4180, with a header.")),
                ],
            ),
        get("/api/v1/logs/fields", Read, "List what lines name, for filters").answers(object(&[
            ("levels*", list_of(text("A level."), "The mildest first.")),
            ("sources*", list_of(text("A source."), "Programs, units, files.")),
            ("features*", list_of(text("A feature."), "Features.")),
            ("environments*", list_of(text("An environment."), "Environments.")),
            ("lines*", whole("Lines that are kept.")),
            ("bytes*", whole("What they take.")),
            ("oldest*", or_null(time("The oldest of them."))),
        ])),
        otlp("/v1/logs", "log records"),
        otlp("/api/v1/otlp/v1/logs", "log records"),
        too_many(
            post("/loki/api/v1/push", Send, "Take log lines by Loki's protocol")
                .says("Protobuf in snappy, unless `Content-Type` says JSON.")
                .body_of(
                    true,
                    &[("application/x-protobuf", bytes()), ("application/json", json!({"type": "object"}))],
                )
                .answers_nothing(204, "All of them are durable."),
        ),
    ]
}
