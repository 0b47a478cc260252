//! An endpoint that speaks OpenAI's API: a false one, as no real one can be had here. Its answers
//! have the form of OpenAI's API reference.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{PATIENCE, ask, probe, refusal};

/// How long the endpoint thinks before its first word.
const THINKS: Duration = Duration::from_millis(60);
const MODELS: &str = r#"{"object":"list","data":[{"id":"small-1"},{"id":"large-2"}]}"#;

struct Endpoint {
    base: String,
    /// Heads and bodies of what it was asked.
    asked: Arc<Mutex<Vec<String>>>,
    /// How many pieces of answers it could send.
    sent: Arc<Mutex<usize>>,
}

impl Endpoint {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("whole").clone()
    }
}

/// Answers `list` to the list of models; streams `pieces` as an answer, then `usage` if it is one.
async fn endpoint(list: (u16, &'static str), pieces: Vec<&'static str>, usage: Value) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let base = format!("http://{}/v1/", listener.local_addr().expect("bound"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let sent = Arc::new(Mutex::new(0));
    let endpoint = Endpoint { base, asked: Arc::clone(&asked), sent: Arc::clone(&sent) };
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let text = loop {
                let mut bytes = [0; 4096];
                let length = stream.read(&mut bytes).await.expect("reads");
                request.extend_from_slice(&bytes[..length]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let wanted = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= wanted.map_or(0, |length| length.parse().expect("a number")) {
                    break text;
                }
            };
            asked.lock().expect("whole").push(text.clone());
            if text.starts_with("GET /v1/models ") {
                let (status, body) = list;
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await.expect("writes");
                continue;
            }
            assert!(text.starts_with("POST /v1/chat/completions "), "{text}");
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).await.expect("writes");
            tokio::time::sleep(THINKS).await;
            let mut events: Vec<Value> = pieces
                .iter()
                .map(|piece| json!({ "choices": [{ "delta": { "content": piece } }] }))
                .collect();
            events.push(json!({ "choices": [], "usage": usage }));
            for event in events {
                let event = format!("data: {event}\n\n");
                if stream.write_all(event.as_bytes()).await.is_err() {
                    break;
                }
                *sent.lock().expect("whole") += 1;
            }
            // The other side may have left.
            let _ = stream.write_all(b"data: [DONE]\n\n").await;
        }
    });
    endpoint
}

#[tokio::test]
async fn by_default_only_the_list_of_models_is_asked() {
    let endpoint = endpoint((200, MODELS), vec![], Value::Null).await;
    let seen = ask("model", &endpoint.base, json!({ "api_key": "s3cret-key" })).await;
    assert_eq!((seen.error.clone(), seen.status), (None, Some(200)));
    assert_eq!((seen.values["MODELS"], seen.body.as_slice()), (2.0, MODELS.as_bytes()));
    let settings = json!({ "model": "large-2" });
    assert_eq!(ask("model", &endpoint.base, settings).await.error, None);
    let settings = json!({ "model": "huge-3" });
    let error = ask("model", &endpoint.base, settings).await.error.expect("not listed");
    assert!(
        error.contains("does not list the model \"huge-3\"; it has 2 models: small-1, large-2")
    );
    let asked = endpoint.asked();
    assert!(asked[0].contains("authorization: Bearer s3cret-key\r\n"), "{}", asked[0]);
    assert!(!asked[1].contains("authorization"), "{}", asked[1]);
}

#[tokio::test]
async fn a_refusal_is_told_without_the_key() {
    const BODY: &str = r#"{"error":{"message":"Incorrect API key provided: s3cret-key."}}"#;
    let endpoint = endpoint((401, BODY), vec![], Value::Null).await;
    let seen = ask("model", &endpoint.base, json!({ "api_key": "s3cret-key" })).await;
    let error = seen.error.expect("refused");
    assert!(error.contains("the API key is missing or wrong"), "{error}");
    assert!(error.contains("provided: <secret>.") && !error.contains("s3cret-key"), "{error}");
    assert_eq!(seen.status, Some(401));
}

#[tokio::test]
async fn a_prompt_is_timed_counted_and_its_answer_is_the_body() {
    let usage = json!({ "prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11 });
    let endpoint = endpoint((200, MODELS), vec!["", "po", "ng"], usage).await;
    let settings = json!({ "model": "small-1", "prompt": "Say pong", "max_tokens": 5 });
    let seen = ask("model", &endpoint.base, settings).await;
    assert_eq!((seen.error.clone(), seen.body.as_slice()), (None, &b"pong"[..]));
    assert_eq!(seen.values["TOKENS"], 2.0);
    let first_ms = seen.values["FIRST_TOKEN_TIME"];
    assert!(first_ms >= THINKS.as_secs_f64() * 1000.0, "{first_ms}");
    assert!(first_ms * 1000.0 <= seen.phases.total_us as f64);
    assert_eq!(seen.metadata["tokens_today"], 11);
    let asked = endpoint.asked();
    let body: Value =
        serde_json::from_str(asked[0].split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert_eq!((&body["max_tokens"], &body["stream"]), (&json!(5), &json!(true)));
    assert_eq!(body["messages"], json!([{ "role": "user", "content": "Say pong" }]));
}

#[tokio::test]
async fn an_answer_beyond_its_tokens_is_cut_off() {
    const PIECES: usize = 200_000;
    let endpoint = endpoint((200, MODELS), vec!["word "; PIECES], Value::Null).await;
    let settings = json!({ "model": "small-1", "prompt": "Talk", "max_tokens": 10 });
    let seen = ask("model", &endpoint.base, settings).await;
    assert_eq!(seen.error, None);
    assert!(seen.metadata["cut"].as_str().expect("a note").contains("max_tokens (10)"));
    assert!(seen.values["TOKENS"] >= 11.0 && seen.body.len() < 20_000, "{}", seen.body.len());
    // It notices that nobody listens any more.
    let again = json!({ "model": "small-1" });
    assert_eq!(ask("model", &endpoint.base, again).await.error, None);
    assert!(*endpoint.sent.lock().expect("whole") < PIECES);
}

#[tokio::test]
async fn beyond_the_tokens_of_a_day_only_the_list_is_asked() {
    // 4 bytes of prompt count as 18 tokens before they are known, with 10 of the answer 28.
    let usage = json!({ "prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9 });
    let endpoint = endpoint((200, MODELS), vec!["a"], usage).await;
    let settings =
        json!({ "model": "small-1", "prompt": "Talk", "max_tokens": 10, "tokens_per_day": 40 });
    let question = probe("model", &endpoint.base, settings);
    for spent in [9, 18] {
        let seen = question.ask(PATIENCE).await;
        assert_eq!((seen.error.clone(), &seen.metadata["tokens_today"]), (None, &json!(spent)));
    }
    let seen = question.ask(PATIENCE).await;
    assert_eq!((seen.error.clone(), seen.values.contains_key("MODELS")), (None, true));
    let note = seen.metadata["budget"].as_str().expect("a note");
    assert!(note.starts_with("18 of 40 tokens of today are spent"), "{note}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for (target, settings, why) in [
        ("api.example", json!({}), "it is no URL"),
        ("ftp://api.example", json!({}), "https:// or http://"),
        ("https://u:s3cret@api.example/v1", json!({}), "settings.api_key"),
        ("https://api.example/v1", json!({ "prompt": "x" }), "needs the name of a model"),
        (
            "https://api.example/v1",
            json!({ "prompt": "x", "model": "m", "max_tokens": 20000 }),
            "tokens_per_day",
        ),
    ] {
        let error = refusal("model", target, settings);
        assert!(error.contains(why) && !error.contains("s3cret"), "{error}");
    }
}
