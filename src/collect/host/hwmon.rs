//! Temperatures, fans and voltages (Documentation/hwmon/sysfs-interface.rst of the kernel).

use std::path::Path;

use super::Files;
use crate::model::MetricType::Gauge;
use crate::telemetry::{RowSink, Sink};

/// Chips and sensors that are looked at: reading one may cost a bus transfer.
const CHIPS_MAX: usize = 32;
const SENSORS_MAX: usize = 64;

/// What is read of a sensor: the file's stem and ending, the metric, what one unit is worth.
const READINGS: [(&str, &str, &str, f64, &str); 6] = [
    (
        "temp",
        "input",
        "node_hwmon_temp_celsius",
        1000.0,
        "Hardware monitor for temperature (input)",
    ),
    (
        "temp",
        "max",
        "node_hwmon_temp_max_celsius",
        1000.0,
        "Hardware monitor for temperature (max)",
    ),
    (
        "temp",
        "crit",
        "node_hwmon_temp_crit_celsius",
        1000.0,
        "Hardware monitor for temperature (crit)",
    ),
    (
        "fan",
        "input",
        "node_hwmon_fan_rpm",
        1.0,
        "Hardware monitor for fan revolutions per minute (input)",
    ),
    ("in", "input", "node_hwmon_in_volts", 1000.0, "Hardware monitor for voltage (input)"),
    (
        "power",
        "input",
        "node_hwmon_power_watt",
        1e6,
        "Hardware monitor for power usage in watts (input)",
    ),
];

struct Reading {
    chip: String,
    sensor: String,
    value: f64,
}

pub(super) fn collect(files: &mut Files, sink: &mut RowSink) {
    let base = files.roots.sys.join("class/hwmon");
    let mut readings: [Vec<Reading>; READINGS.len()] = Default::default();
    let mut names = Vec::new();
    for hwmon in sorted(&base, CHIPS_MAX) {
        let dir = base.join(&hwmon);
        let chip = chip_of(&dir).unwrap_or_else(|| hwmon.clone());
        let Some(name) = files.read(&dir.join("name")).map(|name| clean(name.trim())) else {
            continue;
        };
        names.push((chip.clone(), name));
        for file in sorted(&dir, 8 * SENSORS_MAX) {
            let Some((sensor, ending)) = file.split_once('_') else { continue };
            let stem = sensor.trim_end_matches(|c: char| c.is_ascii_digit());
            let Some(place) = READINGS.iter().position(|r| r.0 == stem && r.1 == ending) else {
                continue;
            };
            let value = files.read(&dir.join(&file)).and_then(|text| text.trim().parse().ok());
            if let Some(value) = value.filter(|_| readings[place].len() < SENSORS_MAX) {
                let value: f64 = value;
                readings[place].push(Reading {
                    chip: chip.clone(),
                    sensor: sensor.to_owned(),
                    value: value / READINGS[place].3,
                });
            }
        }
    }
    if names.is_empty() {
        return;
    }
    let help = "Annotation metric for human-readable chip names";
    sink.family("node_hwmon_chip_names", Gauge, help);
    for (chip, name) in &names {
        sink.point("", &[("chip", chip), ("chip_name", name)], 1.0);
    }
    for ((_, _, name, _, help), readings) in READINGS.iter().zip(&readings) {
        if !readings.is_empty() {
            sink.family(name, Gauge, help);
        }
        for reading in readings {
            let labels = [("chip", reading.chip.as_str()), ("sensor", reading.sensor.as_str())];
            sink.point("", &labels, reading.value);
        }
    }
}

fn sorted(dir: &Path, max: usize) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.take(max).collect();
    names.sort_unstable();
    names
}

/// The chip's label: its bus and its device, as `hwmonName` in `hwmon_linux.go` makes it.
fn chip_of(dir: &Path) -> Option<String> {
    let device = std::fs::canonicalize(dir.join("device")).ok()?;
    let name = device.file_name()?.to_string_lossy().into_owned();
    let kind = std::fs::read_link(device.join("subsystem")).ok();
    let kind = kind.as_deref().and_then(Path::file_name).map(|k| k.to_string_lossy().into_owned());
    Some(match kind {
        Some(kind) => format!("{}_{}", clean(&kind), clean(&name)),
        None => clean(&name),
    })
}

/// Lower case, anything but letters, digits and colons as underscores, none at the ends.
fn clean(name: &str) -> String {
    let mapped: String = name
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == ':' { c } else { '_' })
        .collect();
    mapped.trim_matches('_').to_owned()
}
