//! Load, open files, the kernel's name, the clock.

use super::{Files, numbers};
use crate::model::MetricType::Gauge;
use crate::model::Timestamp;
use crate::telemetry::{RowSink, Sink};

pub(super) fn collect(files: &mut Files, sink: &mut RowSink, now: Timestamp) {
    if let Some(text) = files.proc("loadavg") {
        let loads = [
            ("node_load1", "1m load average."),
            ("node_load5", "5m load average."),
            ("node_load15", "15m load average."),
        ];
        for ((name, help), load) in loads.iter().zip(numbers(text)) {
            sink.family(name, Gauge, help);
            sink.point("", &[], load);
        }
    }
    if let Some(text) = files.proc("sys/fs/file-nr") {
        let counts: Vec<f64> = numbers(text).collect();
        if let [allocated, _, maximum] = counts[..] {
            let help = "File descriptor statistics: allocated.";
            sink.family("node_filefd_allocated", Gauge, help);
            sink.point("", &[], allocated);
            sink.family("node_filefd_maximum", Gauge, "File descriptor statistics: maximum.");
            sink.point("", &[], maximum);
        }
    }
    uname(sink);
    time(files, sink, now);
}

fn uname(sink: &mut RowSink) {
    let uname = rustix::system::uname();
    let fields = [
        ("sysname", uname.sysname()),
        ("release", uname.release()),
        ("version", uname.version()),
        ("machine", uname.machine()),
        ("nodename", uname.nodename()),
        ("domainname", uname.domainname()),
    ];
    let fields = fields.map(|(name, text)| (name, text.to_string_lossy()));
    let labels: Vec<(&str, &str)> =
        fields.iter().map(|(name, text)| (*name, text.as_ref())).collect();
    let help = "Labeled system information as provided by the uname system call.";
    sink.family("node_uname_info", Gauge, help);
    sink.point("", &labels, 1.0);
}

fn time(files: &mut Files, sink: &mut RowSink, now: Timestamp) {
    sink.family("node_time_seconds", Gauge, "System time in seconds since epoch (1970).");
    sink.point("", &[], now.seconds());
    if let Ok(now) = jiff::Timestamp::from_millisecond(now.millis()) {
        let zone = jiff::tz::TimeZone::system();
        let info = zone.to_offset_info(now);
        let help = "System time zone offset in seconds.";
        sink.family("node_time_zone_offset_seconds", Gauge, help);
        let labels = [("time_zone", info.abbreviation())];
        sink.point("", &labels, f64::from(info.offset().seconds()));
    }
    let base = "devices/system/clocksource";
    let sources = [
        (
            "current_clocksource",
            "node_time_clocksource_current_info",
            "Current clocksource read from '/sys/devices/system/clocksource'.",
        ),
        (
            "available_clocksource",
            "node_time_clocksource_available_info",
            "Available clocksources read from '/sys/devices/system/clocksource'.",
        ),
    ];
    for (file, name, help) in sources {
        // Linux has one clock source device.
        if let Some(text) = files.sys(&format!("{base}/clocksource0/{file}")) {
            sink.family(name, Gauge, help);
            for source in text.split_ascii_whitespace() {
                sink.point("", &[("clocksource", source), ("device", "0")], 1.0);
            }
        }
    }
}
