//! Targets: `host:port`, and the URLs of kinds that have them.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// A host and a port of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPort {
    /// A name or an address; one of IPv6 without brackets.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
}

impl HostPort {
    /// Reads `host:port`, `host` if there is a usual port, `[::1]:port` or `::1`.
    pub(super) fn parse(target: &str, usual: Option<u16>) -> Result<HostPort, String> {
        let example = match usual {
            Some(_) => "host or host:port",
            None => "host:port",
        };
        let trouble = |what: &str| {
            format!("target: {target:?} {what}; write {example}, such as {}", {
                usual.map_or("db.example:5432".to_owned(), |port| format!("a.example:{port}"))
            })
        };
        if target.is_empty() {
            return Err(trouble("is empty"));
        }
        if target.contains("://") || target.contains('/') {
            return Err(trouble("is a URL"));
        }
        let (host, port) = if let Some(rest) = target.strip_prefix('[') {
            let (host, after) = rest.split_once(']').ok_or_else(|| trouble("lacks a ]"))?;
            let port = match after.strip_prefix(':') {
                Some(port) => Some(port),
                None if after.is_empty() => None,
                None => return Err(trouble("has something odd after its ]")),
            };
            (host, port)
        } else if target.parse::<IpAddr>().is_ok() {
            (target, None)
        } else {
            match target.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (target, None),
            }
        };
        let port = match (port, usual) {
            (Some(port), _) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(trouble("has no port from 1 to 65535 after its last colon")),
            },
            (None, Some(port)) => port,
            (None, None) => return Err(trouble("has no port")),
        };
        check_host(host).map_err(|what| trouble(&what))?;
        Ok(HostPort { host: host.to_owned(), port })
    }

    /// Whom a URL is about.
    pub(super) fn of_url(url: &Url) -> Result<HostPort, String> {
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| format!("target: {url} has no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match url.port_or_known_default() {
            Some(0) | None => return Err(format!("target: {url} has no port")),
            Some(port) => port,
        };
        Ok(HostPort { host, port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostPort { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Whether it can be the name or address of a host at all.
pub(super) fn check_host(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("has no host".to_owned());
    }
    if host.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let odd = |c: char| {
        // An address of IPv6 may end in a zone: fe80::1%eth0.
        c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '[' | ']' | '?' | '#')
    };
    match host.chars().find(|c| odd(*c)) {
        Some(c) => Err(format!("has {c:?} in its host")),
        None if host.len() > 253 => Err("has a host of more than 253 bytes".to_owned()),
        None => Ok(()),
    }
}

/// Reads a URL that must have one of `schemes` and a host.
pub(super) fn url(target: &str, schemes: &[&str]) -> Result<Url, String> {
    let wanted = schemes.join(":// or ");
    let url = Url::parse(target.trim())
        .map_err(|error| format!("target: {target:?} is no URL ({error}); write {wanted}://…"))?;
    if !schemes.contains(&url.scheme()) {
        return Err(format!(
            "target: a URL with {wanted}:// is wanted, and not {}://",
            url.scheme()
        ));
    }
    HostPort::of_url(&url)?;
    Ok(url)
}

/// Undoes percent-encoding (RFC 3986, 2.1). A percent sign without two digits stays.
pub(super) fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        out.push(hex.unwrap_or(*first));
        rest = if hex.is_some() { &after[2..] } else { after };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_with_and_without_brackets() {
        let good = |text: &str, usual| {
            let target = HostPort::parse(text, usual).expect(text);
            (target.host.clone(), target.port, target.to_string())
        };
        assert_eq!(good("db:5432", None), ("db".to_owned(), 5432, "db:5432".to_owned()));
        assert_eq!(good("db", Some(22)), ("db".to_owned(), 22, "db:22".to_owned()));
        assert_eq!(good("[::1]:80", None), ("::1".to_owned(), 80, "[::1]:80".to_owned()));
        assert_eq!(good("::1", Some(9)), ("::1".to_owned(), 9, "[::1]:9".to_owned()));
        for (bad, why) in [
            ("", "is empty"),
            ("db", "has no port"),
            ("db:0", "no port from 1"),
            ("db:70000", "no port from 1"),
            (":80", "has no host"),
            ("[::1:80", "lacks a ]"),
            ("[::1]80", "odd after"),
            ("http://a:1", "is a URL"),
            ("a b:1", "' ' in its host"),
        ] {
            let error = HostPort::parse(bad, None).expect_err(bad);
            assert!(error.starts_with("target: ") && error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_url_has_a_scheme_of_the_kind_and_a_host() {
        let parsed = url("https://[::1]/a", &["http", "https"]).expect("good");
        let host = HostPort::of_url(&parsed).expect("a host");
        assert_eq!((host.host.as_str(), host.port), ("::1", 443));
        let error = url("ftp://a", &["http", "https"]).expect_err("no scheme of ours");
        assert!(error.contains("http:// or https://"), "{error}");
        assert!(url("example.org", &["http"]).expect_err("none").contains("is no URL"));
    }
}
