//! The document against the sources of the routes, and against the router itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::api::router;
use crate::api::state::App;
use crate::clock::ManualClock;
use crate::config::Settings;
use crate::telemetry::Telemetry;

use super::{filled, operations};

/// What routes are given to: the names of axum's functions, and the methods that they mean.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A method, and a path with its parameters as `{}`.
type Place = (String, String);

fn place(method: &str, path: &str) -> Place {
    let path: Vec<&str> =
        path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect();
    (method.to_ascii_uppercase(), path.join("/"))
}

/// The text of the arguments of a call, from behind its opening parenthesis.
fn arguments(text: &str) -> &str {
    let mut depth = 1;
    let mut in_text = false;
    for (at, sign) in text.char_indices() {
        match sign {
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    panic!("a call that does not end: {text:.80}");
}

/// The methods of `get(a).post(b)`.
fn methods_of(text: &str) -> Vec<&'static str> {
    let named = |method: &&&str| {
        text.starts_with(&format!("{method}(")) || text.contains(&format!(").{method}("))
    };
    METHODS.iter().filter(named).copied().collect()
}

/// The routes that a source file declares. A form that is not known here fails, so that no route
/// is overlooked.
fn routes_in(source: &str, into: &mut BTreeSet<Place>) {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String = code.lines().map(|line| format!("{}\n", line.trim())).collect();
    for (at, _) in code.match_indices(".route(") {
        let call = arguments(&code[at + ".route(".len()..]).trim();
        let (path, rest) = match call.strip_prefix('"') {
            Some(rest) => {
                let (path, rest) = rest.split_once('"').expect("a text");
                (path.to_owned(), rest)
            }
            None => match call.strip_prefix("&below(\"") {
                Some(rest) => {
                    let (path, rest) = rest.split_once("\")").expect("a text");
                    (format!("/api/v1/incidents/{{id}}{path}"), rest)
                }
                // In objects.rs, for all kinds: see below.
                None if call.starts_with("&format!(\"/api/v1/{plural}") => continue,
                None => panic!("a route of a form that is not known: {call}"),
            },
        };
        let handlers = rest.trim_start_matches([',', '\n', ' ']);
        let methods = methods_of(handlers);
        assert!(!methods.is_empty(), "no method of {path}: {handlers}");
        into.extend(methods.iter().map(|method| place(method, &path)));
    }
    // With a list of objects' own or another one: it is read by GET in either case.
    for function in ["routes::<", "routes_but_list::<"] {
        for (at, _) in code.match_indices(function) {
            if code[..at].ends_with("fn ") {
                continue;
            }
            let Some((kind, rest)) = code[at + function.len()..].split_once(">(\"") else {
                continue;
            };
            // A call that names no kind: `routes::<T>(plural)`.
            if kind.contains(['(', '\n', '"']) {
                continue;
            }
            let (plural, _) = rest.split_once('"').expect("a text");
            let list = format!("/api/v1/{plural}");
            into.extend(["get", "post"].map(|method| place(method, &list)));
            let one = format!("{list}/{{name}}");
            into.extend(["get", "put", "patch", "delete"].map(|method| place(method, &one)));
        }
    }
}

fn routes_below(directory: &Path, into: &mut BTreeSet<Place>) {
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // Tests have routers of their own.
        if name == "tests" || name == "tests.rs" || name == "export_tests.rs" {
            continue;
        }
        if path.is_dir() {
            routes_below(&path, into);
        } else if name.ends_with(".rs") {
            routes_in(&fs::read_to_string(&path).expect("readable"), into);
        }
    }
}

#[test]
fn every_route_of_the_sources_is_in_the_document_and_nothing_else() {
    let mut declared = BTreeSet::new();
    routes_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api"), &mut declared);
    let described: BTreeSet<Place> =
        operations().iter().map(|operation| place(operation.method, &operation.path)).collect();
    let missing: Vec<_> = declared.difference(&described).collect();
    assert!(missing.is_empty(), "routes that the document does not have: {missing:#?}");
    let invented: Vec<_> = described.difference(&declared).collect();
    assert!(invented.is_empty(), "operations without a route: {invented:#?}");
    assert!(declared.len() > 100, "the scanner finds {} routes", declared.len());
}

/// Over a daemon that is not ready, so that nothing happens: a route that exists answers whatever
/// it likes but that there is none.
#[tokio::test]
async fn every_operation_is_answered_by_the_router() {
    let (reloads, _) = mpsc::channel(1);
    let address = "127.0.0.1:1".parse().expect("an address");
    let (clock, counts) = (Arc::new(ManualClock::default()), Arc::new(Telemetry::new()));
    let router = router(App::new(Settings::default(), address, clock, counts, reloads));
    for operation in operations() {
        let request = Request::builder().method(operation.method).uri(filled(&operation));
        let request = request.body(Body::empty()).expect("a request");
        let response = router.clone().oneshot(request).await.expect("infallible");
        let status = response.status();
        let said = || async {
            let body = response.into_body().collect().await.expect("whole").to_bytes();
            String::from_utf8_lossy(&body).into_owned()
        };
        assert_ne!(
            status,
            StatusCode::METHOD_NOT_ALLOWED,
            "{} {}",
            operation.method,
            operation.path
        );
        if status == StatusCode::NOT_FOUND {
            let said = said().await;
            assert!(
                !said.contains("/ says where to look"),
                "{} {}: {said}",
                operation.method,
                operation.path
            );
        }
    }
}

#[test]
fn the_scanner_of_routes_knows_each_form() {
    let mut found = BTreeSet::new();
    let source = r#"
        Router::new()
            .route("/a", get(x).post(|| async { f(")") }))
            .route(
                "/b/{name}",
                delete(y),
            )
            .route(&below("/notes"), get(z))
            .merge(objects::routes::<Thing>("things"))
    "#;
    routes_in(source, &mut found);
    let expected: BTreeSet<Place> = [
        ("GET", "/a"),
        ("POST", "/a"),
        ("DELETE", "/b/{}"),
        ("GET", "/api/v1/incidents/{}/notes"),
        ("GET", "/api/v1/things"),
        ("POST", "/api/v1/things"),
        ("GET", "/api/v1/things/{}"),
        ("PUT", "/api/v1/things/{}"),
        ("PATCH", "/api/v1/things/{}"),
        ("DELETE", "/api/v1/things/{}"),
    ]
    .into_iter()
    .map(|(method, path)| (method.to_owned(), path.to_owned()))
    .collect();
    assert_eq!(found, expected);
}
