//! Log lines: reading, counting and exporting them.

use serde_json::Value;

use super::super::auth::Permission::Read;
use super::live::filters;
use super::operation::{Operation, get, query};
use super::schema::{any, list, list_of, moment, object, one_of, or_null, text, time, whole};
use super::schemas::LOG_LEVELS;

/// Which lines, of which time, within which patience.
fn reading() -> Vec<Value> {
    let mut all = vec![
        query("from", moment("From this time on; also Unix seconds.")),
        query("until", moment("Before this time; also Unix seconds.")),
        query("timeout", text("Less than `query.timeout`.")),
    ];
    all.extend(filters());
    all
}

fn with(more: Vec<Value>) -> Vec<Value> {
    reading().into_iter().chain(more).collect()
}

fn order() -> Value {
    query("order", one_of(&["newest", "oldest"], "Which lines come first: the newest."))
}

/// A line. Fields that it does not have are absent.
fn line() -> Value {
    object(&[
        ("id*", text("When it was said, and the how-manieth it is of all.")),
        ("time*", time("When it was said.")),
        ("level*", one_of(LOG_LEVELS, "How bad it is.")),
        ("message*", text("What was said.")),
        ("source", text("The program, unit or file that said it.")),
        ("feature", text("The feature it belongs to.")),
        ("environment", text("`production`, `staging` and the like.")),
        ("trace_id", text("The trace that it is part of.")),
        ("user_id", text("The user it is about.")),
        ("metadata", any("Everything else: an object.")),
    ])
}

pub(super) fn operations() -> Vec<Operation> {
    let step = object(&[
        ("from*", time("Where the step begins.")),
        ("debug*", whole("Lines of this level.")),
        ("info*", whole("Lines of this level.")),
        ("warn*", whole("Lines of this level.")),
        ("error*", whole("Lines of this level.")),
        ("fatal*", whole("Lines of this level.")),
    ]);
    let names = |says| list_of(text("One of them."), says);
    vec![
        get("/api/v1/logs", Read, "Read log lines")
            .says("An unknown parameter is refused. See docs/logs.md.")
            .takes(&with(vec![
                order(),
                query("limit", whole("Lines of a page: 100, at most 5000.")),
                query("after", text("The `next` of the page before.")),
            ]))
            .answers_page(line()),
        get("/api/v1/logs/histogram", Read, "Count log lines of each level over time")
            .takes(&with(vec![query("step", text("Seconds, or `5m`; chosen unless it says."))]))
            .answers(list(step)),
        get("/api/v1/logs/fields", Read, "List what log lines name").answers(object(&[
            ("levels*", names("All levels.")),
            ("sources*", names("Programs, units and files.")),
            ("features*", names("Features.")),
            ("environments*", names("Environments.")),
            ("lines*", whole("How many lines there are.")),
            ("bytes*", whole("How much of the file they take, about.")),
            ("oldest*", or_null(time("Of when the oldest is."))),
        ])),
        get("/api/v1/logs/export", Read, "Export log lines")
            .says("Any number of them. An answer that breaks off is not the whole.")
            .takes(&with(vec![
                order(),
                query("format", one_of(&["ndjson", "json", "csv"], "How lines are written.")),
                query("limit", whole("At most so many lines.")),
            ]))
            .answers_raw(
                200,
                "The lines.",
                &[
                    ("application/x-ndjson", text("A line each.")),
                    ("application/json", list(line())),
                    ("text/csv", text("RFC 4180, with a header.")),
                ],
            ),
        get("/api/v1/logs/{id}/context", Read, "Show a log line and those around it")
            .takes(&[
                query("before", whole("Lines before it: 5, at most 500.")),
                query("after", whole("Lines after it: 5, at most 500.")),
                query("same", text("In what they must agree: source, feature, environment, trace_id or user_id, with commas.")),
                query("timeout", text("Less than `query.timeout`.")),
            ])
            .answers(object(&[
                ("before*", list(line())),
                ("line*", line()),
                ("after*", list(line())),
            ])),
    ]
}
