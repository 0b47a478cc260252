//! Signing in from a browser.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Served, serve};
use crate::config::{AuthMode, FileToken, Role, Settings, TokenHash};

fn with_tokens(tokens: &[(&str, Role)]) -> Served {
    let mut settings = Settings::default();
    settings.auth.mode = AuthMode::Token;
    settings.auth.tokens = tokens
        .iter()
        .map(|(token, role)| FileToken {
            name: format!("{role}-token"),
            role: *role,
            hash: TokenHash::of(token),
        })
        .collect();
    serve(settings)
}

async fn ask(
    served: &Served,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, HeaderMap, Value) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).expect("a request");
    let response = served.router.clone().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("whole").to_bytes();
    (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn sign_in(served: &Served, body: Value) -> (StatusCode, String, Value) {
    let path = "/api/v1/session";
    let (status, headers, answer) = ask(served, Method::POST, path, &[], &body.to_string()).await;
    let cookie = headers.get(header::SET_COOKIE).map(|v| v.to_str().expect("text").to_owned());
    assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{status}");
    (status, cookie.unwrap_or_default(), answer)
}

#[tokio::test]
async fn a_valid_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get() {
    let served = with_tokens(&[("secret", Role::Operator)]);
    let (status, cookie, answer) = sign_in(&served, json!({"token": "secret"})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(cookie, "vedette-session=secret; HttpOnly; SameSite=Strict; Path=/");
    let expected = json!({
        "mode": "token", "name": "operator-token", "role": "operator",
        "may": ["read", "send", "operate"], "via": "cookie",
    });
    assert_eq!(answer["data"], expected);
    assert!(!answer.to_string().contains("secret"));

    let (_, cookie, _) = sign_in(&served, json!({"token": "secret", "remember": true})).await;
    assert!(cookie.ends_with("; Max-Age=2592000"), "{cookie}");
    // A proxy in front ends TLS.
    let secure = [("origin", "https://vedette.example"), ("host", "vedette.example")];
    let body = json!({"token": "secret"}).to_string();
    let (_, headers, _) = ask(&served, Method::POST, "/api/v1/session", &secure, &body).await;
    assert!(headers[header::SET_COOKIE].to_str().expect("text").ends_with("; Secure"));
}

#[tokio::test]
async fn the_cookie_reads_from_anywhere_and_changes_from_the_own_page_only() {
    let served = with_tokens(&[("secret", Role::Admin)]);
    let cookie = ("cookie", "vedette-theme=dark; vedette-session=secret");
    let who = ask(&served, Method::GET, "/api/v1/session", &[cookie], "").await.2;
    assert_eq!((&who["data"]["via"], &who["data"]["role"]), (&json!("cookie"), &json!("admin")));
    assert_eq!(ask(&served, Method::GET, "/api/v1/labels", &[cookie], "").await.0, 200);
    let compact = "/api/v1/admin/compact";
    for (headers, expected) in [
        (vec![cookie], 403),
        (vec![cookie, ("sec-fetch-site", "same-site")], 403),
        (vec![cookie, ("sec-fetch-site", "same-origin")], 200),
        (vec![cookie, ("host", "v.example"), ("origin", "http://v.example")], 200),
        (vec![cookie, ("host", "v.example"), ("origin", "http://evil.example")], 403),
        // A header is no browser's doing.
        (vec![cookie, ("authorization", "Bearer secret")], 200),
    ] {
        let (status, _, answer) = ask(&served, Method::POST, compact, &headers, "").await;
        assert_eq!(status.as_u16(), expected, "{headers:?}: {answer}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_401_and_many_are_429() {
    let served = with_tokens(&[("secret", Role::Viewer)]);
    for _ in 0..10 {
        let (status, cookie, answer) = refused(&served, "guess").await;
        assert_eq!((status.as_u16(), cookie), (401, None), "{answer}");
        assert!(!answer.to_string().contains("guess"));
    }
    let (status, _, answer) = refused(&served, "secret").await;
    assert_eq!(status, 429, "{answer}");
    assert!(answer["error"].as_str().is_some_and(|text| text.contains("in 60 s")), "{answer}");
}

async fn refused(served: &Served, token: &str) -> (StatusCode, Option<String>, Value) {
    let body = json!({"token": token}).to_string();
    let (status, headers, answer) = ask(served, Method::POST, "/api/v1/session", &[], &body).await;
    let cookie = headers.get(header::SET_COOKIE).map(|v| v.to_str().expect("text").to_owned());
    (status, cookie, answer)
}

#[tokio::test]
async fn who_signs_out_or_loses_the_token_is_nobody() {
    let served = with_tokens(&[("secret", Role::Viewer)]);
    let nobody = json!({"mode": "token", "name": null, "role": null, "may": [], "via": "none"});
    let show = |cookie: &'static str| {
        let served = &served;
        async move {
            let headers = [("cookie", cookie)];
            ask(served, Method::GET, "/api/v1/session", &headers, "").await.2["data"].clone()
        }
    };
    assert_eq!(show("vedette-session=wrong").await, nobody);
    assert_eq!(show("vedette-session=secret").await["name"], "viewer-token");
    let (status, headers, _) = ask(&served, Method::DELETE, "/api/v1/session", &[], "").await;
    assert_eq!(status, 204);
    let cookie = headers[header::SET_COOKIE].to_str().expect("text");
    assert!(cookie.starts_with("vedette-session=;") && cookie.contains("Max-Age=0"), "{cookie}");
    // Revoked: the cookie says nothing from then on.
    let mut settings = Settings::default();
    settings.auth.mode = AuthMode::Token;
    served.app.take_up(settings).expect("taken up");
    assert_eq!(show("vedette-session=secret").await, nobody);
}

#[tokio::test]
async fn where_no_token_is_needed_everybody_is_local() {
    let served = serve(Settings::default());
    let who = ask(&served, Method::GET, "/api/v1/session", &[], "").await.2;
    let expected = json!({
        "mode": "open", "name": "local", "role": "admin",
        "may": ["read", "send", "operate", "administer"], "via": "none",
    });
    assert_eq!(who["data"], expected);
}

#[tokio::test]
async fn a_script_that_lacks_a_token_opens_no_dialog_of_the_browser() {
    let served = with_tokens(&[("secret", Role::Viewer)]);
    for (headers, basic) in [
        (vec![], true),
        (vec![("sec-fetch-mode", "navigate")], true),
        (vec![("sec-fetch-mode", "cors")], false),
        (vec![("sec-fetch-mode", "websocket")], false),
        (vec![("x-requested-with", "vedette")], false),
        (vec![("cookie", "vedette-session=wrong")], false),
    ] {
        let (status, answer, _) = ask(&served, Method::GET, "/api/v1/labels", &headers, "").await;
        assert_eq!(status, 401);
        let offers = answer[header::WWW_AUTHENTICATE].to_str().expect("text");
        assert_eq!(offers.contains("Basic"), basic, "{headers:?}: {offers}");
        assert!(offers.contains("Bearer"), "{headers:?}: {offers}");
    }
}
