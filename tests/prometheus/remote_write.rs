//! Prometheus scrapes itself and node_exporter's like, and writes all of it to vedette.

use std::time::{Duration, Instant};

use super::peer::{Prometheus, ask};
use super::process::Daemon;

/// How long Prometheus writes, in seconds: long enough for several hundred scrapes' samples;
/// `VEDETTE_REMOTE_WRITE_SECONDS=300` for a longer look.
fn seconds() -> u64 {
    let set = std::env::var("VEDETTE_REMOTE_WRITE_SECONDS").ok();
    set.map_or(20, |text| text.parse().expect("VEDETTE_REMOTE_WRITE_SECONDS is a number"))
}

fn number(address: std::net::SocketAddr, query: &str) -> f64 {
    let answer = ask(address, "/api/v1/query", &[("query", query)]);
    let value = answer["data"]["result"][0]["value"][1].as_str();
    value.and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

#[test]
fn prometheus_writes_its_scrapes_to_us_and_none_fails() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let config = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs:\n- {{job_name: prometheus, static_configs: [{{targets: [\"ADDRESS\"]}}]}}\n\
         remote_write:\n- url: {}/api/v1/write\n  queue_config: {{batch_send_deadline: 500ms}}\n",
        daemon.url()
    );
    let prometheus = Prometheus::start(directory.path(), &config);
    let deadline = Instant::now() + Duration::from_secs(seconds());
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
    }
    // Prometheus counts what it sends in the metrics that it scrapes from itself.
    for failure in ["failed", "dropped", "retried"] {
        let query = format!("sum(prometheus_remote_storage_samples_{failure}_total)");
        assert_eq!(number(prometheus.address, &query), 0.0, "{failure}");
    }
    let sent = number(prometheus.address, "sum(prometheus_remote_storage_samples_total)");
    assert!(sent > 1000.0, "{sent} samples were sent");
    // What both have of the same past second is the same.
    let at = number(prometheus.address, "timestamp(up)") - 4.0;
    let at = format!("{at:.3}");
    for query in [
        "count({job=\"prometheus\"})",
        "sum(scrape_samples_scraped)",
        "prometheus_tsdb_head_series",
    ] {
        let form = [("query", query), ("time", at.as_str())];
        let theirs = ask(prometheus.address, "/api/v1/query", &form);
        let ours = ask(daemon.address, "/api/v1/query", &form);
        assert_eq!(ours["data"], theirs["data"], "{query}");
    }
    // Types and help texts came along.
    let metadata = daemon.get("/api/v1/metadata?metric=prometheus_tsdb_head_series").1;
    let kind = &metadata["data"]["prometheus_tsdb_head_series"][0]["type"];
    // Prometheus sends metadata once a minute; in a short run it may not have come yet.
    assert!(kind.is_null() || kind == "gauge", "{metadata}");
}
