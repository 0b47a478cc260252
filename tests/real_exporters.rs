//! The real programs: node_exporter and Prometheus (Debian packages) are scraped, and what
//! Prometheus sends by remote write is read. They listen on loopback and are ended by their
//! handles.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use vedette::clock::SystemClock;
use vedette::collect::scrape::Plan;
use vedette::collect::targets::{Batch, Health, Targets};
use vedette::config::{Limits, Period, ScrapeConfig, StaticConfig};
use vedette::decode::inflate::snappy_into;
use vedette::decode::remote_write::v1::{Entry, Reader};

/// A program that is ended with the test, however that ends.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program and waits until it says where it listens.
fn start(mut command: Command) -> (Program, String) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is installed (prometheus, prometheus-node-exporter)");
    let log = BufReader::new(child.stderr.take().expect("piped"));
    let program = Program(child);
    let (said, heard) = std::sync::mpsc::channel();
    // Reads on to the end, so that the program never waits for its log.
    std::thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("msg=\"Listening on\" address=") {
                let _ = said.send(address.trim().to_owned());
            }
        }
    });
    let address = heard.recv_timeout(Duration::from_secs(30)).expect("it listens");
    (program, address)
}

fn node_exporter() -> (Program, String) {
    let mut command = Command::new("/usr/bin/prometheus-node-exporter");
    command.arg("--web.listen-address=127.0.0.1:0");
    start(command)
}

/// A Prometheus that scrapes itself every second and writes to `remote`.
fn prometheus(dir: &Path, remote: &str) -> (Program, String) {
    // It cannot be told to take any free port and scrape itself: take one and free it.
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound");
    let settings = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs: [{{job_name: self, static_configs: [{{targets: ['{free}']}}]}}]\n\
         remote_write: [{{url: 'http://{remote}/api/v1/write', \
         metadata_config: {{send_interval: 1s}}}}]\n"
    );
    std::fs::write(dir.join("prometheus.yml"), settings).expect("written");
    let mut command = Command::new("/usr/bin/prometheus");
    command
        .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
        .arg(format!("--web.listen-address={free}"));
    start(command)
}

/// Takes remote-write requests until `enough` says so; gives their inflated bodies.
fn receive(listener: &TcpListener, mut enough: impl FnMut(&[u8]) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut inflated = Vec::new();
    while Instant::now() < deadline {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok())
            .expect("a length");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("the body");
        let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        stream.write_all(answer).expect("answered");
        assert!(head.contains("content-encoding: snappy"), "{head}");
        snappy_into(&body, 64 << 20, &mut inflated).expect("snappy");
        if enough(&inflated) {
            return;
        }
    }
    panic!("Prometheus did not send what was expected within a minute");
}

#[test]
fn what_prometheus_writes_is_read_without_a_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let remote = listener.local_addr().expect("bound").to_string();
    let dir = tempfile::tempdir().expect("a directory");
    let (_prometheus, _) = prometheus(dir.path(), &remote);
    let mut names = BTreeSet::new();
    let mut samples = 0;
    let mut families = 0;
    receive(&listener, |body| {
        let mut scratch = Vec::new();
        for entry in Reader::new(body) {
            match entry.expect("well formed") {
                Entry::Series(series) => {
                    let key = series.label_key(&mut scratch);
                    let labels: BTreeMap<&str, &str> =
                        key.labels().collect::<Result<_, _>>().expect("labels");
                    assert_eq!(labels["job"], "self");
                    names.insert(labels["__name__"].to_owned());
                    for sample in series.samples() {
                        let sample = sample.expect("a sample");
                        // After 2020: a time that was misread would hardly be.
                        assert!(sample.at.millis() > 1_577_836_800_000);
                        samples += 1;
                    }
                }
                Entry::Metadata(entry) => {
                    assert!(!entry.family.is_empty());
                    families += 1;
                }
            }
        }
        samples > 2_000 && families > 100
    });
    for name in ["up", "prometheus_build_info", "scrape_duration_seconds"] {
        assert!(names.contains(name), "{name} is missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_exporter_and_prometheus_are_scraped() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_node, node) = node_exporter();
    // Nobody listens there: Prometheus tries again and is none the worse.
    let (_prometheus, prometheus) = prometheus(dir.path(), "127.0.0.1:9");
    let group = |name: &str, address: &str| ScrapeConfig {
        job_name: name.to_owned(),
        // A target has as long to answer, and on a busy machine it takes a while.
        scrape_interval: Period::from_secs(5),
        static_configs: vec![StaticConfig {
            targets: vec![address.to_owned()],
            labels: BTreeMap::new(),
        }],
        ..ScrapeConfig::default()
    };
    let plan =
        Plan::new(&[group("node", &node), group("prometheus", &prometheus)], &Limits::default())
            .expect("good settings");
    let (sink, mut batches) = mpsc::channel::<Batch>(4);
    let targets = Targets::new(sink, Arc::new(SystemClock), Arc::default());
    targets.reload(plan).await;
    let mut seen: BTreeMap<String, Vec<BTreeMap<String, f64>>> = BTreeMap::new();
    while seen.len() < 2 || seen.values().any(|rounds| rounds.len() < 3) {
        let wait = Duration::from_secs(60);
        let batch = tokio::time::timeout(wait, batches.recv()).await.expect("in time");
        let batch = batch.expect("open");
        let job = batch.rows[0].labels.get("job").expect("a job").to_owned();
        let values = batch
            .rows
            .iter()
            .map(|row| (row.labels.to_string(), row.value.as_float().expect("a number")))
            .collect();
        seen.entry(job).or_default().push(values);
        let _ = batch.done.send(Ok(()));
    }
    assert!(targets.list().active.iter().all(|target| target.health == Health::Up));
    targets.stop().await;
    for (job, address) in [("node", &node), ("prometheus", &prometheus)] {
        for round in &seen[job] {
            let own = format!("{{instance={address:?}, job={job:?}}}");
            assert_eq!(round[&format!("up{own}")], 1.0);
            let scraped = round[&format!("scrape_samples_scraped{own}")];
            // A fresh Prometheus shows fewer series in its first second than later.
            assert!(scraped > 100.0, "{job}: {scraped}");
            assert_eq!(scraped, round[&format!("scrape_samples_post_metric_relabeling{own}")]);
            // Every sample that was counted is there, beside the five about the scrape.
            let stale = round.values().filter(|v| vedette::model::is_stale_nan(**v)).count();
            assert_eq!(round.len() - stale, scraped as usize + 5, "{job}");
        }
    }
    assert!(seen["node"][0].keys().any(|series| series.starts_with("node_uname_info{")));
    assert!(
        seen["prometheus"][0].keys().any(|series| series.starts_with("prometheus_build_info{"))
    );
}
