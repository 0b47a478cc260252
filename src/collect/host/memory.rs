//! Memory and what waits for it: meminfo, vmstat, pressure.

use super::{Files, numbers};
use crate::model::MetricType;
use crate::telemetry::{RowSink, Sink};

pub(super) fn collect(files: &mut Files, sink: &mut RowSink) {
    meminfo(files, sink);
    vmstat(files, sink);
    pressure(files, sink);
}

/// Every line of `/proc/meminfo`: `Active(anon): 12 kB` is `node_memory_Active_anon_bytes`.
fn meminfo(files: &mut Files, sink: &mut RowSink) {
    let Some(text) = files.proc("meminfo") else { return };
    let mut name = String::new();
    for line in text.lines() {
        let Some((key, rest)) = line.split_once(':') else { continue };
        let mut words = rest.split_ascii_whitespace();
        let Some(value) = words.next().and_then(|word| word.parse::<f64>().ok()) else { continue };
        name.clear();
        name.push_str("node_memory_");
        for part in key.split(['(', ')']).filter(|part| !part.is_empty()) {
            if !name.ends_with('_') {
                name.push('_');
            }
            name.push_str(part);
        }
        let kilobytes = words.next() == Some("kB");
        if kilobytes {
            name.push_str("_bytes");
        }
        // The help text has the form that node_exporter gives it; building it anew each time
        // would cost more than the value.
        sink.family(&name, MetricType::Gauge, "A line of /proc/meminfo.");
        sink.point("", &[], if kilobytes { value * 1024.0 } else { value });
    }
}

/// The fields of `/proc/vmstat` that node_exporter shows by default.
fn vmstat(files: &mut Files, sink: &mut RowSink) {
    let Some(text) = files.proc("vmstat") else { return };
    for line in text.lines() {
        let Some((key, value)) = line.split_once(' ') else { continue };
        // `^(oom_kill|pgpg|pswp|pg.*fault).*`
        let shown = ["oom_kill", "pgpg", "pswp"].iter().any(|start| key.starts_with(start))
            || (key.starts_with("pg") && key.contains("fault"));
        if let (true, Ok(value)) = (shown, value.trim().parse()) {
            let name = format!("node_vmstat_{key}");
            sink.family(&name, MetricType::Unknown, "A field of /proc/vmstat.");
            sink.point("", &[], value);
        }
    }
}

/// How long tasks waited (`some`) or stood still (`full`) for a resource.
const PRESSURE: [(&str, &str, &str, &str); 5] = [
    (
        "cpu",
        "some",
        "node_pressure_cpu_waiting_seconds_total",
        "Total time in seconds that processes have waited for CPU time",
    ),
    (
        "io",
        "some",
        "node_pressure_io_waiting_seconds_total",
        "Total time in seconds that processes have waited due to IO congestion",
    ),
    (
        "io",
        "full",
        "node_pressure_io_stalled_seconds_total",
        "Total time in seconds no process could make progress due to IO congestion",
    ),
    (
        "memory",
        "some",
        "node_pressure_memory_waiting_seconds_total",
        "Total time in seconds that processes have waited for memory",
    ),
    (
        "memory",
        "full",
        "node_pressure_memory_stalled_seconds_total",
        "Total time in seconds no process could make progress due to memory congestion",
    ),
];

fn pressure(files: &mut Files, sink: &mut RowSink) {
    for resource in ["cpu", "io", "memory"] {
        let path = files.roots.proc.join("pressure").join(resource);
        let Some(text) = files.read(&path) else { continue };
        for line in text.lines() {
            let Some((degree, rest)) = line.split_once(' ') else { continue };
            let Some(micros) =
                rest.split_once("total=").and_then(|(_, total)| numbers(total).next())
            else {
                continue;
            };
            let found = PRESSURE.iter().find(|(of, at, ..)| *of == resource && *at == degree);
            if let Some((_, _, name, help)) = found {
                sink.family(name, MetricType::Counter, help);
                sink.point("", &[], micros / 1e6);
            }
        }
    }
}
