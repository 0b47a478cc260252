//! Beside a real Alertmanager: it takes what we post, and its own webhook is as ours.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::clock::{Clock as _, SystemClock};
use crate::notify::render::alertmanager::webhook_json;

/// Far beyond what anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);

struct Peer {
    process: Child,
    url: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Peer {
    fn start(directory: &Path, hook: &str) -> Peer {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let config = format!(
            "route: {{receiver: ops, group_by: [alertname], group_wait: 1s, group_interval: 1s}}\n\
             receivers:\n- name: ops\n  webhook_configs: [{{url: '{hook}', send_resolved: true}}]\n"
        );
        std::fs::write(directory.join("config.yml"), config).expect("written");
        let process = Command::new("prometheus-alertmanager")
            .current_dir(directory)
            .args(["--config.file=config.yml", "--storage.path=data", "--cluster.listen-address="])
            .arg("--web.external-url=https://watch.example")
            .arg("--web.route-prefix=/")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus-alertmanager is installed");
        Peer { process, url: format!("http://127.0.0.1:{port}") }
    }

    /// The alerts that fire there, by its own tool.
    fn firing(&self) -> Vec<Value> {
        let asked = Command::new("amtool")
            .args(["alert", "query", "--output=json", "--alertmanager.url", &self.url])
            .output()
            .expect("amtool is installed");
        serde_json::from_slice(&asked.stdout).unwrap_or_default()
    }
}

async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "{what} never came");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Compares what Alertmanager sent with ours: every key that it has, we have with the same value.
fn assert_agrees(theirs: &Value, ours: &Value, place: &str) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (key, value) in theirs {
                let place = format!("{place}.{key}");
                let other = ours.get(key).unwrap_or_else(|| panic!("{place} is missing"));
                assert_agrees(value, other, &place);
            }
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            assert_eq!(theirs.len(), ours.len(), "{place}");
            theirs.iter().zip(ours).for_each(|(a, b)| assert_agrees(a, b, place));
        }
        (theirs, ours) => assert_eq!(theirs, ours, "{place}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_alertmanager_takes_our_alerts_and_its_webhook_is_ours() {
    let sink = Sink::listen(&[]).await;
    let directory = tempfile::tempdir().expect("a directory");
    let peer = Peer::start(directory.path(), &format!("{}/hook", sink.url));
    let channel = ready("alertmanager", json!({"url": peer.url}));

    let now = SystemClock.now();
    let mut down = alert("Down", "a:80", Severity::Critical);
    down.starts_at = now.plus_millis(-60_250);
    let told = outgoing(Reason::Firing, vec![down.clone()]);
    let deadline = std::time::Instant::now() + PATIENCE;
    // It takes a moment to listen.
    while let Err(failure) = channel.sender.send(&told, SystemClock.now()).await {
        assert!(failure.transient && std::time::Instant::now() < deadline, "{failure:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let firing = until("the alert", || Some(peer.firing()).filter(|all| !all.is_empty())).await;
    assert_eq!(firing.len(), 1);
    assert_eq!(firing[0]["labels"]["instance"], "a:80");
    assert_eq!(firing[0]["status"]["state"], "active");

    let theirs = until("its webhook", || sink.arrived().pop()).await.json();
    assert_eq!(theirs["status"], "firing");
    assert_agrees(&theirs, &webhook_json(&told), "");

    let mut over = ended(down);
    over.ends_at = Some(SystemClock.now());
    let told = outgoing(Reason::Resolved, vec![over]);
    channel.sender.send(&told, SystemClock.now()).await.expect("taken");
    until("the end", || peer.firing().is_empty().then_some(())).await;
    let theirs = until("its webhook", || {
        sink.arrived().pop().map(|arrived| arrived.json()).filter(|j| j["status"] == "resolved")
    })
    .await;
    assert_agrees(&theirs, &webhook_json(&told), "");
}
