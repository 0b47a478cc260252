//! The three ways over real connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Pace;
use crate::api::tests::{Served, get, serve_paced};
use crate::api::{ListenOptions, serve};
use crate::config::{AuthMode, FileToken, Role, Settings, TokenHash};
use crate::engine::feed::{Fact, Feed, Subject, Topic};
use crate::model::{LogId, LogLevel, LogLine, StoredLine};

/// How long a test waits for what must come.
const LONG: Duration = Duration::from_secs(30);

const QUICK: Pace = Pace {
    linger: Duration::from_millis(5),
    heartbeat: Duration::from_secs(60),
    patience: Duration::from_millis(300),
    farewell: Duration::from_secs(20),
};

type Client = WebSocketStream<TcpStream>;

/// A daemon's HTTP side that listens.
struct Listening {
    served: Served,
    address: SocketAddr,
    stop: tokio::sync::watch::Sender<bool>,
    ended: tokio::task::JoinHandle<usize>,
}

impl Listening {
    async fn start(settings: Settings, pace: Pace) -> Listening {
        let served = serve_paced(settings, pace);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let options = ListenOptions {
            connections_max: 64,
            header_timeout: LONG,
            shutdown_timeout: Duration::from_secs(5),
        };
        let (router, tls) = (served.router.clone(), Arc::clone(&served.app.tls));
        let ended = tokio::spawn(serve(listener, router, tls, options, stopped));
        Listening { served, address, stop, ended }
    }

    fn feed(&self) -> Feed {
        self.served.app.engine().expect("ready").feed.clone()
    }

    async fn open(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Client, Error> {
        let stream = TcpStream::connect(self.address).await.expect("connected");
        self.open_on(stream, path, headers).await
    }

    async fn open_on(
        &self,
        stream: TcpStream,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Client, Error> {
        let url = format!("ws://{}{path}", self.address);
        let mut request = url.into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        Ok(tokio_tungstenite::client_async(request, stream).await?.0)
    }
}

async fn frame(client: &mut Client) -> Value {
    loop {
        let message = tokio::time::timeout(LONG, client.next()).await.expect("in time");
        match message.expect("open").expect("whole") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn say(client: &mut Client, said: Value) -> Value {
    client.send(Message::text(said.to_string())).await.expect("sent");
    frame(client).await
}

/// The code and the reason with which a connection is closed, after whatever comes before.
async fn closed(client: &mut Client) -> (u16, String) {
    loop {
        let message = tokio::time::timeout(LONG, client.next()).await.expect("in time");
        match message.expect("told why").expect("whole") {
            Message::Close(Some(close)) => return (close.code.into(), close.reason.to_string()),
            Message::Close(None) => panic!("no reason"),
            _ => {}
        }
    }
}

fn fact(topic: Topic, name: &str, data: Value) -> Fact {
    Fact::new(topic, "some.changed", Subject::named(name), &data)
}

fn line(level: LogLevel, source: &str, message: &str) -> StoredLine {
    let (message, source) = (message.to_owned(), source.to_owned());
    StoredLine {
        id: LogId::default(),
        line: LogLine { level, source, message, ..LogLine::default() },
    }
}

fn status(outcome: Result<Client, Error>) -> u16 {
    match outcome {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
        Ok(_) => 101,
    }
}

#[tokio::test]
async fn a_websocket_hears_what_comes_in_order_and_who_comes_back_exactly_what_it_missed() {
    let listening = Listening::start(Settings::default(), QUICK).await;
    let feed = listening.feed();
    let start = feed.last_id();
    let mut client = listening.open("/api/v1/live", &[]).await.expect("open");
    assert_eq!(frame(&mut client).await, json!({"id": start, "type": "hello"}));
    let ids: Vec<u64> =
        (0..3000).map(|n| feed.publish(fact(Topic::Checks, "shop", json!(n)))).collect();
    for (n, id) in ids.iter().enumerate() {
        let expected = json!({"id": id, "type": "some.changed", "data": n});
        assert_eq!(frame(&mut client).await, expected);
    }
    drop(client);
    let missed = feed.publish(fact(Topic::Rules, "rule", json!("missed")));
    let path = format!("/api/v1/live?since={}", ids[2998]);
    let mut client = listening.open(&path, &[]).await.expect("open");
    assert_eq!(frame(&mut client).await["id"], ids[2998]);
    assert_eq!(frame(&mut client).await["data"], 2999);
    assert_eq!(frame(&mut client).await["id"], missed);
}

#[tokio::test]
async fn an_id_that_is_not_kept_is_answered_by_a_reset() {
    let listening = Listening::start(Settings::default(), QUICK).await;
    let feed = listening.feed();
    for since in [1, feed.last_id() + 1_000_000] {
        let path = format!("/api/v1/live?since={since}");
        let mut client = listening.open(&path, &[]).await.expect("open");
        assert_eq!(frame(&mut client).await["type"], "hello");
        let reset = json!({"id": feed.last_id(), "type": "reset"});
        assert_eq!(frame(&mut client).await, reset);
        let id = feed.publish(fact(Topic::Checks, "a", json!(1)));
        assert_eq!(frame(&mut client).await["id"], id, "and on it goes from there");
    }
}

#[tokio::test]
async fn topics_and_filters_are_each_clients_own() {
    let listening = Listening::start(Settings::default(), QUICK).await;
    let feed = listening.feed();
    let mut client = listening.open("/api/v1/live?topics=rules", &[]).await.expect("open");
    frame(&mut client).await;
    let filter = json!({"logs": {"level": "warn", "source": ["api", "db"], "q": "DISK"},
                        "checks": {"name": "shop"}});
    let answer = say(&mut client, json!({"subscribe": ["checks", "logs"], "filter": filter})).await;
    assert_eq!(answer["topics"], json!(["checks", "rules", "logs"]));
    feed.publish(fact(Topic::Incidents, "x", json!("not asked for")));
    feed.publish(fact(Topic::Checks, "other", json!("of another name")));
    feed.publish(Fact::logs(Arc::new([line(LogLevel::Info, "api", "disk")])));
    let lines = [
        line(LogLevel::Error, "api", "the disk is full"),
        line(LogLevel::Error, "web", "the disk is full"),
        line(LogLevel::Error, "db", "all is well"),
        line(LogLevel::Warn, "db", "Disk slow"),
    ];
    let of_logs = feed.publish(Fact::logs(Arc::new(lines)));
    let of_shop = feed.publish(fact(Topic::Checks, "shop", json!(1)));
    let told = frame(&mut client).await;
    assert_eq!((&told["id"], &told["type"]), (&json!(of_logs), &json!("log.lines")));
    let messages: Vec<&str> = told["data"]
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(|l| l["message"].as_str())
        .collect();
    assert_eq!(messages, ["the disk is full", "Disk slow"]);
    assert_eq!(frame(&mut client).await["id"], of_shop);

    for (said, error) in [
        (json!({"subscribe": ["weather"]}), "\"weather\" is no topic"),
        (json!({"filter": {"logs": {"regex": "("}}}), "filter.logs: regex: "),
        (json!({"filter": {"logs": {"level": "loud"}}}), "filter.logs: level: "),
        (json!({"filter": {"logs": {"level": "warn", "levels": ["info"]}}}), "not both"),
        (json!({"filter": {"logs": {"q": "x".repeat(5000)}}}), "filter.logs: q: 5000 bytes"),
        (
            json!({"filter": {"checks": {"name": vec!["a"; 101]}}}),
            "filter.checks: name: 101 values",
        ),
        (json!({"please": 1}), "unknown field"),
    ] {
        let answer = say(&mut client, said).await;
        assert_eq!(answer["type"], "error");
        assert!(answer["error"].as_str().expect("a text").contains(error), "{answer}");
    }
    let answer = say(&mut client, json!({"unsubscribe": ["logs", "checks"]})).await;
    assert_eq!(answer["topics"], json!(["rules"]), "what was wrong has changed nothing");
    feed.publish(fact(Topic::Checks, "shop", json!(2)));
    let of_rule = feed.publish(fact(Topic::Rules, "r", json!(3)));
    assert_eq!(frame(&mut client).await["id"], of_rule);
}

#[tokio::test]
async fn of_a_flood_of_lines_the_newest_are_sent_and_the_others_counted() {
    let listening = Listening::start(Settings::default(), QUICK).await;
    let feed = listening.feed();
    let mut client = listening.open("/api/v1/live?topics=logs", &[]).await.expect("open");
    frame(&mut client).await;
    let lines: Vec<_> = (0..1200).map(|n| line(LogLevel::Info, "a", &n.to_string())).collect();
    feed.publish(Fact::logs(lines.into()));
    let told = frame(&mut client).await;
    let data = told["data"].as_array().expect("lines");
    assert_eq!((data.len(), &told["skipped"]), (500, &json!(700)));
    assert_eq!((&data[0]["message"], &data[499]["message"]), (&json!("700"), &json!("1199")));
}

#[tokio::test]
async fn a_flood_of_lines_that_are_not_kept_is_a_gap_and_no_reason_to_let_anybody_go() {
    let pace = Pace { linger: Duration::from_millis(400), ..QUICK };
    let listening = Listening::start(Settings::default(), pace).await;
    let feed = listening.feed();
    let mut client = listening.open("/api/v1/live?topics=logs,rules", &[]).await.expect("open");
    frame(&mut client).await;
    feed.publish(fact(Topic::Rules, "r", json!(1)));
    // 32 MB within a round: twice what is kept.
    let long = "x".repeat(32 << 10);
    for _ in 0..1000 {
        feed.publish(Fact::logs(Arc::new([line(LogLevel::Info, "a", &long)])));
    }
    assert_eq!(frame(&mut client).await["data"], 1);
    loop {
        // Those of a next round, if this one was short.
        let told = frame(&mut client).await;
        if told["type"] == "log.gap" {
            break;
        }
        assert_eq!(told["type"], "log.lines");
    }
    let id = feed.publish(Fact::logs(Arc::new([line(LogLevel::Info, "a", "after")])));
    loop {
        let told = frame(&mut client).await;
        if told["id"] == id {
            assert_eq!(told["data"][0]["message"], "after");
            break;
        }
    }
}

#[tokio::test]
async fn figures_that_were_replaced_meanwhile_are_not_sent() {
    let pace = Pace { linger: Duration::from_millis(100), ..QUICK };
    let listening = Listening::start(Settings::default(), pace).await;
    let feed = listening.feed();
    let mut client = listening.open("/api/v1/live", &[]).await.expect("open");
    frame(&mut client).await;
    let mut ids = Vec::new();
    for value in 0..50 {
        ids.push(feed.publish(fact(Topic::Metrics, "shop", json!(value))));
    }
    ids.push(feed.publish(fact(Topic::Incidents, "x", json!("last"))));
    let told = frame(&mut client).await;
    assert_eq!((&told["id"], &told["data"]), (&json!(ids[49]), &json!(49)));
    assert_eq!(frame(&mut client).await["data"], "last");
}

#[tokio::test]
async fn a_client_that_stalls_is_let_go_and_told_why_while_others_miss_nothing() {
    let listening = Listening::start(Settings::default(), QUICK).await;
    let feed = listening.feed();
    // Small buffers: the system would take megabytes for a client that reads nothing.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("set");
    let stream = socket.connect(listening.address).await.expect("connected");
    let mut slow = listening.open_on(stream, "/api/v1/live", &[]).await.expect("open");
    let mut good = listening.open("/api/v1/live", &[]).await.expect("open");
    frame(&mut slow).await;
    frame(&mut good).await;
    let dropped = || listening.served.app.telemetry.live.dropped.get(["stalled"]);
    let long = "x".repeat(64 << 10);
    let began = std::time::Instant::now();
    let mut sent = 0;
    while dropped() == 0 {
        assert!(began.elapsed() < LONG, "never let go");
        let id = feed.publish(fact(Topic::Checks, "a", json!(long)));
        sent += 1;
        assert_eq!(frame(&mut good).await["id"], id, "nobody else waits for it");
    }
    assert!(sent > 10, "{sent}");
    let (code, reason) = closed(&mut slow).await;
    assert_eq!(code, 1013);
    assert!(reason.starts_with("too slow"), "{reason}");
    // The good one goes on.
    let id = feed.publish(fact(Topic::Checks, "a", json!(1)));
    assert_eq!(frame(&mut good).await["id"], id);
    assert_eq!(listening.served.app.telemetry.live.clients.get(), 1);
}

#[tokio::test]
async fn foreign_pages_and_requests_for_no_socket_are_refused() {
    let listening = Listening::start(Settings::default(), QUICK).await;
    let foreign = listening.open("/api/v1/live", &[("origin", "https://evil.example")]).await;
    assert_eq!(status(foreign), 403);
    let own = format!("http://{}", listening.address);
    assert!(listening.open("/api/v1/live", &[("origin", &own)]).await.is_ok());
    let (code, answer) = get(&listening.served, "/api/v1/live").await;
    assert_eq!(code, 400);
    assert!(answer["error"].as_str().expect("a text").contains("/api/v1/live/events"), "{answer}");
    for path in ["/api/v1/live?topics=weather", "/api/v1/live?since=yesterday"] {
        assert_eq!(status(listening.open(path, &[]).await), 400, "{path}");
    }
}

#[tokio::test]
async fn whose_token_is_revoked_is_let_go() {
    let token =
        |name: &str, role| FileToken { name: name.to_owned(), role, hash: TokenHash::of(name) };
    let mut settings = Settings::default();
    settings.auth.mode = AuthMode::Token;
    settings.auth.tokens = vec![token("viewer", Role::Viewer), token("writer", Role::Writer)];
    let listening = Listening::start(settings.clone(), QUICK).await;
    assert_eq!(status(listening.open("/api/v1/live", &[]).await), 401);
    let writer = [("authorization", "Bearer writer")];
    assert_eq!(status(listening.open("/api/v1/live", &writer).await), 403);
    let viewer = [("authorization", "Bearer viewer")];
    let mut client = listening.open("/api/v1/live", &viewer).await.expect("open");
    frame(&mut client).await;
    settings.auth.tokens.remove(0);
    listening.served.app.take_up(settings).expect("taken up");
    listening.feed().publish(fact(Topic::Checks, "a", json!("a secret of later")));
    assert_eq!(closed(&mut client).await.0, 1008);
}

#[tokio::test]
async fn no_more_clients_follow_than_may() {
    let mut settings = Settings::default();
    settings.limits.live_clients_max = 1;
    let listening = Listening::start(settings, QUICK).await;
    let mut first = listening.open("/api/v1/live", &[]).await.expect("open");
    frame(&mut first).await;
    assert_eq!(status(listening.open("/api/v1/live", &[]).await), 429);
    first.close(None).await.expect("closed");
    let began = std::time::Instant::now();
    while status(listening.open("/api/v1/live", &[]).await) != 101 {
        assert!(began.elapsed() < LONG, "its place is never free");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn heartbeats_say_that_we_are_there_and_how_far_it_is() {
    let pace = Pace { heartbeat: Duration::from_millis(30), ..QUICK };
    let listening = Listening::start(Settings::default(), pace).await;
    let feed = listening.feed();
    let mut client = listening.open("/api/v1/live?topics=rules", &[]).await.expect("open");
    frame(&mut client).await;
    // Of no interest to this client: all the same it is further.
    let id = feed.publish(fact(Topic::Checks, "a", json!(1)));
    loop {
        let told = frame(&mut client).await;
        assert_eq!(told["type"], "heartbeat");
        if told["id"] == id {
            break;
        }
    }
}

/// Sends a request and gives the stream with its answer.
async fn request(listening: &Listening, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(listening.address).await.expect("connected");
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: gzip\r\n{headers}\r\n",
        listening.address
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream
}

async fn read_until(stream: &mut TcpStream, text: &mut String, end: &str) {
    let mut buffer = [0; 4096];
    while !text.contains(end) {
        let read = tokio::time::timeout(LONG, stream.read(&mut buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("no {end:?} in {text}")).expect("read");
        assert!(read > 0, "ended without {end:?}: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
}

#[tokio::test]
async fn server_sent_events_go_on_after_the_id_that_the_browser_names() {
    let listening = Listening::start(Settings::default(), QUICK).await;
    let feed = listening.feed();
    let ids = [1, 2, 3].map(|n| feed.publish(fact(Topic::Checks, "a", json!(n))));
    let path = format!("/api/v1/live/events?since={}", ids[0]);
    let last = format!("Last-Event-ID: {}\r\n", ids[1]);
    let mut stream = request(&listening, &path, &last).await;
    let mut text = String::new();
    let third =
        format!("id: {}\ndata: {{\"id\":{0},\"type\":\"some.changed\",\"data\":3}}\n\n", ids[2]);
    read_until(&mut stream, &mut text, &third).await;
    let head = text.to_ascii_lowercase();
    assert!(head.contains("content-type: text/event-stream"), "{text}");
    assert!(!head.contains("content-encoding"), "{text}");
    assert!(text.contains(&format!("id: {}\ndata: {{\"id\":{0},\"type\":\"hello\"}}\n\n", ids[1])));
    assert!(!text.contains("\"data\":2"), "it has seen that: {text}");
    let fourth = feed.publish(fact(Topic::Checks, "a", json!(4)));
    read_until(&mut stream, &mut text, &format!("id: {fourth}\n")).await;
}

#[tokio::test]
async fn a_poll_answers_at_once_what_there_is_and_otherwise_waits_for_it() {
    let listening = Listening::start(Settings::default(), QUICK).await;
    let feed = listening.feed();
    let (_, first) = get(&listening.served, "/api/v1/live/poll").await;
    assert_eq!(first["data"], json!({"events": [], "next": feed.last_id()}));
    let since = feed.last_id();
    let ids = [1, 2].map(|n| feed.publish(fact(Topic::Checks, "a", json!(n))));
    let path = |since: u64| format!("/api/v1/live/poll?since={since}&wait=20s");
    let (_, answer) = get(&listening.served, &path(since)).await;
    let events = answer["data"]["events"].as_array().expect("events");
    let told: Vec<u64> = events.iter().filter_map(|event| event["id"].as_u64()).collect();
    assert_eq!((told, &answer["data"]["next"]), (ids.to_vec(), &json!(ids[1])));
    let asked = path(ids[1]);
    let (waited, third) = tokio::join!(get(&listening.served, &asked), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        feed.publish(fact(Topic::Checks, "a", json!(3)))
    });
    assert_eq!(waited.1["data"]["next"], third);
    let nothing = format!("/api/v1/live/poll?since={third}&wait=10ms");
    let (_, none) = get(&listening.served, &nothing).await;
    assert_eq!(none["data"], json!({"events": [], "next": third}));
    let (_, reset) = get(&listening.served, "/api/v1/live/poll?since=1").await;
    assert_eq!(reset["data"]["events"], json!([{"id": third, "type": "reset"}]));
}

#[tokio::test]
async fn an_end_is_told_to_all_and_held_up_by_none() {
    let listening = Listening::start(Settings::default(), QUICK).await;
    let mut socket = listening.open("/api/v1/live", &[]).await.expect("open");
    frame(&mut socket).await;
    let mut stream = request(&listening, "/api/v1/live/events", "").await;
    let mut text = String::new();
    read_until(&mut stream, &mut text, "hello").await;
    let poll = format!("/api/v1/live/poll?since={}&wait=25s", listening.feed().last_id());
    let mut poll = request(&listening, &poll, "").await;
    // It waits by now, or is refused: either way it holds nothing up.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = std::time::Instant::now();
    listening.served.app.stopping();
    listening.stop.send(true).expect("listening");
    assert_eq!(closed(&mut socket).await.0, 1001);
    read_until(&mut stream, &mut text, "event: dropped\ndata: {\"reason\":\"stopping").await;
    let mut answer = String::new();
    read_until(&mut poll, &mut answer, "\"events\":[]").await;
    assert_eq!(listening.ended.await.expect("ends"), 0, "no request is cut off");
    assert_eq!(listening.served.app.live_ended(LONG).await, 0);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
