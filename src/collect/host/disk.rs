//! `/proc/diskstats` (Documentation/admin-guide/iostats.rst of the kernel).

use std::collections::BTreeMap;
use std::path::Path;

use super::{Files, numbers};
use crate::model::MetricType::{Counter, Gauge};
use crate::telemetry::{RowSink, Sink};

/// The columns behind the device's name: the metric, what one unit is worth, its help text. The
/// kernel counts in sectors of 512 bytes and in milliseconds.
const COLUMNS: [(&str, f64, &str); 17] = [
    ("node_disk_reads_completed_total", 1.0, "The total number of reads completed successfully."),
    ("node_disk_reads_merged_total", 1.0, "The total number of reads merged."),
    ("node_disk_read_bytes_total", 512.0, "The total number of bytes read successfully."),
    ("node_disk_read_time_seconds_total", 0.001, "The total number of seconds spent by all reads."),
    ("node_disk_writes_completed_total", 1.0, "The total number of writes completed successfully."),
    ("node_disk_writes_merged_total", 1.0, "The number of writes merged."),
    ("node_disk_written_bytes_total", 512.0, "The total number of bytes written successfully."),
    (
        "node_disk_write_time_seconds_total",
        0.001,
        "This is the total number of seconds spent by all writes.",
    ),
    ("node_disk_io_now", 1.0, "The number of I/Os currently in progress."),
    ("node_disk_io_time_seconds_total", 0.001, "Total seconds spent doing I/Os."),
    (
        "node_disk_io_time_weighted_seconds_total",
        0.001,
        "The weighted # of seconds spent doing I/Os.",
    ),
    (
        "node_disk_discards_completed_total",
        1.0,
        "The total number of discards completed successfully.",
    ),
    ("node_disk_discards_merged_total", 1.0, "The total number of discards merged."),
    (
        "node_disk_discarded_sectors_total",
        1.0,
        "The total number of sectors discarded successfully.",
    ),
    (
        "node_disk_discard_time_seconds_total",
        0.001,
        "This is the total number of seconds spent by all discards.",
    ),
    (
        "node_disk_flush_requests_total",
        1.0,
        "The total number of flush requests completed successfully",
    ),
    (
        "node_disk_flush_requests_time_seconds_total",
        0.001,
        "This is the total number of seconds spent by all flush requests.",
    ),
];

/// What udev said about each device when it was first seen. It is not asked again: facts about a
/// device change only when it is replaced, and then its numbers change.
#[derive(Debug, Default)]
pub(super) struct DiskInfo {
    told: BTreeMap<(String, String), Udev>,
}

#[derive(Debug, Default)]
struct Udev {
    path: String,
    wwn: String,
    model: String,
    serial: String,
    revision: String,
}

impl DiskInfo {
    pub(super) fn collect(&mut self, files: &mut Files, sink: &mut RowSink) {
        let udev = files.roots.udev.clone();
        let Some(text) = files.proc("diskstats") else { return };
        let disks: Vec<[&str; 4]> = text.lines().filter_map(disk_line).collect();
        for (column, (name, unit, help)) in COLUMNS.iter().enumerate() {
            let kind = if *name == "node_disk_io_now" { Gauge } else { Counter };
            sink.family(name, kind, help);
            for [_, _, device, counts] in &disks {
                // Kernels before 4.18 have 11 columns, before 5.5 they have 15.
                if let Some(value) = numbers(counts).nth(column) {
                    // Dividing keeps the last digit right where multiplying by 0.001 would not.
                    let value = if *unit < 1.0 { value / 1000.0 } else { value * unit };
                    sink.point("", &[("device", device)], value);
                }
            }
        }
        let help = "Info of /sys/block/<block_device>.";
        sink.family("node_disk_info", Gauge, help);
        for [major, minor, device, _] in &disks {
            let known = self
                .told
                .entry(((*device).to_owned(), format!("b{major}:{minor}")))
                .or_insert_with_key(|(_, file)| ask_udev(&udev.join(file)));
            let labels = [
                ("device", *device),
                ("major", major),
                ("minor", minor),
                ("path", &known.path),
                ("wwn", &known.wwn),
                ("model", &known.model),
                ("serial", &known.serial),
                ("revision", &known.revision),
            ];
            sink.point("", &labels, 1.0);
        }
        self.told.retain(|(known, _), _| disks.iter().any(|[_, _, device, _]| device == known));
    }
}

fn disk_line(line: &str) -> Option<[&str; 4]> {
    let (major, rest) = line.trim_start().split_once(' ')?;
    let (minor, rest) = rest.trim_start().split_once(' ')?;
    let (device, counts) = rest.split_once(' ')?;
    (!ignored(device)).then_some([major, minor, device, counts])
}

/// node_exporter's default: `^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`, which is to say
/// partitions and devices of no weight.
fn ignored(device: &str) -> bool {
    let stem = device.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == device.len() {
        return false;
    }
    let disk = ["hd", "sd", "vd", "xvd"].iter().any(|bus| {
        stem.strip_prefix(bus).is_some_and(|letter| {
            letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_lowercase())
        })
    });
    let nvme =
        stem.strip_prefix("nvme").and_then(|rest| rest.strip_suffix('p')).is_some_and(|rest| {
            match rest.split_once('n') {
                Some((a, b)) => [a, b]
                    .iter()
                    .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())),
                None => false,
            }
        });
    matches!(stem, "ram" | "loop" | "fd") || disk || nvme
}

fn ask_udev(file: &Path) -> Udev {
    let mut udev = Udev::default();
    let Ok(text) = std::fs::read_to_string(file) else { return udev };
    for line in text.lines() {
        let Some((key, value)) = line.strip_prefix("E:").and_then(|line| line.split_once('='))
        else {
            continue;
        };
        let value = value.to_owned();
        match key {
            "ID_PATH" => udev.path = value,
            "ID_WWN" => udev.wwn = value,
            "ID_MODEL" => udev.model = value,
            "ID_SERIAL_SHORT" => udev.serial = value,
            "ID_REVISION" => udev.revision = value,
            _ => {}
        }
    }
    udev
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_and_ram_disks_are_left_out() {
        for device in ["ram0", "loop12", "fd0", "sda1", "vdb12", "xvda1", "hdc3", "nvme0n1p2"] {
            assert!(ignored(device), "{device}");
        }
        for device in ["sda", "vda", "nvme0n1", "dm-0", "md127", "zram0", "sdaa1", "mmcblk0"] {
            assert!(!ignored(device), "{device}");
        }
    }
}
