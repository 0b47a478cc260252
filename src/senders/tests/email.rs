//! Mail to a real server (aiosmtpd).

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::*;

struct Server {
    process: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(program: &str, arguments: &[&str], directory: &Path) {
    let done = Command::new(program).args(arguments).current_dir(directory).output();
    let done = done.unwrap_or_else(|error| panic!("{program} is installed: {error}"));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

impl Server {
    fn start(refusal: &str) -> Server {
        let directory = tempfile::tempdir().expect("a directory");
        let subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
        let mut openssl = vec!["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
        openssl.extend(["-keyout", "key.pem", "-out", "cert.pem", "-addext"]);
        openssl.push("basicConstraints=critical,CA:FALSE");
        openssl.extend(subject);
        run("openssl", &openssl, directory.path());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/senders/tests/smtp_server.py");
        let mut process = Command::new("/usr/bin/python3")
            .args([script, "cert.pem", "key.pem", ".", refusal])
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Debian has its python3 there");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("readable");
        let port = line.trim().parse().expect("python3-aiosmtpd is installed, and says its port");
        Server { process, port, directory }
    }

    fn channel(&self, password: &str) -> Prepared {
        let ca = self.directory.path().join("cert.pem");
        ready(
            "email",
            json!({
                "host": "127.0.0.1", "port": self.port, "username": "me", "password": password,
                "from": "vedette <watch@example.com>", "to": ["a@example.com", "B <b@example.com>"],
                "tls": {"ca_file": ca}, "hello": "watch.example.com",
            }),
        )
    }

    fn mail(&self, number: u32) -> Value {
        let path = self.directory.path().join(format!("{number}.json"));
        serde_json::from_slice(&std::fs::read(path).expect("arrived")).expect("JSON")
    }
}

#[tokio::test]
async fn a_mail_arrives_over_starttls_with_a_password_and_a_stable_id() {
    let server = Server::start("");
    let email = server.channel("pw");
    let taken = told(&email).await.expect("taken");
    assert_eq!(taken.0, "127.0.0.1 answered 250: kept as 1");
    told(&email).await.expect("taken");
    let mail = server.mail(1);
    assert_eq!(mail["from"], "watch@example.com");
    assert_eq!(mail["to"], json!(["a@example.com", "b@example.com"]));
    assert_eq!(mail["tls"], true);
    let content = mail["content"].as_str().expect("a text").to_owned();
    let id = |content: &str| {
        let line = content.lines().find(|line| line.starts_with("Message-ID:"));
        line.expect("an id").to_owned()
    };
    assert_eq!(id(&content), "Message-ID: <vedette-g1-3-ops@example.com>");
    let second = server.mail(2);
    assert_eq!(id(second["content"].as_str().expect("a text")), id(&content));
    for part in
        ["Subject: [FIRING:1] Down (critical)", "text/plain", "text/html", "multipart/alternative"]
    {
        assert!(content.contains(part), "{part:?} is missing in\n{content}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_says_whether_for_good() {
    for (refusal, transient) in [("451 come again", true), ("554 never", false)] {
        let server = Server::start(refusal);
        let failure = told(&server.channel("pw")).await.expect_err(refusal);
        assert_eq!(failure.transient, transient, "{failure:?}");
    }
    let server = Server::start("");
    let failure = told(&server.channel("wrong")).await.expect_err("a wrong password");
    assert!(!failure.transient && !failure.reason.contains("wrong"), "{failure:?}");

    let port = server.port;
    drop(server);
    let gone = json!({"host": "127.0.0.1", "port": port, "from": "a@b.c", "to": "a@b.c",
                      "encryption": "none"});
    assert!(told(&ready("email", gone)).await.expect_err("nobody").transient);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_no_password() {
    let server = Server::start("");
    let settings = json!({"host": "127.0.0.1", "port": server.port, "username": "me",
                          "password": "pw", "from": "a@b.c", "to": "a@b.c"});
    let failure = told(&ready("email", settings)).await.expect_err("an unknown authority");
    assert!(failure.reason.contains("certificate"), "{failure:?}");
}
