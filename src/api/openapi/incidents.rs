//! Incidents and what people do with them.

use serde_json::{Value, json};

use super::super::auth::Permission::{Operate, Read};
use super::operation::{Operation, after, delete, get, limit, patch, post, query, repeated};
use super::schema::{duration, list, moment, object, one_of, refer, text, whole};

/// A body of an act: what all acts may carry, and its own.
fn act(own: &[(&str, Value)]) -> Value {
    let mut fields = vec![
        ("by", text("Who acts; the token's name unless it says.")),
        ("version", whole("The version that was seen: 409 if it is another one now.")),
        ("note", text("Written down with it.")),
    ];
    fields.extend(own.iter().cloned());
    object(&fields)
}

fn if_match() -> Value {
    json!({
        "name": "If-Match", "in": "header", "schema": {"type": "string"},
        "description": "The version that was seen, like the field `version`.",
    })
}

pub(super) fn operations() -> Vec<Operation> {
    let one = |path: &str| format!("/api/v1/incidents/{{id}}{path}");
    let acts = |operation: Operation| {
        operation.takes(&[if_match()]).answers(refer("Incident")).may_conflict()
    };
    vec![
        get("/api/v1/incidents", Read, "List incidents, the newest first")
            .takes(&[
                repeated(
                    "status",
                    one_of(super::schemas::INCIDENT_STATUS, "How far people have come."),
                ),
                repeated("severity", one_of(super::schemas::SEVERITIES, "How bad they are.")),
                query("source", one_of(super::schemas::SOURCES, "Who found them.")),
                repeated("match", text("A matcher on labels, such as `job=\"db\"`.")),
                query("feature", text("The label `feature`.")),
                query("provider", text("The label `provider`.")),
                query("check", text("The label `check`.")),
                query("alertname", text("The label `alertname`.")),
                query("instance", text("The label `instance`.")),
                query("assignee", text("Whose they are.")),
                limit("At most so many; 100, at most 1000."),
                after(),
            ])
            .answers_page(refer("Incident")),
        get(one(""), Read, "Show an incident").answers(refer("Incident")),
        acts(patch(one(""), Operate, "Change severity or title").body(act(&[
            ("severity", one_of(super::schemas::SEVERITIES, "How bad it is.")),
            ("title", text("A line for people.")),
        ]))),
        acts(post(one("/acknowledge"), Operate, "Take an incident").optional_body(act(&[]))),
        acts(post(one("/resolve"), Operate, "End an incident").optional_body(act(&[]))),
        acts(post(one("/reopen"), Operate, "Open an incident again").optional_body(act(&[]))),
        acts(
            post(one("/snooze"), Operate, "Tell nobody for a while").body(act(&[
                ("until", moment("Until then; or")),
                ("for", duration("for so long.")),
            ])),
        ),
        acts(delete(one("/snooze"), Operate, "Tell people again").optional_body(act(&[]))),
        acts(
            post(one("/assign"), Operate, "Give an incident to somebody")
                .body(act(&[("assignee", text("Whose it is; absent or empty: nobody's."))])),
        ),
        get(one("/notes"), Read, "List notes").answers(list(refer("Note"))),
        acts(
            post(one("/notes"), Operate, "Write a note")
                .body(act(&[("text", text("What there is to say."))])),
        ),
        get(one("/timeline"), Read, "Show what happened to an incident")
            .answers(list(refer("TimelineEntry"))),
        get(one("/evidence"), Read, "Show what explains an incident").answers(refer("Evidence")),
        get(one("/deliveries"), Read, "List what was sent about an incident")
            .answers(list(refer("Delivery"))),
    ]
}
