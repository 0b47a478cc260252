//! Checks in a running process: a server that goes down and comes back, pings, and kills in
//! between.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::process::{Daemon, QUIET};

/// An HTTP server on loopback that answers every request with a status that may be changed.
struct Site {
    address: String,
    status: Arc<AtomicU16>,
    stop: Arc<AtomicBool>,
}

impl Site {
    fn start() -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let address = listener.local_addr().expect("an address").to_string();
        let status = Arc::new(AtomicU16::new(200));
        let stop = Arc::new(AtomicBool::new(false));
        let (answers, ends) = (Arc::clone(&status), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let status = answers.load(Ordering::SeqCst);
                let body = r#"{"state":"ok"}"#;
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Site { address, status, stop }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = std::net::TcpStream::connect(&self.address);
    }
}

fn create(daemon: &Daemon, check: &Value) {
    let (status, answer) = daemon.post("/api/v1/checks", &check.to_string());
    assert_eq!(status, 201, "{answer}");
}

fn becomes(daemon: &Daemon, check: &str, status: &str) -> Value {
    let path = format!("/api/v1/checks/{check}");
    daemon.wait_for(&path, |answer| answer["data"]["status"] == status)["data"].clone()
}

fn transitions(daemon: &Daemon, check: &str) -> Vec<String> {
    let (status, answer) = daemon.get(&format!("/api/v1/checks/{check}/uptime?window=1h"));
    assert_eq!(status, 200, "{answer}");
    let all = answer["data"]["transitions"].as_array().expect("a list").clone();
    all.iter().map(|one| one["to"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn a_site_that_goes_down_and_comes_back_is_followed_through_a_kill() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let site = Site::start();
    let target = format!("http://{}/health", site.address);
    create(
        &daemon,
        &json!({
            "name": "shop", "kind": "http", "target": target, "every": "1s",
            "failure_threshold": 2, "feature": "cart", "compat": "blackbox",
            "conditions": ["[STATUS] == 200", "[BODY].state == ok"],
        }),
    );
    let healthy = becomes(&daemon, "shop", "healthy");
    assert_eq!(healthy["last_result"]["status"], "healthy");
    assert!(healthy["next_check_at"].is_string(), "{healthy}");

    site.answer(503);
    let down = becomes(&daemon, "shop", "unhealthy");
    assert_eq!(down["alerting"], true);
    assert_eq!(down["last_result"]["failed_condition"], "[STATUS] (503) == 200");
    let up = |value: &'static str| {
        move |answer: &Value| answer["data"]["result"][0]["value"][1] == value
    };
    daemon.wait_for("/api/v1/query?query=vedette_check_up", up("0"));
    daemon.wait_for("/api/v1/query?query=probe_http_status_code", up("503"));
    let since = down["since"].clone();

    daemon.kill();
    let daemon = Daemon::start_quiet(directory.path());
    // Still down, by the first result after our own downtime; nobody said it had recovered.
    let down = becomes(&daemon, "shop", "unhealthy");
    assert_ne!(down["since"], since);
    assert_eq!(down["alerting"], true);
    site.answer(200);
    let healthy = becomes(&daemon, "shop", "healthy");
    assert_eq!(healthy["alerting"], false);
    assert_eq!(
        transitions(&daemon, "shop"),
        ["healthy", "unhealthy", "unknown", "unhealthy", "healthy"]
    );
    daemon.wait_for("/api/v1/query?query=vedette_check_up", up("1"));

    let (status, page) = daemon.get("/api/v1/checks/shop/results?limit=2");
    assert_eq!((status, page["data"].as_array().map(Vec::len)), (200, Some(2)), "{page}");
    let (status, page) = daemon.get(&format!(
        "/api/v1/checks/shop/results?limit=2&after={}",
        page["next"].as_str().expect("more")
    ));
    assert_eq!((status, page["data"].as_array().map(Vec::len)), (200, Some(2)), "{page}");
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn a_check_is_run_paused_resumed_listed_and_removed_over_the_api() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let site = Site::start();
    let target = format!("http://user:pass@{}/", site.address);
    create(
        &daemon,
        &json!({"name": "shop", "kind": "http", "target": target, "every": "1h",
                "feature": "cart"}),
    );
    let (status, result) = daemon.post("/api/v1/checks/shop/run", "");
    assert_eq!((status, &result["data"]["status"]), (200, &json!("healthy")), "{result}");
    let (_, shown) = daemon.get("/api/v1/checks/shop");
    assert!(!shown.to_string().contains("pass"), "{shown}");
    let (_, listed) = daemon.get("/api/v1/checks?status=healthy&feature=cart");
    assert_eq!(listed["data"][0]["name"], "shop", "{listed}");
    let (_, listed) = daemon.get("/api/v1/checks?status=unhealthy");
    assert_eq!(listed["data"], json!([]));

    let (status, _) = daemon.post("/api/v1/checks/shop/pause", "");
    assert_eq!(status, 200);
    becomes(&daemon, "shop", "paused");
    let (status, refused) = daemon.post("/api/v1/checks/shop/run", "");
    assert_eq!(status, 409, "{refused}");
    let (status, _) = daemon.post("/api/v1/checks/shop/resume", "");
    assert_eq!(status, 200);
    becomes(&daemon, "shop", "healthy");
    let (status, asked) = daemon.post("/api/v1/checks/run", "");
    assert_eq!((status, &asked["data"]["asked"]), (202, &json!(1)));

    let body = json!({"kind": "http", "target": target, "conditions": ["[STATUS] == 201"]});
    let (status, tested) = daemon.post("/api/v1/checks/test", &body.to_string());
    assert_eq!(status, 200, "{tested}");
    assert_eq!(tested["data"]["result"]["failed_condition"], "[STATUS] (200) == 201");
    let body = json!({"name": "bad", "kind": "http", "target": target, "conditions": ["[STATUS"]});
    let (status, refused) = daemon.post("/api/v1/checks", &body.to_string());
    assert_eq!((status, &refused["errorType"]), (400, &json!("bad_data")), "{refused}");

    let (status, _) = daemon.send("DELETE", "/api/v1/checks/shop", "", "");
    assert_eq!(status, 200);
    daemon.wait_for("/api/v1/query?query=vedette_check_up", |answer| {
        answer["data"]["result"] == json!([])
    });
}

#[test]
fn a_heartbeat_is_told_by_its_address_and_missed_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    create(&daemon, &json!({"name": "backup", "kind": "heartbeat", "every": "2s", "grace": "1s"}));
    let path = "/api/v1/checks/backup/heartbeat";
    let address = daemon.wait_for(path, |answer| answer["status"] == "success");
    let ping = address["data"]["path"].as_str().expect("a path").to_owned();
    assert_eq!(daemon.get("/ping/0123456789abcdef").0, 404);
    assert_eq!(daemon.post(&format!("{ping}/start"), "").0, 200);
    assert_eq!(daemon.post(&ping, "copied 3 files").0, 200);
    becomes(&daemon, "backup", "healthy");
    assert_eq!(daemon.post(&format!("{ping}/3"), "").0, 200);
    let down = becomes(&daemon, "backup", "unhealthy");
    assert_eq!(down["last_result"]["error"], "it ended with exit code 3");
    assert_eq!(daemon.get(&format!("{ping}/0")).0, 200);
    // Durable before it was answered: the state is there after a kill, with the same address.
    daemon.kill();
    let daemon = Daemon::start_quiet(directory.path());
    let again = daemon.wait_for(path, |answer| answer["status"] == "success");
    assert_eq!(again["data"]["token"], address["data"]["token"]);
    let missed = becomes(&daemon, "backup", "unhealthy");
    let error = missed["last_result"]["error"].as_str().expect("a text");
    assert!(error.starts_with("no ping since"), "{error}");
}

#[test]
fn the_settings_file_defines_checks_and_a_reload_keeps_what_did_not_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let site = Site::start();
    let file = directory.path().join("config.toml");
    let check = |name: &str| {
        format!(
            "[[check]]\nname = '{name}'\nkind = 'http'\ntarget = 'http://{}/'\nevery = '1s'\n",
            site.address
        )
    };
    std::fs::write(&file, check("one")).expect("written");
    let path = file.to_str().expect("UTF-8");
    let daemon = Daemon::start_with(directory.path(), &["--config", path], &QUIET);
    let since = becomes(&daemon, "one", "healthy")["since"].clone();
    let (status, refused) = daemon.send("DELETE", "/api/v1/checks/one", "", "");
    assert_eq!(status, 409, "{refused}");
    std::fs::write(&file, check("one") + &check("two")).expect("written");
    assert_eq!(daemon.post("/-/reload", "").0, 200);
    becomes(&daemon, "two", "healthy");
    assert_eq!(becomes(&daemon, "one", "healthy")["since"], since);
    let broken = check("one") + "conditions = ['[STATUS']\n";
    std::fs::write(&file, broken).expect("written");
    let (status, answer) = daemon.post("/-/reload", "");
    assert!(status >= 400 && answer.to_string().contains("condition"), "{status} {answer}");
    std::fs::write(&file, check("one")).expect("written");
    assert_eq!(daemon.post("/-/reload", "").0, 200);
    daemon.wait_for("/api/v1/checks/two", |answer| answer["errorType"] == "not_found");
}

#[test]
fn the_machine_is_watched_from_the_first_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(directory.path(), &[]);
    let own = becomes(&daemon, "vedette", "healthy");
    assert_eq!(own["origin"], "default");
    let (_, listed) = daemon.get("/api/v1/checks");
    let names: Vec<&str> = listed["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|check| check["name"].as_str())
        .collect();
    assert!(names.contains(&"disk") && names.contains(&"clock"), "{names:?}");
}
