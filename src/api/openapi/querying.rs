//! Prometheus's API for reading metrics.

use serde_json::{Value, json};

use super::super::auth::Permission::Read;
use super::operation::{Operation, get, limit, post, query, repeated, required};
use super::schema::{any, labels, list, list_of, map, object, one_of, refer, text};

const LIMIT: &str = "Series beyond this many are left out, with a warning; 0: all.";

fn unix(name: &str, says: &str) -> Value {
    query(name, text(&format!("{says} Unix seconds or RFC 3339.")))
}

fn evaluation() -> Vec<Value> {
    vec![
        required("query", text("PromQL.")),
        query("timeout", text("How long it may take; never more than `query.timeout`.")),
        limit(LIMIT),
        query("lookback_delta", text("How far back a sample counts; `query.lookback_delta`.")),
        query("stats", one_of(&["all", "true"], "Adds what the evaluation took.")),
    ]
}

fn selection() -> Vec<Value> {
    vec![
        unix("start", "Only series that have samples from then on."),
        unix("end", "Only series that have samples until then."),
        limit(LIMIT),
    ]
}

/// Both methods of an operation that takes a form.
fn both(
    path: &str,
    summary: &str,
    parameters: &[Value],
    answer: impl Fn(Operation) -> Operation,
) -> [Operation; 2] {
    [
        answer(get(path, Read, summary).takes(parameters)),
        answer(post(path, Read, format!("{summary}, asked by a form")).takes_form(parameters)),
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    let mut instant = evaluation();
    instant.push(unix("time", "When; now unless it says."));
    all.extend(both("/api/v1/query", "Evaluate a query at one time", &instant, |operation| {
        operation.answers(refer("QueryAnswer")).answers_raw(
            422,
            "The query failed while it ran.",
            &[("application/json", refer("Error"))],
        )
    }));
    let mut range = evaluation();
    range.extend([
        required("start", text("The first step: Unix seconds or RFC 3339.")),
        required("end", text("The last step: Unix seconds or RFC 3339.")),
        required("step", text("Between two steps: seconds or a duration such as `1m`.")),
    ]);
    all.extend(both("/api/v1/query_range", "Evaluate a query over time", &range, |operation| {
        operation
            .says("At most `query.max_points` steps.")
            .answers(refer("QueryAnswer"))
            .answers_raw(
                422,
                "The query failed while it ran.",
                &[("application/json", refer("Error"))],
            )
    }));
    let mut chosen = selection();
    chosen.push(repeated("match[]", text("A selector; series that fit any of them count.")));
    all.extend(both("/api/v1/series", "List series", &chosen, |operation| {
        operation
            .says("At least one `match[]`.")
            .answers(list(labels("The labels of a series, its name as `__name__`.")))
    }));
    all.extend(both("/api/v1/labels", "List the names of labels", &chosen, |operation| {
        operation.answers(list(text("A name.")))
    }));
    all.push(
        get("/api/v1/label/{name}/values", Read, "List the values of a label")
            .says("`__name__` gives the names of all metrics. Names beyond ASCII as `U__…`.")
            .takes(&chosen)
            .answers(list(text("A value."))),
    );
    all.push(
        get("/api/v1/metadata", Read, "Show types, units and help texts of metrics")
            .takes(&[
                query("metric", text("Of this metric alone.")),
                limit("At most so many metrics."),
            ])
            .answers(map(list(refer("MetricMetadata")), "By the metric's name.")),
    );
    let exemplars = [
        required("query", text("PromQL; its selectors choose series.")),
        unix("start", "From."),
        unix("end", "Until."),
    ];
    all.extend(both("/api/v1/query_exemplars", "List exemplars", &exemplars, |operation| {
        operation.answers(list(refer("SeriesExemplars")))
    }));
    let written = [required("query", text("PromQL."))];
    all.extend(both(
        "/api/v1/format_query",
        "Print a query well laid out",
        &written,
        |operation| operation.answers(text("The query.")),
    ));
    all.extend(both("/api/v1/parse_query", "Show the tree of a query", &written, |operation| {
        operation.answers(any("The tree, as Prometheus 3 gives it."))
    }));
    all.push(
        get("/federate", Read, "Give the latest samples, for another Prometheus to scrape")
            .takes(&[repeated("match[]", text("A selector; series that fit any of them."))])
            .answers_raw(200, "Text, version 0.0.4.", &[("text/plain", json!({"type": "string"}))]),
    );
    all.push(
        get("/api/v1/targets", Read, "List scrape targets")
            .takes(&[
                query("state", one_of(&["any", "active", "dropped"], "Which.")),
                query("scrapePool", text("Of this job alone.")),
            ])
            .answers(object(&[
                (
                    "activeTargets*",
                    list_of(map(json!({}), "A target, as Prometheus shows it."), "Scraped."),
                ),
                (
                    "droppedTargets*",
                    list_of(map(json!({}), "A target."), "Left out by relabelling."),
                ),
                ("droppedTargetCounts*", map(json!({"type": "integer"}), "By job.")),
            ])),
    );
    all
}
