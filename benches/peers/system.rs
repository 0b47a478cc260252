//! The systems that are compared: how each is started, written to and asked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::Process;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Vedette,
    Prometheus,
    VictoriaMetrics,
}

impl System {
    pub(crate) const ALL: [System; 3] =
        [System::Vedette, System::Prometheus, System::VictoriaMetrics];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            System::Vedette => "vedette",
            System::Prometheus => "prometheus",
            System::VictoriaMetrics => "victoria-metrics",
        }
    }

    const fn port(self) -> u16 {
        match self {
            System::Vedette => 19_077,
            System::Prometheus => 19_090,
            System::VictoriaMetrics => 18_428,
        }
    }

    fn url(self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    pub(crate) fn write_url(self) -> String {
        self.url("/api/v1/write")
    }

    /// Where the data is.
    pub(crate) fn data(self, directory: &Path) -> PathBuf {
        match self {
            System::Vedette => directory.join("vedette.redb"),
            System::Prometheus | System::VictoriaMetrics => directory.join("data"),
        }
    }

    fn command(self, directory: &Path) -> Command {
        let listen = format!("127.0.0.1:{}", self.port());
        match self {
            System::Vedette => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
                command
                    .args(["serve", "--listen", &listen, "--data-dir"])
                    .arg(directory)
                    .env("VEDETTE_COLLECT_HOST_ENABLED", "false")
                    .env("VEDETTE_COLLECT_OWN_ENABLED", "false")
                    .env("VEDETTE_DEFAULTS_ENABLED", "false")
                    .env("VEDETTE_STORAGE_FREE_BYTES_MIN", "1")
                    .env("MALLOC_ARENA_MAX", "2");
                command
            }
            System::Prometheus => {
                let config = directory.join("prometheus.yml");
                std::fs::write(&config, "global: {scrape_interval: 1h}\n").expect("writes");
                let mut command = Command::new("prometheus");
                command
                    .arg(format!("--config.file={}", config.display()))
                    .arg(format!("--storage.tsdb.path={}", self.data(directory).display()))
                    .arg(format!("--web.listen-address={listen}"))
                    .arg("--web.enable-remote-write-receiver")
                    .arg("--storage.tsdb.retention.time=30d");
                command
            }
            System::VictoriaMetrics => {
                let mut command = Command::new("victoria-metrics");
                command
                    .arg(format!("-storageDataPath={}", self.data(directory).display()))
                    .arg(format!("-httpListenAddr={listen}"))
                    .arg("-retentionPeriod=1")
                    .arg("-search.latencyOffset=0");
                command
            }
        }
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(self, directory: &Path) -> Process {
        let process = Process::start(&mut self.command(directory));
        let path = match self {
            System::Vedette | System::Prometheus => "/-/ready",
            System::VictoriaMetrics => "/health",
        };
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            let answer = reqwest::get(self.url(path)).await;
            if answer.is_ok_and(|response| response.status().is_success()) {
                return process;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} did not become ready", self.name());
    }

    async fn ask(self, path: &str, form: &[(&str, String)]) -> serde_json::Value {
        let body: Vec<String> = form.iter().map(|(k, v)| format!("{k}={}", escape(v))).collect();
        let response = reqwest::Client::new()
            .post(self.url(path))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body.join("&"))
            .send()
            .await
            .expect("answers");
        let text = response.text().await.expect("answers");
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:.300}"))
    }

    /// A set of queries as dashboards send them; the milliseconds that each took.
    pub(crate) async fn run_queries(self, start_ms: i64, end_ms: i64) -> f64 {
        let seconds = |ms: i64| format!("{:.3}", ms as f64 / 1000.0);
        let mut total = 0.0;
        for query in QUERIES {
            let form = [
                ("query", (*query).to_owned()),
                ("start", seconds(start_ms + 600_000.min((end_ms - start_ms) / 2))),
                ("end", seconds(end_ms)),
                ("step", "60".to_owned()),
                // VictoriaMetrics would answer the second time from a cache.
                ("nocache", "1".to_owned()),
            ];
            for _ in 0..3 {
                let begun = Instant::now();
                let answer = self.ask("/api/v1/query_range", &form).await;
                assert_eq!(answer["status"], "success", "{query}: {answer}");
                let empty = answer["data"]["result"].as_array().is_none_or(Vec::is_empty);
                assert!(!empty, "{}: {query} found nothing", self.name());
                total += begun.elapsed().as_secs_f64() * 1000.0;
            }
        }
        total / (QUERIES.len() * 3) as f64
    }

    /// How many samples can be read at all.
    pub(crate) async fn count_samples(self, now_ms: i64) -> u64 {
        let query = r#"sum(count_over_time({job="checkout"}[29d]))"#.to_owned();
        let time = format!("{:.3}", now_ms as f64 / 1000.0);
        let form = [("query", query), ("time", time), ("nocache", "1".to_owned())];
        let answer = self.ask("/api/v1/query", &form).await;
        let value = answer["data"]["result"][0]["value"][1].as_str();
        value.and_then(|v| v.parse::<f64>().ok()).map_or(0, |v| v as u64)
    }

    /// Brings the data into the form that it rests in.
    pub(crate) fn settle(self, directory: &Path) {
        if self == System::Vedette {
            let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
            command.args(["compact", "--data-dir"]).arg(directory);
            let output = command.output().expect("runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

const QUERIES: &[&str] = &[
    r#"sum(rate(http_requests_total[5m]))"#,
    r#"sum by (method) (rate(http_requests_total[5m]))"#,
    r#"avg by (instance) (node_memory_available_bytes)"#,
    r#"max_over_time(process_load_ratio{pod="checkout-service-7d9f8b6c5-00007"}[10m])"#,
    r#"histogram_quantile(0.9, sum by (le, method) (rate(http_request_duration_seconds_bucket[5m])))"#,
    r#"topk(5, rate(http_requests_total{method="GET"}[5m]))"#,
    r#"count(process_load_ratio > 0.5)"#,
    r#"rate(http_requests_total{instance=~"10.0.0.1.*"}[5m])"#,
];

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                (byte as char).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
