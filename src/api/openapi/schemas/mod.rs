//! The schemas that have a name, a file per topic, and the answers that all operations share.

mod base;
mod check;
mod experiment;
mod feature;
mod incident;
mod live;
mod notify;
mod overview;
mod rule;

use serde_json::{Map, Value, json};

pub(super) use check::{CHECK_KINDS, CHECK_STATUS};
pub(super) use incident::{INCIDENT_STATUS, SEVERITIES, SOURCES};
pub(super) use live::LOG_LEVELS;
pub(super) use notify::{DELIVERY_STATES, HOLD_STATES};
pub(super) use rule::FOUND;

/// A schema and its name.
pub(super) type Named = (&'static str, Value);

/// All of them, by name.
pub(super) fn all() -> Value {
    let mut named = Map::new();
    for (name, schema) in [
        base::schemas(),
        check::schemas(),
        rule::schemas(),
        incident::schemas(),
        notify::schemas(),
        experiment::schemas(),
        feature::schemas(),
        live::schemas(),
        overview::schemas(),
    ]
    .into_iter()
    .flatten()
    {
        named.insert(name.to_owned(), schema);
    }
    Value::Object(named)
}

/// Answers of failure, which are alike everywhere.
pub(super) fn answers() -> Value {
    let mut all = Map::new();
    for (name, says) in [
        ("BadData", "A parameter, a body or a part of it cannot be taken; the error says which."),
        ("Unauthorized", "No token, or none that is valid."),
        ("Forbidden", "The token's role may not, or the request comes from a foreign page."),
        ("NotFound", "There is no such object."),
        (
            "Conflict",
            "It clashes with how things are: taken, owned by the settings file, or moved on.",
        ),
        ("Unavailable", "Recovering, stopping, out of time, or too little free disk."),
        ("Error", "Any other failure."),
    ] {
        let content = json!({"application/json": {"schema": super::schema::refer("Error")}});
        all.insert(name.to_owned(), json!({"description": says, "content": content}));
    }
    Value::Object(all)
}
