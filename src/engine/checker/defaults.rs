//! Checks of the machine itself that anybody wants: there from the first start.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde_json::json;

use crate::config::Settings;
use crate::model::CheckDefinition;

/// The built-in checks: disk space of `/` and of the database's directory, where that is another
/// disk; whether the clock is set; whether our own API answers. None with `[defaults] enabled =
/// false`. Any of them is replaced by a check of the same name.
pub fn default_checks(settings: &Settings, address: SocketAddr) -> Vec<CheckDefinition> {
    if !settings.defaults.enabled {
        return Vec::new();
    }
    let mut forms = vec![disk("disk", "/", "The machine's disk fills up.")];
    let data = std::path::absolute(&settings.storage.path).unwrap_or_default();
    if let Some(path) = data.to_str().filter(|_| device(&data) != device(Path::new("/"))) {
        forms.push(disk("disk-data", path, "The disk of vedette's database fills up."));
    }
    forms.push(json!({
        "name": "clock", "kind": "host", "target": "clock", "every": "5m", "severity": "warning",
        "conditions": [{"condition": "[SYNCHRONIZED] == 1", "severity": "warning"}],
        "failure_threshold": 2,
        "description": "The machine's clock is not kept in time: see chronyd or systemd-timesyncd.",
    }));
    let encrypted = !settings.tls.cert.as_os_str().is_empty();
    let host = SocketAddr::new(reachable(address.ip()), address.port());
    let scheme = if encrypted { "https" } else { "http" };
    let mut own = json!({
        "name": "vedette", "kind": "http", "target": format!("{scheme}://{host}/-/healthy"),
        "every": "1m", "failure_threshold": 2,
        "conditions": ["[STATUS] == 200"],
        "description": "vedette's own API does not answer.",
    });
    if encrypted {
        // Its certificate names the machine, and not the loopback address.
        own["settings"] = json!({"tls": {"insecure_skip_verify": true}});
    }
    forms.push(own);
    let read = |form| serde_json::from_value::<CheckDefinition>(form);
    forms.into_iter().filter_map(|form| read(form).ok()).collect()
}

fn disk(name: &str, path: &str, description: &str) -> serde_json::Value {
    json!({
        "name": name, "kind": "host", "target": format!("disk:{path}"), "every": "1m",
        "conditions": [
            {"condition": "[FREE_PERCENT] > 10", "severity": "warning"},
            {"condition": "[FREE_PERCENT] > 4", "severity": "critical"},
        ],
        "failure_threshold": 2,
        "description": description,
    })
}

/// Which device holds a path, or the nearest directory above it that exists.
fn device(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    path.ancestors().find_map(|path| std::fs::metadata(path).ok()).map(|facts| facts.dev())
}

/// The loopback address where we listen on all.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Definition as _;

    #[test]
    fn the_built_in_checks_are_valid_and_can_be_left_out() {
        let mut settings = Settings::default();
        let address = "0.0.0.0:9137".parse().expect("an address");
        let all = default_checks(&settings, address);
        let names: Vec<&str> = all.iter().map(|check| check.name.as_str()).collect();
        assert!(
            names == ["disk", "clock", "vedette"]
                || names == ["disk", "disk-data", "clock", "vedette"],
            "{names:?}"
        );
        for check in &all {
            assert_eq!(check.check(), Ok(()), "{}", check.name);
        }
        assert_eq!(all.last().expect("one").target, "http://127.0.0.1:9137/-/healthy");
        settings.defaults.enabled = false;
        assert!(default_checks(&settings, address).is_empty());
    }
}
