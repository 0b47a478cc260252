//! The operations that all kinds of objects have.

use serde_json::Value;

use super::super::auth::Permission::{Operate, Read};
use super::operation::{Operation, after, delete, get, idempotency_key, limit, patch, post, put};
use super::schema::{object, refer, text};

/// Reading one, making, replacing, changing and removing: all but the list. `noun` is what one is
/// called, `definition` and `shown` the names of its schemas.
pub(super) fn all_but_list(
    plural: &str,
    noun: &str,
    definition: &str,
    shown: &str,
) -> Vec<Operation> {
    let path = format!("/api/v1/{plural}");
    let one = format!("{path}/{{name}}");
    let owned = "What the settings file defines is changed there: 409.";
    let removed =
        object(&[("name*", text("The name.")), ("deleted*", super::schema::flag("`true`."))]);
    vec![
        post(&path, Operate, format!("Make a {noun}"))
            .says("The name must be free, else 409.")
            .takes(&[idempotency_key(
                "Any text. With it, making the very object that is there already is no conflict.",
            )])
            .body(refer(definition))
            .answers(refer(shown))
            .answers_with(201, "Made.", refer(shown))
            .may_conflict(),
        get(&one, Read, format!("Show a {noun}")).answers(refer(shown)),
        put(&one, Operate, format!("Make or replace a {noun}"))
            .says(owned)
            .body(refer(definition))
            .answers(refer(shown))
            .answers_with(201, "Made.", refer(shown))
            .may_conflict(),
        patch(&one, Operate, format!("Change a {noun}"))
            .says("A JSON merge patch (RFC 7396): `null` takes a field away.")
            .says(owned)
            .body_of(
                true,
                &[
                    ("application/json", any_fields()),
                    ("application/merge-patch+json", any_fields()),
                ],
            )
            .answers(refer(shown))
            .may_conflict(),
        delete(&one, Operate, format!("Remove a {noun}"))
            .says(owned)
            .answers(removed)
            .may_conflict(),
    ]
}

/// All of them, the list too.
pub(super) fn all(plural: &str, noun: &str, definition: &str, shown: &str) -> Vec<Operation> {
    let mut operations = vec![
        get(format!("/api/v1/{plural}"), Read, format!("List {plural}, by name"))
            .takes(&[limit("At most so many; 1000 unless it says, and at most."), after()])
            .answers_page(refer(shown)),
    ];
    operations.extend(all_but_list(plural, noun, definition, shown));
    operations
}

fn any_fields() -> Value {
    super::schema::map(serde_json::json!({}), "The fields that change.")
}
