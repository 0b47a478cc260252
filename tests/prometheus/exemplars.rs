//! Exemplars that Prometheus scraped and sent on are the same here as there.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::peer::{Prometheus, ask};
use super::process::{Daemon, QUIET};

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// An OpenMetrics target whose exemplars change every second, but for one that never does.
fn start_target() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let second = now_s().floor();
            let body = format!(
                "# TYPE jobs counter\n\
                 jobs_total{{kind=\"a\"}} {second} # {{trace_id=\"t{second}\"}} 0.5 {second}\n\
                 jobs_total{{kind=\"b\"}} 3 # {{trace_id=\"always\",user=\"é\"}} 1\n\
                 # TYPE rpc histogram\n\
                 rpc_bucket{{le=\"1.0\"}} 3 # {{trace_id=\"x\"}} 0.7\n\
                 rpc_bucket{{le=\"+Inf\"}} {second} # {{}} 17.0 {second}\n\
                 rpc_count {second}\nrpc_sum 20\n# EOF\n"
            );
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; \
                        version=1.0.0\r\nConnection: close\r\n";
            // A scraper that went away needs no answer.
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

fn exemplars(address: SocketAddr, query: &str, start: f64, end: f64) -> Vec<Value> {
    let times = (format!("{start:.3}"), format!("{end:.3}"));
    let form = [("query", query), ("start", &times.0), ("end", &times.1)];
    let answer = ask(address, "/api/v1/query_exemplars", &form);
    let mut series = answer["data"].as_array().cloned().unwrap_or_default();
    series.sort_by_key(|one| one["seriesLabels"].to_string());
    series
}

#[test]
fn prometheus_sends_its_exemplars_to_us_and_both_answer_alike() {
    let directory = tempfile::tempdir().expect("a directory");
    let target = start_target();
    let scrape = format!(
        "[{{ job_name = \"direct\", scrape_interval = \"1s\", static_configs = [{{ targets = [\"{target}\"] }}] }}]"
    );
    let env: Vec<(&str, &str)> =
        QUIET.into_iter().chain([("VEDETTE_SCRAPE", scrape.as_str())]).collect();
    let daemon = Daemon::start_with(directory.path(), &[], &env);
    let config = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs:\n- {{job_name: target, static_configs: [{{targets: [\"{target}\"]}}]}}\n\
         remote_write:\n- url: {}/api/v1/write\n  send_exemplars: true\n  \
         queue_config: {{batch_send_deadline: 200ms}}\n",
        daemon.url()
    );
    let start = now_s();
    let prometheus = Prometheus::start_with_features(directory.path(), &config, "exemplar-storage");
    std::thread::sleep(Duration::from_secs(9));
    // What is older than this was sent.
    let end = now_s() - 3.0;
    for query in ["jobs_total{job=\"target\"}", "rate(rpc_bucket{job=\"target\"}[1m]) > 0"] {
        let theirs = exemplars(prometheus.address, query, start, end);
        let ours = exemplars(daemon.address, query, start, end);
        assert_eq!(theirs.len(), 2, "{query}");
        assert!(theirs[0]["exemplars"].as_array().is_some_and(|all| !all.is_empty()));
        assert_eq!(ours, theirs, "{query}");
    }
    let direct = exemplars(daemon.address, "jobs_total{job=\"direct\"}", start, end + 10.0);
    let of = |place: usize| direct[place]["exemplars"].as_array().expect("a list").clone();
    let (changing, constant) = (of(0), of(1));
    assert!(changing.len() >= 3, "{changing:?}");
    for one in &changing {
        let trace = format!("t{}", one["timestamp"]).replace(".0", "");
        assert_eq!(one["labels"]["trace_id"], trace.as_str());
    }
    // Shown in every scrape without a time, it is one exemplar all the same.
    assert_eq!(constant.len(), 1, "{constant:?}");
    assert_eq!(constant[0]["labels"]["user"], "é");
}
