//! Starts the program and speaks to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take before a test gives up; far beyond what it does take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A command of the program, without settings from the environment of whoever runs the tests.
pub(crate) fn vedette(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("VEDETTE_") || name == "STATE_DIRECTORY" || name == "JOURNAL_STREAM" {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    vedette(args).output().expect("the program runs")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running daemon; killed when it goes out of scope.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Daemon {
    /// Starts on a port of the system's choice and waits until it is ready.
    pub(crate) fn start(directory: &Path, args: &[&str]) -> Daemon {
        Self::start_with(directory, args, &[])
    }

    pub(crate) fn start_with(directory: &Path, args: &[&str], env: &[(&str, &str)]) -> Daemon {
        let data = directory.join("data");
        let data = data.to_str().expect("UTF-8");
        let mut command = vedette(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data]);
        command.args(args).envs(env.iter().copied());
        Self::begin(directory, command)
    }

    /// Starts a command that serves, and waits until it is ready. Its log lines go to `directory`.
    pub(crate) fn begin(directory: &Path, mut command: Command) -> Daemon {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log_of(directory))
            .expect("opens");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| {
                let log = std::fs::read_to_string(log_of(directory)).unwrap_or_default();
                panic!("the daemon ended before it was ready: {log}")
            });
            let line = line.expect("readable");
            if let Some((_, address)) = line.split_once("is ready at ") {
                let (_, address) = address.split_once("://").expect("a URL");
                break address.trim().parse().expect("an address");
            }
        };
        // Nobody reads on; a full pipe must not hold the daemon up.
        std::thread::spawn(move || lines.for_each(drop));
        Daemon { child, address }
    }

    /// A daemon that collects nothing by itself.
    pub(crate) fn start_quiet(directory: &Path) -> Daemon {
        Self::start_with(directory, &[], &QUIET)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends a request and gives status and body.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, body.to_owned())
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.send("GET", path, "", "");
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.send("POST", path, "", body);
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// The values of an instant query, as texts.
    pub(crate) fn query(&self, expr: &str) -> Vec<String> {
        let (status, answer) = self.get(&format!("/api/v1/query?query={expr}"));
        assert_eq!(status, 200, "{answer}");
        let result = answer["data"]["result"].as_array().expect("a list").clone();
        result.iter().map(|one| one["value"][1].as_str().expect("a text").to_owned()).collect()
    }

    /// Asks again until `wanted` holds.
    pub(crate) fn wait_for(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (_, answer) = self.get(path);
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path} never became what is expected: {answer}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("signalled");
    }

    /// Ends it as systemd does; gives its exit code and how long that took.
    pub(crate) fn stop(mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        self.signal(Signal::TERM);
        let status = self.child.wait().expect("waited for");
        (status.code(), began.elapsed())
    }

    /// Ends it as a power cut does, but for the disk.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Settings for a daemon that holds no series of its own, and watches nothing unasked.
pub(crate) const QUIET: [(&str, &str); 3] = [
    ("VEDETTE_COLLECT_HOST_ENABLED", "false"),
    ("VEDETTE_COLLECT_OWN_ENABLED", "false"),
    ("VEDETTE_DEFAULTS_ENABLED", "false"),
];

/// Where a daemon's log lines go.
pub(crate) fn log_of(directory: &Path) -> PathBuf {
    directory.join("log")
}
