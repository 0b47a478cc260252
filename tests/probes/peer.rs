//! Real servers on loopback, ended with the value that stands for them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::PATIENCE;

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("bound").port()
}

/// A process that ends with the test.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a program and waits until `port` takes connections. What it says is in the panic if
    /// it never does.
    pub(crate) fn start(mut command: Command, directory: &Path, port: u16) -> Process {
        let name = command.get_program().to_string_lossy().replace('/', "_");
        let log = directory.join(format!("{name}.log"));
        let out = std::fs::File::create(&log).expect("a log");
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a handle"))
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} is not installed: {error}"));
        let mut process = Process(child);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let over = process.0.try_wait().expect("a child").is_some();
            if over || Instant::now() > deadline {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("{name} does not listen on {port}: {said}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        process
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An authority of our own, and certificates of it.
pub(crate) struct Certificates {
    pub(crate) directory: TempDir,
}

impl Certificates {
    /// `good` is for localhost and its addresses, `expired` ended in 2021, `other` is for another
    /// host. All are made by OpenSSL.
    pub(crate) fn make() -> Certificates {
        let made = Certificates { directory: tempfile::tempdir().expect("a directory") };
        let config = format!(
            "[ca]\ndefault_ca = ours\n[ours]\ndir = {0}\ndatabase = {0}/index\nserial = {0}/serial\n\
             new_certs_dir = {0}\ncertificate = {0}/ca.pem\nprivate_key = {0}/ca.key\n\
             default_md = sha256\npolicy = any\nunique_subject = no\n\
             [any]\ncommonName = supplied\n[req]\ndistinguished_name = dn\n[dn]\n\
             [authority]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = keyCertSign\n\
             [good]\nsubjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1\n\
             [expired]\nsubjectAltName = DNS:localhost,IP:127.0.0.1\n\
             [other]\nsubjectAltName = DNS:other.example\n",
            made.directory.path().display()
        );
        for (name, text) in [("openssl.cnf", config.as_str()), ("index", ""), ("serial", "1000\n")]
        {
            std::fs::write(made.path(name), text).expect("written");
        }
        made.openssl(
            "req -x509 -config openssl.cnf -extensions authority -newkey ec \
             -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=Ours \
             -keyout ca.key -out ca.pem",
        );
        for (name, from, to) in [
            ("good", "20200101000000Z", "20450102030405Z"),
            ("expired", "20200101000000Z", "20210102030405Z"),
            ("other", "20200101000000Z", "20450102030405Z"),
        ] {
            made.openssl(&format!(
                "req -config openssl.cnf -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                 -subj /CN={name}.example -keyout {name}.key -out {name}.csr"
            ));
            made.openssl(&format!(
                "ca -batch -notext -config openssl.cnf -extensions {name} -startdate {from} \
                 -enddate {to} -in {name}.csr -out {name}.pem"
            ));
        }
        made
    }

    fn openssl(&self, arguments: &str) {
        let made = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.directory.path())
            .output()
            .expect("openssl is installed");
        assert!(made.status.success(), "{arguments}: {}", String::from_utf8_lossy(&made.stderr));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The setting `tls` that trusts the authority.
    pub(crate) fn trusted(&self) -> serde_json::Value {
        serde_json::json!({ "ca_file": self.path("ca.pem") })
    }
}

/// 2045-01-02T03:04:05Z, by `date -d … +%s`.
pub(crate) const GOOD_END: i64 = 2_366_939_045_000;
/// 2021-01-02T03:04:05Z.
pub(crate) const EXPIRED_END: i64 = 1_609_556_645_000;

/// nginx, with whatever can go right and wrong.
pub(crate) struct Site {
    pub(crate) certificates: Certificates,
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) expired: u16,
    pub(crate) other: u16,
    _nginx: Process,
}

impl Site {
    pub(crate) fn start() -> Site {
        let certificates = Certificates::make();
        let directory = certificates.directory.path().to_owned();
        let [http, https, expired, other] = [free_port(), free_port(), free_port(), free_port()];
        let files = directory.join("files");
        std::fs::create_dir(&files).expect("a directory");
        std::fs::write(files.join("slow"), vec![b's'; 100_000]).expect("written");
        std::fs::write(files.join("big"), vec![b'b'; 3 << 20]).expect("written");
        std::fs::write(files.join("packed.txt"), "pack me ".repeat(1000)).expect("written");
        // `openssl passwd -apr1 -salt abcdefgh s3cret`
        let password = Command::new("openssl")
            .args(["passwd", "-apr1", "-salt", "abcdefgh", "s3cret"])
            .output()
            .expect("openssl is installed");
        let password = String::from_utf8(password.stdout).expect("text");
        std::fs::write(directory.join("users"), format!("me:{password}")).expect("written");
        let locations = format!(
            r#"
            root {files};
            location = /ok {{ add_header X-Own "a b"; return 200 '{{"up":true}}'; }}
            location /status/503 {{ return 503 "down"; }}
            location /status/404 {{ return 404 "none"; }}
            location /loop {{ return 302 /loop; }}
            location = /hop {{ return 301 /hop2; }}
            location = /hop2 {{ return 307 $scheme://$http_host/ok; }}
            location = /away {{ return 302 ftp://a.example/; }}
            location = /slow {{ limit_rate 1k; }}
            location = /big {{ }}
            location = /packed.txt {{ gzip on; gzip_types *; gzip_min_length 1; }}
            location = /who {{ auth_basic "us"; auth_basic_user_file {dir}/users; return 200 "no"; }}
            location = /private {{ auth_basic "us"; auth_basic_user_file {dir}/users; try_files /big =404; }}
            location = /echo {{ return 200 "$request_method $http_user_agent $http_authorization $http_x_own $server_protocol $http_host"; }}
            "#,
            files = files.display(),
            dir = directory.display(),
        );
        let secure = |port: u16, name: &str| {
            format!(
                "server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {dir}/{name}.pem; \
                 ssl_certificate_key {dir}/{name}.key; ssl_protocols TLSv1.2 TLSv1.3; {locations} }}\n",
                dir = directory.display()
            )
        };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {}/{kind};\n", directory.display()))
            .collect();
        let config = format!(
            "daemon off; master_process off; pid {dir}/pid; error_log stderr; user root;\n\
             events {{ worker_connections 256; }}\nhttp {{ access_log off; {temporary}\n\
             default_type application/json;\n\
             server {{ listen 127.0.0.1:{http}; {locations} }}\n{}{}{} }}\n",
            secure(https, "good"),
            secure(expired, "expired"),
            secure(other, "other"),
            dir = directory.display(),
        );
        let file = directory.join("nginx.conf");
        std::fs::write(&file, config).expect("written");
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-e").arg("stderr").arg("-p").arg(&directory).arg("-c").arg(&file);
        let nginx = Process::start(command, &directory, http);
        Site { certificates, http, https, expired, other, _nginx: nginx }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http)
    }

    pub(crate) fn secure_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.https)
    }
}

/// dnsmasq, which knows `example.test` and nothing else.
pub(crate) struct NameServer {
    pub(crate) port: u16,
    _directory: TempDir,
    _dnsmasq: Process,
}

impl NameServer {
    pub(crate) fn start() -> NameServer {
        let directory = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let mut config = format!(
            "port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\n\
             local=/test/\nhost-record=www.example.test,192.0.2.1,2001:db8::1\n\
             host-record=mail.example.test,192.0.2.25\n\
             mx-host=example.test,mail.example.test,10\n\
             txt-record=example.test,\"v=spf1 \",\"-all\"\ncname=alias.example.test,www.example.test\n\
             srv-host=_sip._tcp.example.test,www.example.test,5060,1,2\n\
             ptr-record=1.2.0.192.in-addr.arpa,www.example.test\n\
             caa-record=example.test,0,issue,ca.example.test\nuser=\nedns-packet-max=1232\n"
        );
        // Together more than the 512 bytes of a datagram without EDNS.
        for number in 0..60 {
            config.push_str(&format!("host-record=many.example.test,192.0.2.{}\n", number + 100));
        }
        let file = directory.path().join("dnsmasq.conf");
        std::fs::write(&file, config).expect("written");
        let mut command = Command::new("/usr/sbin/dnsmasq");
        command.arg("--keep-in-foreground").arg("--log-facility=-");
        command.arg(format!("--conf-file={}", file.display())).arg("--pid-file=");
        let dnsmasq = Process::start(command, directory.path(), port);
        NameServer { port, _directory: directory, _dnsmasq: dnsmasq }
    }
}

/// Accepts connections one after another, says `greeting`, and hands each to `then`.
pub(crate) fn serve_tcp(
    greeting: &'static [u8],
    then: impl Fn(TcpStream) + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if stream.write_all(greeting).is_ok() {
                then(stream);
            }
        }
    });
    address
}

/// Reads until a line break.
pub(crate) fn line_of(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap_or(0) == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).trim_end().to_owned()
}
