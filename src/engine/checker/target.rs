//! Where a check goes: its host, and its target without secrets.

use std::net::IpAddr;

use crate::model::{CheckDefinition, CheckKind};

/// The host that a check asks, in lower case and without port; empty where it asks none (this
/// machine, a command, a heartbeat).
pub(super) fn host_of(check: &CheckDefinition) -> String {
    let (authority, _) = match check.kind {
        CheckKind::Exec | CheckKind::Heartbeat | CheckKind::Host => return String::new(),
        // The server that is asked is in the settings; without one it is this machine's resolver.
        CheckKind::Dns => {
            let server = ["server", "resolver"].iter().find_map(|key| check.settings.get(*key));
            let Some(server) = server.and_then(serde_json::Value::as_str) else {
                return String::new();
            };
            split(server)
        }
        _ => split(&check.target),
    };
    without_port(authority).to_ascii_lowercase()
}

/// The target as it may be shown: without user, password, query and fragment.
pub(super) fn shown_target(check: &CheckDefinition) -> String {
    let target = check.target.as_str();
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let target = &target[..end];
    let (scheme, rest) = match target.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), target),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}{host}{path}")
}

/// Whether what is asked can be reached without any network: nothing that an uplink explains.
pub(super) fn is_local(check: &CheckDefinition) -> bool {
    if matches!(check.kind, CheckKind::Exec | CheckKind::Heartbeat | CheckKind::Host) {
        return true;
    }
    let host = host_of(check);
    if host.is_empty() || host == "localhost" || host.ends_with(".localhost") {
        return !host.is_empty() || check.target.starts_with('/');
    }
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Authority (without user) and the rest of a URL or `host:port`.
fn split(target: &str) -> (&str, &str) {
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    (authority.rsplit_once('@').map_or(authority, |(_, host)| host), path)
}

fn without_port(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(address, _)| address);
    }
    // More than one colon without brackets: an IPv6 address, and no port.
    match authority.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;

    #[test]
    fn the_host_is_what_the_cap_counts_by() {
        for (kind, target, host) in [
            ("http", "https://user:pw@Shop.Example:8443/health?x=1", "shop.example"),
            ("tcp", "10.0.0.1:22", "10.0.0.1"),
            ("tcp", "[::1]:22", "::1"),
            ("icmp", "2001:db8::1", "2001:db8::1"),
            ("icmp", "router", "router"),
            ("postgres", "postgres://u:p@db/shop", "db"),
            ("host", "disk:/", ""),
            ("heartbeat", "", ""),
        ] {
            assert_eq!(host_of(&check(kind, target)), host, "{target}");
        }
    }

    #[test]
    fn a_target_is_shown_without_secrets() {
        for (target, shown) in [
            ("https://user:pw@shop.example/health?token=x#y", "https://shop.example/health"),
            ("postgres://u:p@db:5432/shop", "postgres://db:5432/shop"),
            ("u:p@redis:6379", "redis:6379"),
            ("disk:/var", "disk:/var"),
            ("https://h/a@b", "https://h/a@b"),
        ] {
            assert_eq!(shown_target(&check("http", target)), shown);
        }
    }

    #[test]
    fn loopback_and_this_machine_need_no_uplink() {
        for (kind, target, local) in [
            ("http", "http://127.0.0.1:9/", true),
            ("http", "http://localhost/", true),
            ("http", "http://[::1]:9/", true),
            ("http", "http://shop.example/", false),
            ("tcp", "10.0.0.1:22", false),
            ("host", "disk:/", true),
            ("exec", "", true),
            ("dns", "shop.example", false),
        ] {
            assert_eq!(is_local(&check(kind, target)), local, "{kind} {target}");
        }
    }
}
