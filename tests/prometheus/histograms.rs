//! Native histograms: the real Prometheus gets them, sends them on to vedette by its own remote
//! write, and both show the same.

use std::net::SocketAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::peer::{Prometheus, ask, put, put_varint, write_body};
use super::process::{Daemon, PATIENCE, run, text};

const STEP_MS: i64 = 15_000;
const STEPS: i64 = 36;
const KINDS: usize = 2;

/// `prompb.Histogram`, as far as this test needs it.
#[derive(Default)]
struct Wire {
    is_float: bool,
    schema: i64,
    sum: f64,
    zero: u64,
    negative: (Vec<(i64, u64)>, Vec<u64>),
    positive: (Vec<(i64, u64)>, Vec<u64>),
}

fn zigzag(n: i64) -> u64 {
    (n << 1 ^ n >> 63) as u64
}

fn put_float(out: &mut Vec<u8>, key: u8, value: f64) {
    out.push(key);
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_number(out: &mut Vec<u8>, field: u8, n: u64) {
    out.push(field << 3);
    put_varint(out, n);
}

impl Wire {
    fn encode(&self, at: i64) -> Vec<u8> {
        let mut out = Vec::new();
        let counts = self.positive.1.iter().chain(&self.negative.1);
        let count: u64 = counts.sum::<u64>() + self.zero;
        if self.is_float {
            put_float(&mut out, 2 << 3 | 1, count as f64 / 4.0);
            put_float(&mut out, 7 << 3 | 1, self.zero as f64 / 4.0);
        } else {
            put_number(&mut out, 1, count);
            put_number(&mut out, 6, self.zero);
        }
        put_float(&mut out, 3 << 3 | 1, self.sum);
        put_number(&mut out, 4, zigzag(self.schema));
        put_float(&mut out, 5 << 3 | 1, 0.001);
        for (field, (spans, counts)) in [(8, &self.negative), (11, &self.positive)] {
            for (offset, length) in spans {
                let mut span = Vec::new();
                put_number(&mut span, 1, zigzag(*offset));
                put_number(&mut span, 2, *length);
                put(&mut out, field << 3 | 2, &span);
            }
            let mut packed = Vec::new();
            let mut before = 0;
            for count in counts {
                if self.is_float {
                    packed.extend_from_slice(&(*count as f64 / 4.0).to_le_bytes());
                } else {
                    put_varint(&mut packed, zigzag(*count as i64 - before));
                    before = *count as i64;
                }
            }
            put(&mut out, (field + if self.is_float { 2 } else { 1 }) << 3 | 2, &packed);
        }
        put_number(&mut out, 15, at as u64);
        out
    }
}

/// The histogram of a kind of series at a step.
fn wire(kind: usize, step: u64) -> Wire {
    let grown = |by: u64| step * by + by;
    let common = Wire { sum: 12.5 * step as f64 + 0.1, schema: 2, ..Wire::default() };
    match kind {
        // Buckets that come as time goes on, and a reset in the middle.
        0 => {
            let since = step % 25;
            let length = 3 + since / 10;
            let counts = (0..length).map(|i| (since + 1) * (i + 1)).collect();
            Wire { positive: (vec![(-3, 2), (4, length - 2)], counts), zero: since, ..common }
        }
        // Fractions, on both sides of zero.
        _ => Wire {
            is_float: true,
            negative: (vec![(1, 2)], vec![grown(3), grown(1)]),
            positive: (vec![(-20, 1), (0, 1), (7, 1)], vec![grown(1), grown(5), grown(2)]),
            ..common
        },
    }
}

fn body(from: i64, step: i64) -> Vec<u8> {
    let mut body = Vec::new();
    for kind in 0..KINDS {
        let mut series = Vec::new();
        for (name, value) in [("__name__", "h".to_owned()), ("kind", kind.to_string())] {
            let mut label = Vec::new();
            put(&mut label, 0x0A, name.as_bytes());
            put(&mut label, 0x12, value.as_bytes());
            put(&mut series, 0x0A, &label);
        }
        put(&mut series, 0x22, &wire(kind, step as u64).encode(from + step * STEP_MS));
        put(&mut body, 0x0A, &series);
    }
    body
}

fn result(address: SocketAddr, path: &str, form: &[(&str, &str)]) -> Value {
    let answer = ask(address, path, form);
    let mut result = answer["data"]["result"].clone();
    assert!(result.is_array(), "{path} {form:?}: {answer:.500}");
    // Prometheus's order of series is its own.
    if let Some(series) = result.as_array_mut() {
        series.sort_by_key(|one| one["metric"].to_string());
    }
    result
}

#[test]
fn histograms_that_prometheus_sends_on_are_the_same_in_both() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let config = format!(
        "remote_write:\n- url: {}/api/v1/write\n  send_native_histograms: true\n  \
         queue_config: {{batch_send_deadline: 200ms}}\n",
        daemon.url()
    );
    let features = "native-histograms";
    let prometheus = Prometheus::start_with_features(directory.path(), &config, features);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    // Prometheus does not send on what was before its start, so all of it is ahead of the clock:
    // by less than the ten minutes that vedette allows.
    let from = now + 5_000;
    for step in 0..STEPS {
        write_body(prometheus.address, &body(from, step));
    }
    let until = from + (STEPS - 1) * STEP_MS;
    let seconds = |at: i64| format!("{}.{:03}", at / 1000, at % 1000);
    let end = seconds(until);
    let all = [("query", "h[20m]"), ("time", end.as_str())];
    let theirs = result(prometheus.address, "/api/v1/query", &all);
    for kind in 0..KINDS {
        let count = theirs[kind]["histograms"].as_array().map(Vec::len);
        assert_eq!(count, Some(STEPS as usize), "{:.500}", theirs.to_string());
    }
    let deadline = Instant::now() + PATIENCE;
    while result(daemon.address, "/api/v1/query", &all) != theirs {
        let ours = result(daemon.address, "/api/v1/query", &all);
        assert!(
            Instant::now() < deadline,
            "ours: {:.900}\ntheirs: {:.900}",
            ours.to_string(),
            theirs.to_string()
        );
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let instant = [("query", "h"), ("time", end.as_str())];
    let same = |path: &str, form: &[(&str, &str)]| {
        let ours = result(daemon.address, path, form);
        let theirs = result(prometheus.address, path, form);
        assert_eq!(ours, theirs, "{path} {form:?}");
        assert!(theirs.as_array().is_some_and(|series| series.len() == KINDS));
    };
    same("/api/v1/query", &instant);
    for query in ["histogram_count(h)", "histogram_sum(h)"] {
        same("/api/v1/query", &[("query", query), ("time", end.as_str())]);
    }
    let start = seconds(from - 20_000);
    let range = [("query", "h"), ("start", start.as_str()), ("end", end.as_str()), ("step", "37s")];
    same("/api/v1/query_range", &range);
    let shown = run(&["query", "h", "--time", &end, "--url", &daemon.url()]);
    assert!(text(&shown.stdout).contains("count 120, sum 437.6"), "{}", text(&shown.stdout));
    // What was acknowledged survives a kill, and a stop.
    daemon.kill();
    let daemon = Daemon::start_quiet(directory.path());
    assert_eq!(result(daemon.address, "/api/v1/query", &all), theirs);
    assert_eq!(daemon.stop().0, Some(0));
    let data = directory.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let verified = run(&["verify", "--data-dir", data]);
    assert!(text(&verified.stdout).contains("all intact"), "{}", text(&verified.stderr));
    assert!(run(&["compact", "--data-dir", data]).status.success());
    let rescued = tempfile::tempdir().expect("a directory");
    let (file, target) = (format!("{data}/vedette.redb"), rescued.path().join("data"));
    let salvaged = run(&["salvage", &file, target.to_str().expect("UTF-8")]);
    assert!(salvaged.status.success(), "{}", text(&salvaged.stderr));
    for place in [directory.path(), rescued.path()] {
        let daemon = Daemon::start_quiet(place);
        assert_eq!(result(daemon.address, "/api/v1/query", &all), theirs);
    }
}
