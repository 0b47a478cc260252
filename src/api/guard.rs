//! Keeps web pages away from a daemon that only its address protects.
//!
//! A page in a browser on this machine can send requests to 127.0.0.1, and by rebinding its own
//! name to that address (DNS rebinding) even read the answers. Two checks stop both: the request
//! must be addressed to a name of this machine, and a request that changes something or opens a
//! WebSocket must not come from a page of another origin.

use axum::http::{HeaderMap, HeaderName, Method, Uri, header};

use super::{ApiError, ErrorKind};

/// Decides on one request. `relies_on_loopback`: whether nothing but the address protects the
/// daemon. `allowed`: `server.allowed_hosts`.
pub(super) fn check(
    relies_on_loopback: bool,
    allowed: &[String],
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let host = host_of(uri, headers);
    if relies_on_loopback
        && let Some(host) = host
        && !is_ours(host_name(host), allowed)
    {
        return Err(ApiError::new(
            ErrorKind::Forbidden,
            format!(
                "the request is addressed to {host:?}, which is not a loopback name; \
                 add it to server.allowed_hosts or create a token"
            ),
        ));
    }
    // Browsers let any page open a WebSocket to anywhere and read what comes.
    if changes_nothing(method) && !headers.contains_key(header::UPGRADE) {
        return Ok(());
    }
    let Some(origin) = text_of(headers, header::ORIGIN) else { return Ok(()) };
    let from = authority_of(origin);
    let same = host.is_some_and(|host| host.eq_ignore_ascii_case(from));
    if same || (relies_on_loopback && !from.is_empty() && is_ours(host_name(from), allowed)) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorKind::Forbidden,
        format!(
            "the request comes from a page of another origin ({origin}) and would change something \
             or open a WebSocket"
        ),
    ))
}

/// Decides on a request that only a cookie speaks for, which a browser sends along whoever made it
/// send the request: what changes something, or opens a socket, must come from the page itself.
/// Browsers say so in `Sec-Fetch-Site` (Fetch Metadata), which no page can forge, or, without TLS,
/// in `Origin`; who says neither is no browser and can send the token in a header. This stands
/// beside `SameSite`, which takes all ports of a host for one site.
pub(super) fn own_page(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    if changes_nothing(method) && !headers.contains_key(header::UPGRADE) {
        return Ok(());
    }
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    let own = match (site, text_of(headers, header::ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => host_of(uri, headers)
            .is_some_and(|host| host.eq_ignore_ascii_case(authority_of(origin))),
        (None, None) => false,
    };
    if own {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorKind::Forbidden,
        "a cookie speaks for this request, and nothing shows that it comes from vedette's own page; \
         send the token as `Authorization: Bearer …` instead",
    ))
}

fn changes_nothing(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn host_of<'h>(uri: &'h Uri, headers: &'h HeaderMap) -> Option<&'h str> {
    text_of(headers, header::HOST).or_else(|| uri.authority().map(|a| a.as_str()))
}

/// Name and port of an origin; nothing of `null`.
fn authority_of(origin: &str) -> &str {
    origin.split_once("://").map_or("", |(_, rest)| rest)
}

/// The name without its port; an IPv6 address without its brackets.
fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_ours(name: &str, allowed: &[String]) -> bool {
    if let Ok(address) = name.parse::<std::net::IpAddr>() {
        return address.is_loopback() || allowed.iter().any(|host| host == name);
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    // RFC 6761: browsers and resolvers keep everything under `localhost` on this machine.
    name == "localhost"
        || name.ends_with(".localhost")
        || allowed.iter().any(|host| host.eq_ignore_ascii_case(&name))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn allowed(method: Method, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a value"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a value"));
        }
        let names = ["proxy.example".to_owned()];
        check(true, &names, &method, &Uri::from_static("/"), &headers).is_ok()
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in
            ["127.0.0.1:9077", "localhost:9077", "[::1]:9077", "a.localhost", "proxy.example"]
        {
            assert!(allowed(Method::GET, host, None), "{host}");
        }
        for host in
            ["evil.example:9077", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example"]
        {
            assert!(!allowed(Method::GET, host, None), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_changes_nothing() {
        let host = "127.0.0.1:9077";
        assert!(allowed(Method::POST, host, None));
        assert!(allowed(Method::POST, host, Some("http://127.0.0.1:9077")));
        assert!(allowed(Method::POST, host, Some("http://localhost:3000")));
        assert!(!allowed(Method::POST, host, Some("https://evil.example")));
        assert!(!allowed(Method::POST, host, Some("null")));
        assert!(allowed(Method::GET, host, Some("https://evil.example")));
    }

    #[test]
    fn a_page_of_another_origin_opens_no_websocket() {
        let opens = |relies: bool, host: &str, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().expect("a value"));
            headers.insert(header::UPGRADE, "websocket".parse().expect("a value"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().expect("a value"));
            }
            check(relies, &[], &Method::GET, &Uri::from_static("/"), &headers).is_ok()
        };
        for relies in [true, false] {
            assert!(opens(relies, "127.0.0.1:9077", None), "no browser");
            assert!(opens(relies, "127.0.0.1:9077", Some("http://127.0.0.1:9077")));
            assert!(!opens(relies, "127.0.0.1:9077", Some("https://evil.example")));
            assert!(!opens(relies, "127.0.0.1:9077", Some("null")));
        }
        // Behind a proxy, which hands on the name that the browser asked for.
        assert!(opens(false, "vedette.example", Some("https://vedette.example")));
    }

    #[test]
    fn a_cookie_alone_changes_something_from_the_own_page_only() {
        let ask = |method: Method, pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("vedette.example"));
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            own_page(&method, &Uri::from_static("/"), &headers).is_ok()
        };
        let (here, there) = ("https://vedette.example", "https://evil.example");
        for (expected, pairs) in [
            (true, [("sec-fetch-site", "same-origin"), ("origin", here)].as_slice()),
            (true, &[("sec-fetch-site", "none")]),
            // Plain HTTP in the local network: browsers leave the metadata out.
            (true, &[("origin", "http://vedette.example")]),
            (false, &[("sec-fetch-site", "same-site"), ("origin", here)]),
            (false, &[("sec-fetch-site", "cross-site")]),
            (false, &[("origin", there)]),
            (false, &[("origin", "null")]),
            (false, &[("origin", "https://vedette.example:8443")]),
            (false, &[]),
        ] {
            assert_eq!(ask(Method::POST, pairs), expected, "{pairs:?}");
            assert_eq!(ask(Method::DELETE, pairs), expected, "{pairs:?}");
            assert!(ask(Method::GET, pairs), "{pairs:?}");
            let socket = [pairs, &[("upgrade", "websocket")]].concat();
            assert_eq!(ask(Method::GET, &socket), expected, "{socket:?}");
        }
    }
}
