//! `/proc/stat`: CPU times, interrupts, context switches, boot time.

use std::collections::BTreeMap;

use super::{Files, numbers};
use crate::model::MetricType;
use crate::telemetry::{RowSink, Sink};

/// Clock ticks per second as `/proc` counts them. A constant of the kernel's user interface on
/// every architecture that matters (`USER_HZ`), and the constant that node_exporter uses.
const TICKS_PER_SECOND: f64 = 100.0;

/// A step back of more than this is a CPU that came back from being offline, not the rounding that
/// makes idle and iowait run back a little (`jumpBackSeconds` in `cpu_linux.go`).
const JUMP_BACK_SECONDS: f64 = 3.0;

const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// The CPU times that were last told: a counter must not run backwards.
#[derive(Debug, Default)]
pub(super) struct CpuTimes {
    told: BTreeMap<String, [f64; 10]>,
}

impl CpuTimes {
    pub(super) fn collect(&mut self, files: &mut Files, sink: &mut RowSink) {
        let Some(text) = files.proc("stat") else { return };
        let cpus: Vec<(&str, [f64; 10])> = text.lines().filter_map(cpu_line).collect();
        for (cpu, times) in &cpus {
            let told = self.told.entry((*cpu).to_owned()).or_insert(*times);
            if times[3] < told[3] - JUMP_BACK_SECONDS {
                *told = *times;
            }
            for (told, time) in told.iter_mut().zip(times) {
                *told = told.max(*time);
            }
        }
        self.told.retain(|known, _| cpus.iter().any(|(cpu, _)| cpu == known));

        let help = "Seconds the CPUs spent in each mode.";
        sink.family("node_cpu_seconds_total", MetricType::Counter, help);
        for (cpu, times) in &self.told {
            for (mode, seconds) in MODES.iter().zip(times) {
                sink.point("", &[("cpu", cpu), ("mode", mode)], *seconds);
            }
        }
        let help = "Seconds the CPUs spent in guests (VMs) for each mode.";
        sink.family("node_cpu_guest_seconds_total", MetricType::Counter, help);
        for (cpu, times) in &self.told {
            for (mode, seconds) in ["user", "nice"].iter().zip(&times[8..]) {
                sink.point("", &[("cpu", cpu), ("mode", mode)], *seconds);
            }
        }

        let single = [
            (
                "intr",
                "node_intr_total",
                MetricType::Counter,
                "Total number of interrupts serviced.",
            ),
            (
                "ctxt",
                "node_context_switches_total",
                MetricType::Counter,
                "Total number of context switches.",
            ),
            ("processes", "node_forks_total", MetricType::Counter, "Total number of forks."),
            ("btime", "node_boot_time_seconds", MetricType::Gauge, "Node boot time, in unixtime."),
            (
                "procs_running",
                "node_procs_running",
                MetricType::Gauge,
                "Number of processes in runnable state.",
            ),
            (
                "procs_blocked",
                "node_procs_blocked",
                MetricType::Gauge,
                "Number of processes blocked waiting for I/O to complete.",
            ),
        ];
        for line in text.lines() {
            let Some((word, rest)) = line.split_once(' ') else { continue };
            let Some((_, name, kind, help)) = single.iter().find(|(key, ..)| *key == word) else {
                continue;
            };
            // The total comes first; a number per interrupt follows.
            if let Some(value) = numbers(rest).next() {
                sink.family(name, *kind, help);
                sink.point("", &[], value);
            }
        }
    }
}

/// A line of one CPU (`cpu0 …`, not the sum `cpu …`), in seconds.
fn cpu_line(line: &str) -> Option<(&str, [f64; 10])> {
    let (cpu, rest) = line.strip_prefix("cpu")?.split_once(' ')?;
    if cpu.is_empty() {
        return None;
    }
    let mut times = [0.0; 10];
    for (time, ticks) in times.iter_mut().zip(numbers(rest)) {
        *time = ticks / TICKS_PER_SECOND;
    }
    Some((cpu, times))
}
