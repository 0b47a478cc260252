//! `stats=all`: both count the same samples for the same query, in all and at every step.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::peer::{Prometheus, Series, ask, write};
use super::process::Daemon;

const QUERIES: [&str; 16] = [
    "m",
    "m{i=\"1\"}",
    "sum(m)",
    "m + on (i) group_left m offset 1m",
    "rate(m[5m])",
    "sum by (i) (rate(m[2m]))",
    "max_over_time(m[1m]) - min_over_time(m[3m])",
    "absent(m{i=\"1\"})",
    "absent_over_time(m[1m])",
    "sum_over_time(m[10m:1m])",
    "rate(m[5m] @ end())",
    "m @ start() + m",
    "timestamp(m)",
    "topk(2, m)",
    "scalar(m{i=\"2\"}) + m",
    "m unless m{i=\"0\"} or nothing",
];

#[test]
fn queries_count_the_samples_that_prometheus_counts() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let prometheus = Prometheus::start(directory.path(), "global: {scrape_interval: 1h}\n");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let start = now / 60_000 * 60_000 - 3_000_000;
    let data: Vec<Series> = (0..4)
        .map(|i| {
            let labels = [("__name__", "m".to_owned()), ("i", i.to_string())];
            let labels = labels.map(|(name, value)| (name.to_owned(), value));
            // Series 3 begins late; no sample stands on the edge of a window.
            let samples = (i * i * 10..200).map(|n| (start + n * 15_000 + 1, n as f64));
            (labels.to_vec(), samples.collect())
        })
        .collect();
    write(daemon.address, &data);
    write(prometheus.address, &data);
    let text = |ms: i64| format!("{}.5", ms / 1000);
    let (from, until) = (text(start + 600_000), text(start + 1_800_000));
    for query in QUERIES {
        let form = [("query", query), ("start", &from), ("end", &until), ("step", "47")];
        let form = [&form[..], &[("stats", "all"), ("time", &until)]].concat();
        for path in ["/api/v1/query_range", "/api/v1/query"] {
            let samples = |address| ask(address, path, &form)["data"]["stats"]["samples"].clone();
            let (ours, theirs) = (samples(daemon.address), samples(prometheus.address));
            assert!(theirs["totalQueryableSamples"].as_u64() > Some(0), "{query}: {theirs}");
            for what in ["totalQueryableSamples", "totalQueryableSamplesPerStep"] {
                assert_ne!(ours[what], Value::Null, "{query}");
                assert_eq!(ours[what], theirs[what], "{what} of {query} at {path}");
            }
        }
    }
}
