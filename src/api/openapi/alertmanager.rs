//! Alertmanager's API, version 2: answers without our envelope.

use serde_json::{Value, json};

use super::super::auth::Permission::{Operate, Read, Send};
use super::operation::{Operation, delete, get, post, query, repeated};
use super::schema::{flag, list, map, object, refer, text};

fn as_alertmanager(says: &str) -> Value {
    map(json!({}), says)
}

fn filters() -> Vec<Value> {
    vec![
        repeated("filter", text("A matcher.")),
        query("active", flag("Those of which people are told.")),
        query("silenced", flag("Those that a silence covers.")),
        query("inhibited", flag("Those that another one explains.")),
        query("receiver", text("A regular expression on the names of channels.")),
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    let json_of = |schema: Value| vec![("application/json", schema)];
    let listed = |operation: Operation, says: &str| {
        operation.answers_raw(200, says, &json_of(list(as_alertmanager(says))))
    };
    vec![
        listed(get("/api/v2/alerts", Read, "List alerts").takes(&filters()), "An alert."),
        post("/api/v2/alerts", Send, "Take alerts")
            .says("Each becomes an incident. Valid ones are taken when others are not: then 400.")
            .body(list(refer("PostedAlert")))
            .answers_nothing(200, "Taken."),
        listed(
            get("/api/v2/alerts/groups", Read, "List alerts by group").takes(&filters()),
            "A group.",
        ),
        listed(
            get("/api/v2/silences", Read, "List silences")
                .takes(&[repeated("filter", text("A matcher."))]),
            "A silence.",
        ),
        post("/api/v2/silences", Operate, "Make or change a silence")
            .body(as_alertmanager("A silence, as Alertmanager has it."))
            .answers_raw(200, "Made.", &json_of(object(&[("silenceID*", text("Its id."))]))),
        get("/api/v2/silence/{id}", Read, "Show a silence").answers_raw(
            200,
            "It.",
            &json_of(as_alertmanager("A silence.")),
        ),
        delete("/api/v2/silence/{id}", Operate, "End a silence now").answers_nothing(200, "Ended."),
        get("/api/v2/status", Read, "Say who answers").answers_raw(
            200,
            "Version, configuration, uptime.",
            &json_of(as_alertmanager("Status.")),
        ),
        listed(get("/api/v2/receivers", Read, "List channels"), "A receiver."),
    ]
}
