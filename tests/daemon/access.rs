//! Tokens, roles and TLS.

use std::path::Path;

use super::process::{Daemon, QUIET, run, text, vedette};

fn data_of(directory: &Path) -> String {
    directory.join("data").to_str().expect("UTF-8").to_owned()
}

fn create_token(directory: &Path, role: &str) -> String {
    let data = data_of(directory);
    let made = run(&["token", "create", "--role", role, "--name", role, "--data-dir", &data]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    text(&made.stdout).trim().to_owned()
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[test]
fn beyond_loopback_the_daemon_refuses_to_start_without_a_token() {
    let directory = tempfile::tempdir().expect("a directory");
    let refused = run(&["--listen", "0.0.0.0:0", "--data-dir", &data_of(directory.path())]);
    assert_eq!(refused.status.code(), Some(1));
    let error = text(&refused.stderr);
    let message = error.lines().find(|line| line.starts_with("error: ")).expect("an error");
    for part in ["vedette token create", "auth.mode", "0.0.0.0"] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

#[test]
fn tokens_made_offline_are_asked_for_and_keep_to_their_roles() {
    let directory = tempfile::tempdir().expect("a directory");
    let viewer = create_token(directory.path(), "viewer");
    let writer = create_token(directory.path(), "writer");
    let daemon = Daemon::start_quiet(directory.path());
    let sample = r#"{"name":"a","value":1}"#;
    let query = "/api/v1/query?query=a";
    assert_eq!(daemon.get(query).0, 401);
    assert_eq!(daemon.get("/-/healthy").0, 200);
    assert_eq!(daemon.send("POST", "/api/v1/samples", &bearer(&writer), sample).0, 200);
    assert_eq!(daemon.send("POST", "/api/v1/samples", &bearer(&viewer), sample).0, 403);
    assert_eq!(daemon.send("GET", query, &bearer(&viewer), "").0, 200);
    assert_eq!(daemon.send("GET", query, &bearer(&writer), "").0, 403);
    assert_eq!(daemon.send("GET", query, &bearer("vdt_wrong"), "").0, 401);
    assert_eq!(daemon.send("POST", "/-/reload", &bearer(&viewer), "").0, 403);
    // The file never holds a token, only its hash.
    let file = std::fs::read(directory.path().join("data/vedette.redb")).expect("readable");
    assert!(!file.windows(viewer.len()).any(|part| part == viewer.as_bytes()));
}

#[test]
fn tokens_are_managed_through_the_daemon_while_it_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let admin = create_token(directory.path(), "admin");
    let daemon = Daemon::start_quiet(directory.path());
    let (data, url) = (data_of(directory.path()), daemon.url());
    let place = ["--data-dir", &data, "--url", &url, "--token", &admin];
    let command = |args: &[&str]| {
        let all: Vec<&str> = args.iter().chain(&place).copied().collect();
        run(&all)
    };
    let made = command(&["token", "create", "--role", "viewer", "--name", "grafana"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let token = text(&made.stdout).trim().to_owned();
    assert_eq!(daemon.send("GET", "/api/v1/labels", &bearer(&token), "").0, 200);
    let listed = text(&command(&["token", "list"]).stdout);
    assert!(listed.contains("grafana\tviewer") && !listed.contains(&token), "{listed}");
    assert!(command(&["token", "revoke", "--name", "grafana"]).status.success());
    assert_eq!(daemon.send("GET", "/api/v1/labels", &bearer(&token), "").0, 401);
}

#[test]
fn tls_is_served_with_a_trusted_certificate_and_kept_on_a_bad_reload() {
    let directory = tempfile::tempdir().expect("a directory");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
    let cert = directory.path().join("server.pem");
    std::fs::copy(fixtures.join("server.pem"), &cert).expect("copied");
    let file = directory.path().join("config.toml");
    let settings = format!("[tls]\ncert = {cert:?}\nkey = {:?}\n", fixtures.join("server.key"));
    std::fs::write(&file, settings).expect("written");
    let config = ["--config", file.to_str().expect("UTF-8")];
    let daemon = Daemon::start_with(directory.path(), &config, &QUIET);
    let url = format!("https://127.0.0.1:{}", daemon.address.port());
    let ask = |authority: &Path| {
        vedette(&["query", "1 + 1", "--json", "--url", &url])
            .env("SSL_CERT_FILE", authority)
            .output()
            .expect("runs")
    };
    let trusted = ask(&fixtures.join("authority.pem"));
    assert!(trusted.status.success(), "{}", text(&trusted.stderr));
    // Another authority than the one that signed.
    assert!(!ask(Path::new("/dev/null")).status.success());

    std::fs::write(&cert, "not a certificate").expect("written");
    daemon.signal(rustix::process::Signal::HUP);
    let deadline = std::time::Instant::now() + super::process::PATIENCE;
    let log = super::process::log_of(directory.path());
    while !std::fs::read_to_string(&log).expect("readable").contains("tls.cert") {
        assert!(std::time::Instant::now() < deadline, "the bad certificate was never reported");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(ask(&fixtures.join("authority.pem")).status.success());
}
