//! The two programs: how they are started and asked, and what CPU time they took.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Side {
    child: Child,
    address: String,
    client: reqwest::Client,
    /// Nanoseconds by thread: those of a thread that ended still count.
    threads: RefCell<HashMap<String, u64>>,
}

impl Side {
    pub(crate) async fn vedette(directory: &Path) -> Side {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
        let address = "127.0.0.1:19177";
        command.args(["serve", "--listen", address, "--data-dir"]).arg(directory.join("vedette"));
        command.env("VEDETTE_COLLECT_HOST_ENABLED", "false");
        command
            .env("VEDETTE_DEFAULTS_ENABLED", "false")
            .env("VEDETTE_COLLECT_OWN_ENABLED", "false");
        Self::start(command, address).await
    }

    pub(crate) async fn prometheus(directory: &Path) -> Side {
        let config = directory.join("prometheus.yml");
        std::fs::write(&config, "global: {scrape_interval: 1h}\n").expect("writes");
        let mut command = Command::new("prometheus");
        let address = "127.0.0.1:19190";
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-remote-write-receiver");
        Self::start(command, address).await
    }

    async fn start(mut command: Command, address: &str) -> Side {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let (client, address) = (reqwest::Client::new(), address.to_owned());
        let side = Side { child, address, client, threads: RefCell::default() };
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = side.client.get(side.url("/-/ready")).send().await;
            if answer.is_ok_and(|response| response.status().is_success()) {
                return side;
            }
            assert!(Instant::now() < deadline, "{command:?} does not become ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// User and system time of all threads so far.
    pub(crate) fn cpu(&self) -> Duration {
        let mut threads = self.threads.borrow_mut();
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        for task in tasks.expect("the program runs").flatten() {
            // A thread may end while its file is read.
            let stat = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            if let Some(ran) = stat.split(' ').next().and_then(|n| n.parse().ok()) {
                threads.insert(task.file_name().to_string_lossy().into_owned(), ran);
            }
        }
        Duration::from_nanos(threads.values().sum())
    }

    pub(crate) async fn write(&self, body: Vec<u8>) {
        let request = self
            .client
            .post(self.url("/api/v1/write"))
            .header("Content-Encoding", "snappy")
            .header("Content-Type", "application/x-protobuf")
            .header("X-Prometheus-Remote-Write-Version", "0.1.0")
            .body(body);
        let response = request.send().await.expect("answers");
        let status = response.status();
        assert!(status.is_success(), "{status}: {}", response.text().await.unwrap_or_default());
    }

    /// How many samples `/api/v1/status/tsdb` says are in memory.
    pub(crate) async fn samples_in_memory(&self) -> u64 {
        let request = self.client.get(self.url("/api/v1/status/tsdb"));
        let text = request.send().await.expect("answers").text().await.expect("answers");
        let (_, after) = text.split_once("\"numSamples\":").unwrap_or_default();
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        after[..digits].parse().unwrap_or(0)
    }

    /// Asks a query, over a range (begin, end, step in seconds) or at a time; gives how many
    /// series the answer has.
    pub(crate) async fn ask(
        &self,
        query: &str,
        at_s: i64,
        range: Option<(i64, i64, i64)>,
    ) -> usize {
        let (path, times) = match range {
            Some((start, end, step)) => {
                ("/api/v1/query_range", format!("start={start}&end={end}&step={step}"))
            }
            None => ("/api/v1/query", format!("time={at_s}")),
        };
        let request = self
            .client
            .post(self.url(path))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!("query={}&{times}", escape(query)));
        let text = request.send().await.expect("answers").text().await.expect("answers");
        assert!(
            text.starts_with("{\"status\":\"success\"") || text.contains("\"status\":\"success\""),
            "{query}: {text:.300}"
        );
        text.matches("\"metric\":").count()
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(byte as char),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
