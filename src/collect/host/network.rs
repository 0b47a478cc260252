//! Interfaces, sockets and protocol counters.

use super::{Files, numbers};
use crate::model::MetricType::{Counter, Gauge, Unknown};
use crate::telemetry::{RowSink, Sink};

pub(super) fn collect(files: &mut Files, sink: &mut RowSink) {
    netdev(files, sink);
    sockstat(files, sink);
    netstat(files, sink);
}

/// The columns of `/proc/net/dev`.
const COLUMNS: [&str; 16] = [
    "receive_bytes",
    "receive_packets",
    "receive_errs",
    "receive_drop",
    "receive_fifo",
    "receive_frame",
    "receive_compressed",
    "receive_multicast",
    "transmit_bytes",
    "transmit_packets",
    "transmit_errs",
    "transmit_drop",
    "transmit_fifo",
    "transmit_colls",
    "transmit_carrier",
    "transmit_compressed",
];

fn netdev(files: &mut Files, sink: &mut RowSink) {
    let Some(text) = files.proc("net/dev") else { return };
    let devices: Vec<(String, Vec<f64>)> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(device, counts)| (device.trim().to_owned(), numbers(counts).collect()))
        .collect();
    for (column, name) in COLUMNS.iter().enumerate() {
        let name = format!("node_network_{name}_total");
        sink.family(&name, Counter, "Network device statistic, a column of /proc/net/dev.");
        for (device, counts) in &devices {
            if let Some(count) = counts.get(column) {
                sink.point("", &[("device", device)], *count);
            }
        }
    }
    let help = "Network device statistic receive_nohandler.";
    sink.family("node_network_receive_nohandler_total", Counter, help);
    for (device, _) in &devices {
        // A name of an interface holds no slash, so the path stays below /sys/class/net.
        let path = format!("class/net/{device}/statistics/rx_nohandler");
        if let Some(count) = files.sys(&path).and_then(|text| numbers(text).next()) {
            sink.point("", &[("device", device)], count);
        }
    }
}

/// `TCP: inuse 5 orphan 0 …` is `node_sockstat_TCP_inuse` and so on.
fn sockstat(files: &mut Files, sink: &mut RowSink) {
    for file in ["net/sockstat", "net/sockstat6"] {
        let Some(text) = files.proc(file) else { continue };
        for (protocol, rest) in text.lines().filter_map(|line| line.split_once(':')) {
            let words: Vec<&str> = rest.split_ascii_whitespace().collect();
            for pair in words.chunks_exact(2) {
                let Ok(value) = pair[1].parse::<f64>() else { continue };
                let name = format!("node_sockstat_{protocol}_{}", pair[0]);
                sink.family(&name, Gauge, "Number of sockets or pages, from /proc/net/sockstat.");
                sink.point("", &[], value);
                if pair[0] == "mem" {
                    // The kernel counts pages here.
                    let name = format!("{name}_bytes");
                    sink.family(&name, Gauge, "Memory of sockets, from /proc/net/sockstat.");
                    sink.point("", &[], value * procfs::page_size() as f64);
                }
            }
        }
    }
}

fn netstat(files: &mut Files, sink: &mut RowSink) {
    for file in ["net/netstat", "net/snmp"] {
        let Some(text) = files.proc(file) else { continue };
        // Pairs of lines: names, then values, both led by the protocol.
        let mut lines = text.lines();
        while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
            let (Some((protocol, names)), Some((_, values))) =
                (names.split_once(": "), values.split_once(": "))
            else {
                continue;
            };
            let values = values.split_ascii_whitespace();
            for (name, value) in names.split_ascii_whitespace().zip(values) {
                netstat_point(sink, protocol, name, value);
            }
        }
    }
    if let Some(text) = files.proc("net/snmp6") {
        for line in text.lines() {
            let Some((key, value)) = line.split_once(char::is_whitespace) else { continue };
            if let Some(six) = key.find('6') {
                let (protocol, name) = key.split_at(six + 1);
                netstat_point(sink, protocol, name, value.trim());
            }
        }
    }
}

fn netstat_point(sink: &mut RowSink, protocol: &str, name: &str, value: &str) {
    if let (true, Ok(value)) = (netstat_shown(protocol, name), value.parse()) {
        let name = format!("node_netstat_{protocol}_{name}");
        sink.family(&name, Unknown, "Statistic of a network protocol.");
        sink.point("", &[], value);
    }
}

/// The default of `--collector.netstat.fields`.
fn netstat_shown(protocol: &str, name: &str) -> bool {
    if name.ends_with("InErrors") || name.ends_with("InErrs") {
        // `.*_(InErrors|InErrs)`: the underscore stands right before.
        return name == "InErrors" || name == "InErrs";
    }
    match protocol {
        "Ip" => name == "Forwarding",
        "Ip6" | "IpExt" => matches!(name, "InOctets" | "OutOctets"),
        "Icmp" | "Icmp6" => matches!(name, "InMsgs" | "OutMsgs"),
        "TcpExt" => {
            name.starts_with("Listen")
                || name.starts_with("Syncookies")
                || matches!(name, "TCPSynRetrans" | "TCPTimeouts")
        }
        "Tcp" => matches!(
            name,
            "ActiveOpens"
                | "InSegs"
                | "OutSegs"
                | "OutRsts"
                | "PassiveOpens"
                | "RetransSegs"
                | "CurrEstab"
        ),
        "Udp" | "Udp6" => matches!(
            name,
            "InDatagrams" | "OutDatagrams" | "NoPorts" | "RcvbufErrors" | "SndbufErrors"
        ),
        _ => false,
    }
}
