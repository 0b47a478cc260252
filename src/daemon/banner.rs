//! What a person sees at the start: where to look, and one useful query.

use std::net::SocketAddr;

use crate::config::{LogFormat, Settings};
use crate::store::DATABASE_FILE;

/// Shows it on standard output, unless a machine reads along.
pub(super) fn show(settings: &Settings, address: SocketAddr) {
    if settings.log.format == LogFormat::Text && !super::logging::under_systemd() {
        println!("{}", text(settings, address));
    }
}

fn text(settings: &Settings, address: SocketAddr) -> String {
    let url = own_url(settings, address);
    let mut collects = Vec::new();
    let built_in = [("this machine", &settings.collect.host), ("itself", &settings.collect.own)];
    for (what, collector) in built_in {
        if collector.enabled {
            collects.push(format!("{what} every {}", collector.interval));
        }
    }
    match settings.scrape.len() {
        0 => {}
        1 => collects.push("1 scrape job".to_owned()),
        jobs => collects.push(format!("{jobs} scrape jobs")),
    }
    if collects.is_empty() {
        collects.push("nothing by itself".to_owned());
    }
    let mut watches = Vec::new();
    if settings.defaults.enabled {
        watches.push("disk, clock and own API".to_owned());
    }
    for (count, noun) in [
        (settings.check.len(), "check"),
        (settings.rule.len(), "rule"),
        (settings.rules.files.len(), "rule file"),
        (settings.channel.len(), "channel"),
    ] {
        if count > 0 {
            watches.push(format!("{count} {noun}{}", if count == 1 { "" } else { "s" }));
        }
    }
    if watches.is_empty() {
        watches.push("what the API is given".to_owned());
    }
    let notice = match settings.server.notice.as_str() {
        "" => String::new(),
        notice => format!("\n  notice    {notice}"),
    };
    let query = if settings.collect.host.enabled {
        "100 * (1 - avg(rate(node_cpu_seconds_total{mode=\"idle\"}[1m])))"
    } else {
        "vedette_build_info"
    };
    let metric = if settings.collect.host.enabled { "node_load1" } else { query };
    format!(
        "\n  vedette {} is ready at {url}\n\n  \
         page      {url}/ui/\n  \
         data      {}\n  \
         collects  {}\n  \
         watches   {}\n  \
         try       curl '{url}/api/v1/query?query={metric}'\n            \
         vedette query '{query}'{}\n  \
         Grafana   add {url} as a Prometheus data source{notice}\n",
        env!("CARGO_PKG_VERSION"),
        settings.storage.path.join(DATABASE_FILE).display(),
        collects.join(", "),
        watches.join(", "),
        if url == "http://127.0.0.1:9077" { String::new() } else { format!(" --url {url}") },
    )
}

/// Where a client on this machine finds the daemon.
pub(super) fn own_url(settings: &Settings, address: SocketAddr) -> String {
    let scheme = if settings.tls.enabled() { "https" } else { "http" };
    format!("{scheme}://{}", reachable(address))
}

/// An address that a client on this machine can use.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let loopback = match address {
        SocketAddr::V4(_) => std::net::IpAddr::from(std::net::Ipv4Addr::LOCALHOST),
        SocketAddr::V6(_) => std::net::IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(loopback, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_to_look_and_gives_a_query() {
        let text = text(&Settings::default(), "0.0.0.0:9077".parse().expect("an address"));
        for part in [
            "http://127.0.0.1:9077\n",
            "page      http://127.0.0.1:9077/ui/\n",
            "data/vedette.redb",
            "this machine every 15s, itself every 15s",
            "watches   disk, clock and own API",
            "curl 'http://127.0.0.1:9077/api/v1/query?query=node_load1'",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
