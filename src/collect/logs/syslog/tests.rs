//! With `logger` of util-linux as the peer.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use super::super::testing::Receiver;
use super::*;
use crate::model::LogLevel;

/// A port that nobody had a moment ago.
fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

async fn until_open(address: SocketAddr) {
    for _ in 0..500 {
        if TcpStream::connect(address).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody listens on {address}");
}

async fn logger(address: SocketAddr, arguments: &[&str]) {
    let mut command = Command::new("logger");
    command.args(["--server", "127.0.0.1", "--port", &address.port().to_string()]).args(arguments);
    let status = tokio::task::spawn_blocking(move || command.status()).await.expect("ran");
    assert!(status.expect("logger of util-linux is installed").success());
}

#[tokio::test]
async fn logger_is_understood_in_both_formats_over_both_transports() {
    let mut receiver = Receiver::new("syslog");
    let address = free_address();
    let settings = Syslog {
        udp: vec![address],
        tcp: vec![address],
        environment: "staging".to_owned(),
        ..Syslog::default()
    };
    let running = tokio::spawn(run(receiver.outlet.clone(), settings, receiver.stop()));
    until_open(address).await;
    let mut seen = Vec::new();
    for (transport, format) in [
        (&["--tcp"][..], "--rfc5424"),
        (&["--tcp", "--octet-count"], "--rfc5424"),
        (&["--tcp"], "--rfc3164"),
        (&["--udp"], "--rfc5424"),
        (&["--udp"], "--rfc3164"),
    ] {
        let text = format!("from {transport:?} in {format}");
        let rest = [format, "--tag", "shop", "--id=77", "--priority", "local0.err", &text];
        logger(address, &[transport, &rest].concat()).await;
        let (lines, _) = receiver.lines(1).await;
        assert_eq!(lines[0].message, text);
        seen.extend(lines);
    }
    for line in &seen {
        assert_eq!((line.level, line.source.as_str()), (LogLevel::Error, "shop"), "{line:?}");
        assert_eq!(line.environment, "staging");
        let metadata: Value = serde_json::from_str(line.metadata.as_json()).expect("JSON");
        assert_eq!((&metadata["facility"], &metadata["pid"]), (&"local0".into(), &"77".into()));
        let age_ms = receiver.outlet.clock.now().since(line.time);
        assert!((-60_000..60_000).contains(&age_ms), "{age_ms} ms: {line:?}");
    }
    receiver.stop.send_replace(true);
    running.await.expect("ends");
}

#[tokio::test]
async fn what_was_received_is_handed_over_before_the_end() {
    let mut receiver = Receiver::new("syslog");
    let address = free_address();
    let settings = Syslog { tcp: vec![address], connections_max: 1, ..Syslog::default() };
    let running = tokio::spawn(run(receiver.outlet.clone(), settings, receiver.stop()));
    until_open(address).await;
    let mut stream = loop {
        // The place of the connection that asked whether somebody listens is free a moment later.
        let mut stream = TcpStream::connect(address).await.expect("connects");
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"<13>a\n").await.expect("sent");
        let within = Duration::from_millis(500);
        if let Ok(Some(taken)) = tokio::time::timeout(within, receiver.taken.recv()).await {
            assert_eq!(taken.lines[0].message, "a");
            let _ = taken.done.send(());
            break stream;
        }
    };
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"<13>b\n<13>without an end")
        .await
        .expect("sent");
    let (lines, _) = receiver.lines(1).await;
    assert_eq!(lines[0].message, "b");
    assert!(lines[0].metadata.as_json().contains(r#""host":"127.0.0.1""#));
    receiver.stop.send_replace(true);
    let (lines, _) = receiver.lines(1).await;
    assert_eq!(lines[0].message, "without an end");
    running.await.expect("ends");
}

#[tokio::test]
async fn datagrams_are_dropped_and_counted_when_too_many_wait() {
    let receiver = Receiver::new("syslog");
    let (waiting, _kept) = mpsc::channel(1);
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), free_address().port());
    let reader = Reader {
        outlet: receiver.outlet.clone(),
        settings: Arc::default(),
        zone: TimeZone::UTC,
        waiting,
    };
    let listening = tokio::spawn(datagrams(reader, address, receiver.stop()));
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let dropped = || receiver.outlet.telemetry.log_lines_dropped.get(["syslog"]);
    for _ in 0..500 {
        // Refused until somebody listens.
        let _ = socket.send_to(b"<13>x", address).await;
        if dropped() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(dropped() > 0);
    receiver.stop.send_replace(true);
    listening.await.expect("ends");
}
