//! Metrics about this process: what the operating system says of it, and what it counted itself.

use std::path::Path;

use crate::model::MetricType::{Counter, Gauge};
use crate::model::{INSTANCE_LABEL, JOB_LABEL, Timestamp};
use crate::telemetry::{Collected, RowSink, Sink, Telemetry, TextSink};

/// Clock ticks per second in `/proc`: a constant of the kernel's user interface.
const TICKS_PER_SECOND: f64 = 100.0;

/// Collects the metrics about ourselves as rows.
#[derive(Debug)]
pub struct OwnCollector {
    sink: RowSink,
}

impl OwnCollector {
    /// A collector whose series carry `job="vedette"` and this instance.
    pub fn new(instance: &str) -> Self {
        OwnCollector { sink: RowSink::new(&[(JOB_LABEL, "vedette"), (INSTANCE_LABEL, instance)]) }
    }

    /// Everything as it is now.
    pub fn collect(&mut self, telemetry: &Telemetry, now: Timestamp) -> Collected {
        self.sink.begin(now);
        process(Path::new("/proc"), &mut self.sink);
        telemetry.render(&mut self.sink);
        self.sink.finish()
    }

    /// Ends all series, when the collector is switched off.
    pub fn end(&mut self, now: Timestamp) -> Collected {
        self.sink.end(now)
    }
}

/// Everything as an exposition in text 0.0.4, for `/metrics`.
pub fn exposition(telemetry: &Telemetry) -> String {
    let mut sink = TextSink::default();
    process(Path::new("/proc"), &mut sink);
    telemetry.render(&mut sink);
    sink.into_text()
}

/// The process's figures, named as Prometheus's client libraries name them. `proc` is where the
/// kernel's files are; what is missing is left out.
fn process(proc: &Path, sink: &mut dyn Sink) {
    let own = proc.join("self");
    // The second field is the program's name in parentheses and may hold anything; the fields of
    // interest come behind its end (man 5 proc, /proc/pid/stat).
    let stat = std::fs::read_to_string(own.join("stat")).unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.split_ascii_whitespace())
        .into_iter()
        .flatten()
        .map(|word| word.parse().unwrap_or(f64::NAN))
        .collect();
    let mut point = |name: &str, kind, help: &str, value: Option<f64>| {
        if let Some(value) = value.filter(|value| !value.is_nan()) {
            sink.family(name, kind, help);
            sink.point("", &[], value);
        }
    };
    // Numbered from the state, field 3 in the manual.
    let field = |number: usize| fields.get(number - 3).copied();
    let cpu = field(14).zip(field(15)).map(|(user, system)| (user + system) / TICKS_PER_SECOND);
    let help = "Total user and system CPU time spent in seconds.";
    point("process_cpu_seconds_total", Counter, help, cpu);
    let resident = field(24).map(|pages| pages * procfs::page_size() as f64);
    let help = "Resident memory size in bytes.";
    point("process_resident_memory_bytes", Gauge, help, resident);
    point("process_virtual_memory_bytes", Gauge, "Virtual memory size in bytes.", field(23));
    point("process_threads", Gauge, "Number of threads.", field(20));

    let boot = std::fs::read_to_string(proc.join("stat")).ok().and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok())
    });
    let start = boot.zip(field(22)).map(|(boot, ticks)| boot + ticks / TICKS_PER_SECOND);
    let help = "Start time of the process since unix epoch in seconds.";
    point("process_start_time_seconds", Gauge, help, start);

    let open = std::fs::read_dir(own.join("fd")).ok().map(|entries| entries.count() as f64);
    point("process_open_fds", Gauge, "Number of open file descriptors.", open);
    let limits = std::fs::read_to_string(own.join("limits")).unwrap_or_default();
    let max = limits.lines().find_map(|line| {
        let mut words = line.strip_prefix("Max open files")?.split_ascii_whitespace();
        words.next()?.parse().ok()
    });
    point("process_max_fds", Gauge, "Maximum number of open file descriptors.", max);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_process_are_read_from_its_files() {
        let dir = tempfile::tempdir().expect("a directory");
        let own = dir.path().join("self");
        std::fs::create_dir_all(own.join("fd/3")).expect("made");
        // A name that tries to confuse, 12 fields, 250 + 50 ticks, …, 7 threads, started at tick
        // 2000, 4096 bytes virtual, 3 pages resident.
        std::fs::write(
            own.join("stat"),
            "42 (a) b (c) S 1 1 1 0 -1 0 0 0 0 0 250 50 0 0 20 0 7 0 2000 4096 3 0\n",
        )
        .expect("written");
        std::fs::write(dir.path().join("stat"), "cpu 1 2\nbtime 1700000000\n").expect("written");
        std::fs::write(own.join("limits"), "Limit  Soft  Hard\nMax open files 1024 4096 files\n")
            .expect("written");
        let mut sink = TextSink::default();
        process(dir.path(), &mut sink);
        let text = sink.into_text();
        let resident = format!("process_resident_memory_bytes {}\n", 3 * procfs::page_size());
        for line in [
            "process_cpu_seconds_total 3\n",
            &resident,
            "process_virtual_memory_bytes 4096\n",
            "process_threads 7\n",
            "process_start_time_seconds 1700000020\n",
            "process_open_fds 1\n",
            "process_max_fds 1024\n",
        ] {
            assert!(text.contains(line), "{line:?} is missing in\n{text}");
        }
    }

    #[test]
    fn this_process_shows_itself_and_its_counters() {
        let telemetry = Telemetry::new();
        let text = exposition(&telemetry);
        assert!(text.contains("\nprocess_resident_memory_bytes "));
        assert!(text.contains("\nvedette_series 0\n"));
        let collected = OwnCollector::new("here").collect(&telemetry, Timestamp::from_millis(1));
        let fds = collected
            .rows
            .iter()
            .find(|row| row.labels.metric_name() == Some("process_open_fds"))
            .expect("told");
        assert_eq!(fds.labels.get("job"), Some("vedette"));
        assert!(fds.value.as_float() >= Some(3.0), "standard input, output and error at least");
    }
}
