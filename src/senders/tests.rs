//! Senders against servers of this test: what arrives, and what is made of the answers.

mod email;
mod peer;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::model::{NotificationReason as Reason, Severity};
use crate::notify::render::sample::{NOW, alert, ended, outgoing};

/// A request as it arrived.
#[derive(Clone, Debug)]
struct Arrived {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Arrived {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// What the sink does with a request.
#[derive(Clone, Debug)]
enum Answer {
    /// A status line, headers and a body.
    Says(&'static str),
    /// Nothing, ever.
    Hangs,
    /// The connection breaks.
    Resets,
}

struct Sink {
    url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Sink {
    async fn listen(answers: &[Answer]) -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let arrived: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let answers = Arc::new(Mutex::new(answers.iter().cloned().collect::<VecDeque<_>>()));
        let (record, script) = (Arc::clone(&arrived), Arc::clone(&answers));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = read(&mut stream).await else { continue };
                record.lock().expect("held").push(request);
                let answer = script.lock().expect("held").pop_front();
                match answer.unwrap_or(Answer::Says("200 OK\r\n\r\nok")) {
                    Answer::Says(text) => {
                        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
                        let text = format!(
                            "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                            body.len()
                        );
                        let _ = stream.write_all(text.as_bytes()).await;
                    }
                    Answer::Hangs => {
                        tokio::spawn(async move {
                            let _ = stream.read(&mut [0]).await;
                        });
                    }
                    Answer::Resets => drop(stream),
                }
            }
        });
        Sink { url, arrived, answers }
    }

    fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().expect("held").clone()
    }
}

async fn read(stream: &mut tokio::net::TcpStream) -> Option<Arrived> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.split("\r\n");
        let line = lines.next()?.to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("content-length"));
        let length = length.map_or(0, |(_, value)| value.parse::<usize>().expect("a number"));
        if body.len() >= length {
            return Some(Arrived { line, headers, body: body.to_owned() });
        }
    }
}

fn definition(kind: &str, settings: Value) -> ChannelDefinition {
    let json = json!({"name": "ops", "kind": kind, "settings": settings});
    serde_json::from_value(json).expect("a channel")
}

fn ready(kind: &str, settings: Value) -> Prepared {
    prepare(&definition(kind, settings), &Clients::default()).expect("valid")
}

fn two_down() -> Outgoing {
    let other = ended(alert("Down", "b:80", Severity::Warning));
    outgoing(Reason::Firing, vec![alert("Down", "a:80", Severity::Critical), other])
}

async fn told(prepared: &Prepared) -> Result<Taken, Failure> {
    prepared.sender.send(&two_down(), NOW).await
}

#[tokio::test]
async fn a_webhook_gets_json_that_is_signed_and_has_a_stable_key() {
    let sink = Sink::listen(&[]).await;
    let settings = json!({
        "url": format!("{}/hook", sink.url), "hmac_secret": "key", "username": "me",
        "password": "pw", "headers": {"X-Team": "{{ channel }}", "X-Fixed": "a"},
    });
    let webhook = ready("webhook", settings);
    let taken = told(&webhook).await.expect("taken");
    assert_eq!(taken.0, "127.0.0.1 answered 200 OK: ok");
    told(&webhook).await.expect("taken");
    let arrived = sink.arrived();
    let first = &arrived[0];
    assert_eq!(first.line, "POST /hook HTTP/1.1");
    assert_eq!(first.header("content-type"), "application/json");
    // printf me:pw | base64
    assert_eq!(first.header("authorization"), "Basic bWU6cHc=");
    assert_eq!((first.header("x-team"), first.header("x-fixed")), ("ops", "a"));
    assert_eq!(first.json()["version"], "4");
    assert_eq!(first.header("x-vedette-timestamp"), "1763689200");
    assert!(first.header("x-vedette-signature").starts_with("sha256="));
    for name in ["idempotency-key", "x-vedette-signature"] {
        assert_eq!(first.header(name), arrived[1].header(name), "{name}");
    }
    assert_eq!(first.header("idempotency-key"), "g1-3-ops");
}

#[test]
fn a_signature_is_the_hmac_of_time_and_body() {
    // printf '1763689200.{}' | openssl dgst -sha256 -hmac key
    assert_eq!(webhook::signature("key", "1763689200", b"{}"), SIGNED);
}

const SIGNED: &str = "sha256=486353db2595c396efd0dde01030c585cba0d8ea9de9204beecfbfe2236407c6";

#[tokio::test]
async fn a_webhook_says_what_its_template_says() {
    let sink = Sink::listen(&[]).await;
    let mut channel = definition(
        "webhook",
        json!({"url": sink.url, "method": "PUT", "content_type": "text/plain"}),
    );
    channel.template = Some("{{ title }}: {{ alerts | length }}".to_owned());
    let webhook = prepare(&channel, &Clients::default()).expect("valid");
    told(&webhook).await.expect("taken");
    let arrived = sink.arrived();
    assert_eq!(arrived[0].line, "PUT / HTTP/1.1");
    assert_eq!(arrived[0].header("content-type"), "text/plain");
    assert_eq!(arrived[0].body, "[FIRING:1] Down (critical): 2");
}

#[tokio::test]
async fn every_http_service_gets_its_own_form_at_its_own_path() {
    let sink = Sink::listen(&[]).await;
    let url = sink.url.as_str();
    let kinds = [
        ("slack", json!({"url": format!("{url}/services/x")}), "/services/x"),
        ("discord", json!({"url": format!("{url}/api/webhooks/1/x")}), "/api/webhooks/1/x"),
        ("teams", json!({"url": format!("{url}/workflows/x")}), "/workflows/x"),
        (
            "telegram",
            json!({"token": "1:abc", "chat_id": -5, "api_url": url}),
            "/bot1:abc/sendMessage",
        ),
        ("pagerduty", json!({"routing_key": "key", "api_url": url}), "/v2/enqueue"),
        ("opsgenie", json!({"api_key": "key", "api_url": url}), "/v2/alerts"),
        ("ntfy", json!({"url": url, "topic": "alerts", "token": "tk_1"}), "/"),
        (
            "pushover",
            json!({"token": "app", "user_key": "user", "api_url": url}),
            "/1/messages.json",
        ),
        ("alertmanager", json!({"url": url}), "/api/v2/alerts"),
    ];
    for (kind, settings, path) in kinds {
        let before = sink.arrived().len();
        told(&ready(kind, settings)).await.unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        let arrived = sink.arrived().split_off(before);
        assert_eq!(arrived[0].line, format!("POST {path} HTTP/1.1"), "{kind}");
        match kind {
            "slack" => assert_eq!(arrived[0].json()["text"], "[FIRING:1] Down (critical)"),
            "discord" => assert!(arrived[0].json()["embeds"].is_array()),
            "teams" => assert_eq!(arrived[0].json()["type"], "message"),
            "telegram" => {
                assert_eq!(arrived[0].json()["chat_id"], -5);
                assert_eq!(arrived[0].json()["parse_mode"], "HTML");
            }
            "pagerduty" => {
                assert_eq!(arrived.len(), 2, "an event per alert");
                assert_eq!(arrived[0].json()["event_action"], "trigger");
                assert_eq!(arrived[1].json()["event_action"], "resolve");
            }
            "opsgenie" => {
                assert_eq!(arrived[0].header("authorization"), "GenieKey key");
                assert!(arrived[1].line.contains("/close?identifierType=alias"));
            }
            "ntfy" => {
                assert_eq!(arrived[0].json()["topic"], "alerts");
                assert_eq!(arrived[0].header("authorization"), "Bearer tk_1");
            }
            "pushover" => {
                assert!(arrived[0].body.contains("token=app"), "{}", arrived[0].body);
                assert!(arrived[0].body.contains("user=user"));
                assert!(arrived[0].body.contains("title=%5BFIRING%3A1%5D+Down+%28critical%29"));
            }
            "alertmanager" => assert_eq!(arrived[0].json()[0]["labels"]["alertname"], "Down"),
            _ => unreachable!("{kind}"),
        }
    }
}

#[tokio::test]
async fn answers_are_told_apart_and_secrets_stay_secret() {
    let cases = [
        (Answer::Says("500 Internal Server Error\r\n\r\n"), true, None),
        (Answer::Says("429 Too Many Requests\r\nRetry-After: 7\r\n\r\n"), true, Some(7000)),
        (Answer::Says("429 Too Many Requests\r\n\r\n{\"retry_after\": 0.65}"), true, Some(650)),
        (
            Answer::Says(
                "429 Too Many Requests\r\n\r\n{\"ok\":false,\"parameters\":{\"retry_after\":35}}",
            ),
            true,
            Some(35_000),
        ),
        (Answer::Says("400 Bad Request\r\n\r\nno such hook /hidden-path"), false, None),
        (Answer::Says("302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"), false, None),
        (Answer::Resets, true, None),
    ];
    let sink = Sink::listen(&[]).await;
    let slack = ready("slack", json!({"url": format!("{}/hidden-path", sink.url)}));
    for (answer, transient, retry_after_ms) in cases {
        sink.answers.lock().expect("held").push_back(answer.clone());
        let failure = told(&slack).await.expect_err("fails");
        assert_eq!(failure.transient, transient, "{answer:?}: {failure:?}");
        assert_eq!(failure.retry_after_ms, retry_after_ms, "{answer:?}: {failure:?}");
        assert!(!failure.reason.contains("hidden-path"), "{failure:?}");
    }
    sink.answers.lock().expect("held").push_back(Answer::Hangs);
    let waited = tokio::time::timeout(Duration::from_millis(300), told(&slack)).await;
    assert!(waited.is_err(), "nobody answered");
    told(&slack).await.expect("taken again");

    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}/bot", nobody.local_addr().expect("bound"));
    drop(nobody);
    let failure = told(&ready("slack", json!({"url": url}))).await.expect_err("nobody there");
    assert!(failure.transient && failure.reason.contains("cannot reach 127.0.0.1"), "{failure:?}");
}

#[tokio::test]
async fn an_end_of_what_opsgenie_does_not_know_is_no_failure() {
    let gone = "404 Not Found\r\n\r\n{\"message\":\"Alert does not exist\"}";
    let sink = Sink::listen(&[Answer::Says("202 Accepted\r\n\r\n"), Answer::Says(gone)]).await;
    let opsgenie = ready("opsgenie", json!({"api_key": "key", "api_url": sink.url}));
    told(&opsgenie).await.expect("taken");
}

#[tokio::test]
async fn one_of_several_alertmanagers_is_enough() {
    let sink = Sink::listen(&[]).await;
    let urls = json!({"urls": ["http://127.0.0.1:1", sink.url]});
    told(&ready("alertmanager", urls)).await.expect("taken");
    let nobody = ready("alertmanager", json!({"urls": ["http://127.0.0.1:1"]}));
    assert!(told(&nobody).await.expect_err("nobody").transient);
}

#[tokio::test]
async fn secrets_are_read_when_they_are_used() {
    let sink = Sink::listen(&[]).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    let settings = json!({"url": sink.url, "bearer_token": {"file": file}});
    let webhook = ready("webhook", settings);
    let failure = told(&webhook).await.expect_err("no file yet");
    assert!(failure.transient, "somebody may mount it: {failure:?}");
    for token in ["one", "two"] {
        std::fs::write(&file, format!("{token}\n")).expect("written");
        told(&webhook).await.expect("taken");
        let last = sink.arrived().pop().expect("arrived");
        assert_eq!(last.header("authorization"), format!("Bearer {token}"));
    }
}

#[test]
fn settings_that_are_wrong_are_refused_by_the_name_of_their_field() {
    for (kind, settings, said) in [
        ("webhook", json!({}), "missing field `url`"),
        ("webhook", json!({"url": "x"}), "settings.url: is not a URL"),
        ("webhook", json!({"url": "ftp://x/"}), "use http:// or https://"),
        ("webhook", json!({"url": "http://x", "methd": "PUT"}), "unknown field `methd`"),
        (
            "webhook",
            json!({"url": "http://x", "method": "GET"}),
            "settings.method: unknown variant",
        ),
        ("webhook", json!({"url": "http://x", "headers": {"a b": "c"}}), "settings.headers"),
        (
            "webhook",
            json!({"url": "http://x", "headers": {"a": "{{ b"}}),
            "settings.headers.a: line 1",
        ),
        ("webhook", json!({"url": "http://x", "password": "p"}), "settings.username"),
        (
            "webhook",
            json!({"url": "http://x", "timeout": "5m"}),
            "settings.timeout: is 5m; use 1s to 1m",
        ),
        ("webhook", json!({"url": "http://x", "burst": 0}), "must be at least 1"),
        ("slack", json!({"url": 5}), "settings.url: expected a text"),
        ("telegram", json!({"token": "a", "chat_id": {}}), "settings.chat_id: expected a number"),
        (
            "email",
            json!({"host": "a", "from": "nobody", "to": "a@b.c"}),
            "settings.from: \"nobody\"",
        ),
        ("email", json!({"host": "a", "from": "a@b.c", "to": []}), "settings.to: needs 1 to 100"),
        (
            "email",
            json!({"host": "a", "from": "a@b.c", "to": "a@b.c", "encryption": "none",
                   "username": "u", "password": "p"}),
            "in the clear",
        ),
        ("ntfy", json!({"topic": "https://ntfy.sh/x"}), "settings.topic"),
        (
            "pushover",
            json!({"token": "t", "user_key": "u", "emergency": {"retry": 5, "expire": 60}}),
            "at least 30s",
        ),
        ("alertmanager", json!({"urls": []}), "names no Alertmanager"),
        ("exec", json!({"command": []}), "settings.command: is empty"),
    ] {
        let error = check(&definition(kind, settings.clone())).expect_err(kind);
        assert!(error.contains(said), "{kind} {settings}: {error}");
    }
    let mut channel = definition("slack", json!({"url": "https://hooks.slack.com/x"}));
    channel.template = Some("{% if %}".to_owned());
    assert!(check(&channel).expect_err("no template").starts_with("template: line 1"));
}

#[tokio::test]
async fn a_command_gets_the_notification_and_its_code_counts() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("got");
    let script = format!("cat > {}; echo \"$VEDETTE_STATUS $TOKEN\"", file.display());
    let settings = json!({"command": ["/bin/sh", "-c", script], "env": {"TOKEN": "t"}});
    let taken = told(&ready("exec", settings)).await.expect("taken");
    assert_eq!(taken.0, "/bin/sh ended with 0: firing t");
    let got: Value = serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
    assert_eq!(got["version"], "4");

    for (script, transient) in
        [("exit 1", true), ("exit 75", true), ("exit 78", false), ("kill -9 $$", true)]
    {
        let settings = json!({"command": ["/bin/sh", "-c", script]});
        let failure = told(&ready("exec", settings)).await.expect_err(script);
        assert_eq!(failure.transient, transient, "{script}: {failure:?}");
    }
    let absent = ready("exec", json!({"command": ["/no/such/program"]}));
    assert!(!told(&absent).await.expect_err("absent").transient);
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_with_all_that_it_started() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}.new; mv {0}.new {0}; wait", file.display());
    let settings =
        json!({"command": ["/bin/sh", "-c", script.replace("{0}", &file.display().to_string())]});
    let hanging = ready("exec", settings);
    let pid: i32 = {
        let sending = told(&hanging);
        tokio::pin!(sending);
        loop {
            tokio::select! {
                _ = &mut sending => panic!("it hangs"),
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            if let Ok(text) = std::fs::read_to_string(&file) {
                break text.trim().parse().expect("a pid");
            }
        }
        // Dropped here, as a timeout does.
    };
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    // Gone, or a zombie that nobody has fetched yet.
    let gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    while !gone() {
        assert!(std::time::Instant::now() < deadline, "the grandchild still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
