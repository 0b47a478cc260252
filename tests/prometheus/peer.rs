//! A running Prometheus, and requests to either side.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::process::PATIENCE;

pub(crate) struct Prometheus {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Prometheus {
    /// Starts it with a configuration and waits until it is ready.
    pub(crate) fn start(directory: &Path, config: &str) -> Prometheus {
        Self::start_with_features(directory, config, "promql-per-step-stats")
    }

    pub(crate) fn start_with_features(
        directory: &Path,
        config: &str,
        features: &str,
    ) -> Prometheus {
        // Free a moment ago; nobody else starts servers on this machine meanwhile.
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port");
        let file = directory.join("prometheus.yml");
        let config = config.replace("ADDRESS", &address.to_string());
        std::fs::write(&file, config).expect("writes");
        let log = std::fs::File::create(directory.join("prometheus.log")).expect("creates");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-remote-write-receiver")
            .arg(format!("--enable-feature={features}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Debian's package `prometheus` is installed");
        let peer = Prometheus { child, address };
        let deadline = Instant::now() + PATIENCE;
        while !ready(address) {
            assert!(Instant::now() < deadline, "Prometheus does not become ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        peer
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ready(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok() && send(address, "GET", "/-/ready", "", b"").0 == 200
}

/// Sends a request and gives status and body.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(body).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    (status, body.to_owned())
}

/// Sends a form and gives the JSON of the answer.
pub(crate) fn ask(address: SocketAddr, path: &str, form: &[(&str, &str)]) -> Value {
    let pairs: Vec<String> =
        form.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
    let (_, body) = send(address, "POST", path, headers, pairs.join("&").as_bytes());
    serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path} {form:?}: {e}: {body:.300}"))
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

/// One series for a remote write: labels sorted by name, and samples by time.
pub(crate) type Series = (Vec<(String, String)>, Vec<(i64, f64)>);

/// Writes series by remote write 1.0.
pub(crate) fn write(address: SocketAddr, series: &[Series]) {
    let mut body = Vec::new();
    for (labels, samples) in series {
        let mut one = Vec::new();
        for (name, value) in labels {
            let mut label = Vec::new();
            put(&mut label, 0x0A, name.as_bytes());
            put(&mut label, 0x12, value.as_bytes());
            put(&mut one, 0x0A, &label);
        }
        for (at, value) in samples {
            let mut sample = vec![0x09];
            sample.extend_from_slice(&value.to_le_bytes());
            sample.push(0x10);
            put_varint(&mut sample, *at as u64);
            put(&mut one, 0x12, &sample);
        }
        put(&mut body, 0x0A, &one);
    }
    write_body(address, &body);
}

/// Sends a body of remote write 1.0.
pub(crate) fn write_body(address: SocketAddr, body: &[u8]) {
    let packed = snap::raw::Encoder::new().compress_vec(body).expect("compresses");
    let headers = "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\
                   X-Prometheus-Remote-Write-Version: 0.1.0\r\n";
    let (status, answer) = send(address, "POST", "/api/v1/write", headers, &packed);
    assert_eq!(status / 100, 2, "{status}: {answer}");
}

pub(crate) fn put(out: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    out.push(key);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
