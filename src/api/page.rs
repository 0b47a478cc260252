//! Serves the dashboard: its files as immutable under their hash, and the page at every other
//! address below `/ui/`. The page itself is no secret; all that it shows comes from the API.

use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::{Arc, OnceLock};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse as _;

use crate::ui::{Bundle, CONTENT_SECURITY_POLICY, HASH_MARK, INDEX, Theme, content_type};
use crate::ui::{hash_of, render_index};

use super::request::{blocking, header_text};
use super::state::App;
use super::status;
use super::{ApiError, ErrorKind};

type Answered = Result<Response<Body>, ApiError>;

/// The cookie that holds the chosen colours.
const THEME_COOKIE: &str = "vedette-theme";
/// For files whose address changes with their content: a year, which is what RFC 9111 calls never.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// For all else: kept, but asked about each time.
const ASK_ALWAYS: &str = "no-cache";
/// Bytes of one file that is read from disk while developing.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Where the page's files come from.
#[derive(Debug, Default)]
pub(super) struct Page {
    bundle: OnceLock<Bundle>,
    directory: OnceLock<PathBuf>,
}

impl Page {
    fn bundle(&self) -> &Bundle {
        self.bundle.get_or_init(Bundle::default)
    }

    /// From now on the files of a directory are served, as they are at each request.
    pub(super) fn serve_from(&self, directory: PathBuf) -> Result<(), String> {
        let found = std::fs::canonicalize(&directory)
            .and_then(|found| std::fs::metadata(found.join(INDEX)).map(|_| found));
        let found = found.map_err(|error| {
            format!(
                "cannot serve the dashboard from {}: {error}; --ui-dir needs a directory with \
                 index.html, src/ui/web in the sources",
                directory.display()
            )
        })?;
        // Set once, at the start.
        let _ = self.directory.set(found);
        Ok(())
    }
}

/// `GET /`: the page, for a browser; where to look, for all others.
pub(super) async fn front(State(app): State<Arc<App>>, headers: HeaderMap) -> Response<Body> {
    let browser = header_text(&headers, &header::ACCEPT).contains("text/html");
    let mut response = if browser {
        let mut response = StatusCode::FOUND.into_response();
        set(&mut response, header::LOCATION, "/ui/");
        response
    } else {
        status::front(State(app)).await
    };
    set(&mut response, header::VARY, "accept");
    response
}

/// `GET /ui/{…}`: a file, or the page, which finds out itself what its address means.
pub(super) async fn below(
    State(app): State<Arc<App>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Answered {
    let (first, rest) = path.split_once('/').unwrap_or((&path, ""));
    let directory = app.page.directory.get();
    if first == HASH_MARK
        && let Some(directory) = directory
    {
        return from_disk(directory, rest.to_owned()).await;
    }
    if first == HASH_MARK || is_hash(first) {
        return file(app.page.bundle(), first, rest, &headers);
    }
    index(State(app), headers).await
}

/// Whether a part of a path is the hash of some version's files. No page has such a name.
fn is_hash(part: &str) -> bool {
    part.len() == 16 && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn file(bundle: &Bundle, hash: &str, path: &str, headers: &HeaderMap) -> Answered {
    // The files of another version are not there: a page of before must not be half of both.
    let found = if hash == bundle.hash() { bundle.get(path) } else { None };
    let Some(asset) = found else { return Err(no_file(path)) };
    let etag = format!("\"{}\"", bundle.hash());
    let mut response = if is_known(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if accepts_gzip(headers) {
        let packed = bundle.gzip(path).unwrap_or_default();
        let mut response = Response::new(Body::from(packed.to_vec()));
        set(&mut response, header::CONTENT_ENCODING, "gzip");
        response
    } else {
        Response::new(Body::from(Bytes::from_static(asset.bytes)))
    };
    set(&mut response, header::CONTENT_TYPE, content_type(path));
    set(&mut response, header::CACHE_CONTROL, FOREVER);
    set(&mut response, header::VARY, "accept-encoding");
    set_text(&mut response, header::ETAG, &etag);
    secure(&mut response);
    Ok(response)
}

fn no_file(path: &str) -> ApiError {
    ApiError::new(
        ErrorKind::NotFound,
        format!("the dashboard has no file {path:?} in this version; load the page again"),
    )
}

/// `GET /ui/`: the page.
pub(super) async fn index(State(app): State<Arc<App>>, headers: HeaderMap) -> Answered {
    let theme = cookie(&headers, THEME_COOKIE).map_or(Theme::System, Theme::from_name);
    let page = match app.page.directory.get() {
        None => app.page.bundle().index(theme),
        Some(directory) => {
            let text = read(directory, INDEX.to_owned()).await?;
            render_index(&String::from_utf8_lossy(&text), HASH_MARK, theme)
        }
    };
    let etag = format!("\"{}\"", hash_of([(INDEX, page.as_bytes())]));
    let mut response = if is_known(&headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(page))
    };
    set(&mut response, header::CONTENT_TYPE, content_type(INDEX));
    set(&mut response, header::CACHE_CONTROL, ASK_ALWAYS);
    // The colours.
    set(&mut response, header::VARY, "cookie");
    set_text(&mut response, header::ETAG, &etag);
    secure(&mut response);
    Ok(response)
}

async fn from_disk(directory: &FilePath, path: String) -> Answered {
    let kind = content_type(&path);
    let mut response = Response::new(Body::from(read(directory, path).await?));
    set(&mut response, header::CONTENT_TYPE, kind);
    set(&mut response, header::CACHE_CONTROL, ASK_ALWAYS);
    secure(&mut response);
    Ok(response)
}

/// Reads a file below a directory; nothing leads out of it, links included.
async fn read(directory: &FilePath, path: String) -> Result<Vec<u8>, ApiError> {
    let directory = directory.to_owned();
    blocking(move || {
        let plain = FilePath::new(&path).components().all(|c| matches!(c, Component::Normal(_)));
        let found = std::fs::canonicalize(directory.join(&path)).ok();
        let found = found.filter(|found| plain && found.starts_with(&directory) && found.is_file());
        let small = found.filter(|f| f.metadata().is_ok_and(|m| m.len() <= FILE_BYTES_MAX));
        small.and_then(|found| std::fs::read(found).ok()).ok_or_else(|| no_file(&path))
    })
    .await
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

fn set_text(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// What keeps the page to itself.
fn secure(response: &mut Response<Body>) {
    set(response, header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(response, header::REFERRER_POLICY, "same-origin");
    set(response, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(response, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
}

/// Whether the caller has this already (RFC 9110, 13.1.2; a weak mark is as good).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = header_text(headers, &header::IF_NONE_MATCH);
    known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == etag)
}

/// Whether the caller reads gzip: it says so, and not with a weight of zero (RFC 9110, 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    header_text(headers, &header::ACCEPT_ENCODING).split(',').any(|offer| {
        let (coding, weight) = offer.split_once(';').unwrap_or((offer, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        coding.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// The value of a cookie, the first of that name (RFC 6265, 4.2).
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a value"));
        headers
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let headers = with(header::COOKIE, "x-vedette-theme=light; vedette-theme=dark; a=b=c");
        assert_eq!(cookie(&headers, THEME_COOKIE), Some("dark"));
        assert_eq!(cookie(&headers, "a"), Some("b=c"));
        assert_eq!(cookie(&headers, "vedette"), None);
    }

    #[test]
    fn gzip_is_sent_to_those_who_read_it() {
        for (offer, expected) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(accepts_gzip(&with(header::ACCEPT_ENCODING, offer)), expected, "{offer}");
        }
    }

    #[tokio::test]
    async fn nothing_outside_the_directory_is_served() {
        let outer = tempfile::tempdir().expect("a directory");
        let inner = outer.path().join("web");
        std::fs::create_dir(&inner).expect("made");
        std::fs::write(outer.path().join("secret.js"), "secret").expect("written");
        std::fs::write(inner.join("app.js"), "1").expect("written");
        std::os::unix::fs::symlink("../secret.js", inner.join("link.js")).expect("linked");
        let page = Page::default();
        assert!(page.serve_from(inner.clone()).expect_err("no page").contains("index.html"));
        std::fs::write(inner.join(INDEX), "page").expect("written");
        page.serve_from(inner).expect("served");
        let directory = page.directory.get().expect("set");
        assert_eq!(read(directory, "app.js".to_owned()).await, Ok(b"1".to_vec()));
        let absolute = outer.path().join("secret.js").display().to_string();
        for path in ["../secret.js", "link.js", "x/../../secret.js", "", "none.js", &absolute] {
            let refused = read(directory, path.to_owned()).await.expect_err(path);
            assert_eq!(refused.kind, ErrorKind::NotFound, "{path}");
        }
    }
}
