//! The dashboard as the binary serves it, without a browser: every file with its type and headers,
//! every import leads somewhere, nothing stands inside the page's text, and a first visit is small.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use vedette::api::{App, router};
use vedette::clock::ManualClock;
use vedette::config::Settings;
use vedette::telemetry::Telemetry;
use vedette::ui::{ASSETS, Bundle, CONTENT_SECURITY_POLICY, content_type};

/// What a first visit may transfer, in bytes of gzip.
const FIRST_LOAD_MAX: usize = 60 * 1024;

fn app() -> Arc<App> {
    let (reloads, _) = tokio::sync::mpsc::channel(1);
    let address = "127.0.0.1:9077".parse().expect("an address");
    let clock = Arc::new(ManualClock::default());
    App::new(Settings::default(), address, clock, Arc::new(Telemetry::new()), reloads)
}

async fn ask(
    router: &Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("whole").to_bytes().to_vec();
    (parts.status, parts.headers, body)
}

async fn get(router: &Router, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
    ask(router, Method::GET, path, &[]).await
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|v| v.to_str().expect("text").to_owned()).unwrap_or_default()
}

fn asset(path: &str) -> &'static str {
    let found = ASSETS.iter().find(|asset| asset.path == path).unwrap_or_else(|| panic!("{path}"));
    std::str::from_utf8(found.bytes).expect("UTF-8")
}

fn files_below(directory: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).expect("readable") {
        let entry = entry.expect("readable");
        let name = format!("{prefix}{}", entry.file_name().to_str().expect("UTF-8"));
        if entry.path().is_dir() {
            files_below(&entry.path(), &format!("{name}/"), found);
        } else {
            found.insert(name);
        }
    }
}

#[test]
fn every_file_of_the_dashboard_is_in_the_binary() {
    let mut on_disk = BTreeSet::new();
    files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui/web"), "", &mut on_disk);
    let listed: BTreeSet<String> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
    let missing: Vec<&String> = on_disk.difference(&listed).collect();
    assert!(missing.is_empty(), "not listed in src/ui/mod.rs: {missing:?}");
}

#[tokio::test]
async fn every_file_is_served_for_good_with_its_type_and_policy() {
    let (router, bundle) = (router(app()), Bundle::default());
    for asset in ASSETS {
        let path = format!("/ui/{}/{}", bundle.hash(), asset.path);
        let (status, headers, body) = get(&router, &path).await;
        assert_eq!((status, body.as_slice()), (StatusCode::OK, asset.bytes), "{path}");
        assert_eq!(text(&headers, "content-type"), content_type(asset.path));
        assert_eq!(text(&headers, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(text(&headers, "content-security-policy"), CONTENT_SECURITY_POLICY);
        assert_eq!(text(&headers, "x-content-type-options"), "nosniff");
        assert_eq!(text(&headers, "referrer-policy"), "same-origin");
        assert!(text(&headers, "vary").contains("accept-encoding"));
        let etag = text(&headers, "etag");
        let known = [("if-none-match", etag.as_str())];
        let (status, _, body) = ask(&router, Method::GET, &path, &known).await;
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
        let (status, headers, body) =
            ask(&router, Method::GET, &path, &[("accept-encoding", "gzip")]).await;
        assert_eq!((status, text(&headers, "content-encoding")), (StatusCode::OK, "gzip".into()));
        assert_eq!(Some(body.as_slice()), bundle.gzip(asset.path), "{path}");
        let (status, headers, body) = ask(&router, Method::HEAD, &path, &[]).await;
        assert_eq!((status, body.len()), (StatusCode::OK, 0), "{path}");
        assert_eq!(text(&headers, "content-length"), asset.bytes.len().to_string());
    }
}

#[tokio::test]
async fn files_that_there_are_not_are_404_and_addresses_of_pages_are_the_page() {
    let (router, bundle) = (router(app()), Bundle::default());
    for path in [
        format!("/ui/{}/js/none.js", bundle.hash()),
        format!("/ui/{}/../mod.rs", bundle.hash()),
        format!("/ui/{}/%2e%2e/mod.rs", bundle.hash()),
        "/ui/0123456789abcdef/js/app.js".to_owned(),
        "/ui/@/js/app.js".to_owned(),
    ] {
        let (status, headers, _) = get(&router, &path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(text(&headers, "cache-control"), "", "{path}");
    }
    for path in ["/ui", "/ui/", "/ui/checks", "/ui/incidents/7", "/ui/a/b/c?d=e"] {
        let (status, headers, body) = get(&router, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(body, bundle.index(Default::default()).into_bytes(), "{path}");
        assert_eq!(text(&headers, "content-type"), "text/html; charset=utf-8");
        assert_eq!(text(&headers, "cache-control"), "no-cache");
        assert_eq!(text(&headers, "content-security-policy"), CONTENT_SECURITY_POLICY);
    }
}

#[tokio::test]
async fn the_page_comes_in_the_colours_of_its_cookie() {
    let router = router(app());
    let mut etags = BTreeSet::new();
    for (cookie, theme) in [
        ("vedette-theme=dark", "data-theme=\"dark\""),
        ("a=b; vedette-theme=light", "data-theme=\"light\""),
        ("vedette-theme=\"><script>", "data-theme=\"\""),
    ] {
        let (_, headers, body) = ask(&router, Method::GET, "/ui/", &[("cookie", cookie)]).await;
        assert!(String::from_utf8(body).expect("UTF-8").contains(theme), "{cookie}");
        assert!(text(&headers, "vary").contains("cookie"));
        etags.insert(text(&headers, "etag"));
    }
    assert_eq!(etags.len(), 3, "one page must not be taken for another");
}

#[tokio::test]
async fn a_browser_is_led_to_the_page_and_others_are_told_where_to_look() {
    let router = router(app());
    let browser = [("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")];
    let (status, headers, _) = ask(&router, Method::GET, "/", &browser).await;
    assert_eq!((status, text(&headers, "location")), (StatusCode::FOUND, "/ui/".to_owned()));
    let (status, _, body) = ask(&router, Method::GET, "/", &[("accept", "*/*")]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8(body).expect("UTF-8").contains("/api/v1/query"));
}

#[tokio::test]
async fn a_name_that_is_not_of_this_machine_gets_no_page_while_only_loopback_protects() {
    let router = router(app());
    let rebound = [("host", "evil.example:9077")];
    for path in ["/ui/", "/ui/checks"] {
        let (status, ..) = ask(&router, Method::GET, path, &rebound).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
}

/// The policy forbids them, so that the page would be broken; here it is found without a browser.
#[test]
fn nothing_stands_inside_the_page_s_text() {
    let page = asset("index.html");
    assert!(!page.contains("<style") && !page.contains(" style="));
    for script in page.split("<script").skip(1) {
        assert!(script.trim_start().starts_with("type=\"module\" src="), "{script}");
        assert!(script.contains("></script>"), "{script}");
    }
    for handler in [" onclick=", " onload=", " onerror=", "javascript:"] {
        assert!(!page.contains(handler), "{handler}");
    }
    for asset in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
        let code = std::str::from_utf8(asset.bytes).expect("UTF-8");
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!code.contains(word), "{}: {word}", asset.path);
        }
    }
    for asset in ASSETS.iter().filter(|asset| asset.path.ends_with(".css")) {
        let rules = std::str::from_utf8(asset.bytes).expect("UTF-8");
        assert!(!rules.contains("://") && !rules.contains("@import"), "{}", asset.path);
    }
}

/// What a module imports: at once, and when it is needed. A place that is put together while the
/// page runs is given as a pattern, with `*` for what is put in.
fn imports_of(path: &str) -> (Vec<String>, Vec<String>) {
    let (mut at_once, mut later) = (Vec::new(), Vec::new());
    // Types that comments import are no imports.
    let code: Vec<&str> = asset(path)
        .lines()
        .filter(|line| {
            let line = line.trim_start();
            !line.starts_with("//") && !line.starts_with('*') && !line.starts_with("/*")
        })
        .collect();
    let code = code.join("\n");
    let resolve = |text: &str| -> String {
        let mut parts: Vec<&str> = path.split('/').collect();
        parts.pop();
        for part in text.split('/') {
            match part {
                "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        parts.join("/")
    };
    for (place, _) in code.match_indices(" from '") {
        let text = code[place + 7..].split('\'').next().expect("an end");
        if text.starts_with('.') {
            at_once.push(resolve(text));
        }
    }
    for (place, _) in code.match_indices("import '") {
        at_once.push(resolve(code[place + 8..].split('\'').next().expect("an end")));
    }
    for (place, _) in code.match_indices("import(") {
        let text = code[place + 7..].split(')').next().expect("an end");
        let text = text.trim_matches(['\'', '`']);
        let pattern = match (text.find("${"), text.rfind('}')) {
            (Some(from), Some(until)) => format!("{}*{}", &text[..from], &text[until + 1..]),
            _ => text.to_owned(),
        };
        later.push(resolve(&pattern));
    }
    (at_once, later)
}

fn modules() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().map(|asset| asset.path).filter(|path| path.ends_with(".js"))
}

#[test]
fn every_import_and_every_link_leads_to_a_file() {
    let exists = |path: &str| ASSETS.iter().any(|asset| asset.path == path);
    let mut all = 0;
    for module in modules() {
        let (at_once, later) = imports_of(module);
        for path in &at_once {
            assert!(exists(path), "{module} imports {path}");
        }
        for path in &later {
            let found = match path.split_once('*') {
                None => exists(path),
                Some((before, after)) => {
                    modules().any(|m| m.starts_with(before) && m.ends_with(after))
                }
            };
            assert!(found, "{module} imports {path}");
        }
        all += at_once.len() + later.len();
    }
    assert!(all > 50, "only {all} imports were found: the test reads them wrongly");
    for link in asset("index.html").split("/ui/@/").skip(1) {
        let path = link.split('"').next().expect("an end");
        assert!(exists(path), "index.html links {path}");
    }
}

#[test]
fn a_first_visit_is_small() {
    let mut wanted: Vec<String> = asset("index.html")
        .split("/ui/@/")
        .skip(1)
        .map(|link| link.split('"').next().expect("an end").to_owned())
        .collect();
    wanted.extend(["index.html".to_owned(), "js/pages/overview.js".to_owned()]);
    let mut visited = BTreeSet::new();
    while let Some(path) = wanted.pop() {
        if path.ends_with(".js") && !visited.contains(&path) {
            wanted.extend(imports_of(&path).0);
        }
        visited.insert(path);
    }
    assert!(visited.contains("js/app.js") && visited.len() > 10, "{visited:?}");
    let bundle = Bundle::default();
    let size = |path: &String| bundle.gzip(path).expect("a file").len();
    let sum: usize = visited.iter().map(size).sum();
    println!("a first visit transfers {sum} bytes in {} files", visited.len());
    assert!(sum <= FIRST_LOAD_MAX, "{sum} bytes: {visited:?}");
}
