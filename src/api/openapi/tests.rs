//! Holds the document to the router, to the table of permissions and to the types.

mod routes;
mod schemas;

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;

use crate::api::auth::permission_of;

use super::operation::Operation;
use super::{document, topics};

fn operations() -> Vec<Operation> {
    topics().into_iter().flat_map(|(_, _, operations)| operations).collect()
}

/// The path with something in the place of each parameter.
fn filled(operation: &Operation) -> String {
    let (path, names) = operation.template();
    names.iter().fold(path, |path, name| path.replace(&format!("{{{name}}}"), "x"))
}

/// Every value of the document, with its place.
fn walk(value: &Value, at: &str, each: &mut dyn FnMut(&str, &Value)) {
    each(at, value);
    match value {
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                walk(item, &format!("{at}/{place}"), each);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                walk(field, &format!("{at}/{}", name.replace('/', "~1")), each);
            }
        }
        _ => {}
    }
}

#[test]
fn each_operation_names_the_permission_that_its_route_asks_for() {
    for operation in operations() {
        let method: Method = operation.method.parse().expect("a method");
        assert_eq!(
            permission_of(&method, &filled(&operation)),
            operation.permission,
            "{} {}",
            operation.method,
            operation.path
        );
    }
}

#[test]
fn no_operation_stands_there_twice_and_each_has_an_id_of_its_own() {
    let (mut places, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for operation in operations() {
        let (path, _) = operation.template();
        assert!(places.insert((operation.method, path.clone())), "{} {path}", operation.method);
        assert!(ids.insert(operation.id()), "{}", operation.id());
    }
}

#[test]
fn each_operation_says_what_it_answers_when_it_is_done() {
    for operation in operations() {
        let written = operation.document("x");
        let done = |status: &String| status.starts_with(['1', '2']);
        let answers = written["responses"].as_object().expect("an object");
        assert!(answers.keys().any(done), "{} {}", operation.method, operation.path);
    }
}

/// A parameter of a path that is declared twice, or not at all, makes generators fail.
#[test]
fn parameters_are_declared_once() {
    for operation in operations() {
        let written = operation.document("x");
        let mut seen = BTreeSet::new();
        for parameter in written["parameters"].as_array().into_iter().flatten() {
            let place = (parameter["in"].to_string(), parameter["name"].to_string());
            assert!(seen.insert(place.clone()), "{} has {place:?} twice", operation.path);
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    walk(&document, "", &mut |at, value| {
        let Some(target) = value.get("$ref").and_then(Value::as_str) else { return };
        let pointer = target.strip_prefix('#').expect("a place of this document");
        assert!(document.pointer(pointer).is_some(), "{at}: {target} leads nowhere");
        used.insert(pointer.to_owned());
    });
    for kind in ["schemas", "responses"] {
        for name in document["components"][kind].as_object().expect("an object").keys() {
            let pointer = format!("/components/{kind}/{name}");
            assert!(used.contains(&pointer), "{pointer} is used nowhere");
        }
    }
}

#[test]
fn every_operation_belongs_to_a_topic_that_is_declared() {
    let document = document();
    let tags: BTreeSet<String> = document["tags"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tag| tag["name"].to_string())
        .collect();
    assert_eq!(tags.len(), topics().len());
    walk(&document["paths"], "", &mut |at, value| {
        for tag in value.get("tags").and_then(Value::as_array).into_iter().flatten() {
            assert!(tags.contains(&tag.to_string()), "{at}: {tag}");
        }
    });
}
