//! Real servers in directories of their own, on loopback.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;
use vedette::model::Observation;

use super::{PATIENCE, ask};

/// A server that ends with the test.
pub(crate) struct Server {
    child: Child,
    directory: TempDir,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `127.0.0.1:port`
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Asks until the server is there: an answer of any kind that is none of a server that starts.
    pub(crate) async fn ready(&mut self, kind: &str, target: &str, settings: Value) -> Observation {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = ask(kind, target, settings.clone()).await;
            if seen.error.is_none() {
                return seen;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the server ended with {status}: {}", self.log());
            }
            assert!(
                Instant::now() < deadline,
                "{kind} at {target}: {:?}; its log: {}",
                seen.error,
                self.log()
            );
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    // Free a moment ago; the kernel gives it to nobody else so soon.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    listener.local_addr().expect("bound").port()
}

/// Runs something to its end; it must succeed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} is not installed: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// As `user` if we are root: PostgreSQL and MariaDB refuse to run as root.
fn as_user(user: &str, program: &str) -> Command {
    if is_root() {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
        command.arg("--").arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// Gives a directory to `user` if we are root.
fn give(directory: &Path, user: &str) {
    if is_root() {
        run(Command::new("chown").arg("-R").arg(format!("{user}:")).arg(directory));
    }
}

fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), mode).expect("set");
    directory
}

fn spawn(mut command: Command, directory: TempDir, port: u16) -> Server {
    let log = std::fs::File::create(directory.path().join("log")).expect("creates");
    let child = command
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} is not installed: {error}"));
    Server { child, directory, port }
}

/// A certificate for `db.test`, which is its own authority: `cert.pem` and `key.pem`.
pub(crate) fn certificate(directory: &Path) {
    run(Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=db.test", "-addext", "subjectAltName=DNS:db.test"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(directory.join("key.pem"))
        .arg("-out")
        .arg(directory.join("cert.pem")));
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(directory.join("key.pem"), mode).expect("set");
}

/// PostgreSQL with the users `scram`, `old` (md5), `clear` and `trusted`; the password of the
/// first three is `s3cret`. It has TLS.
pub(crate) fn postgres() -> Server {
    const BIN: &str = "/usr/lib/postgresql/15/bin";
    const USER: &str = "postgres";
    let directory = directory();
    let data = directory.path().join("data");
    let port = free_port();
    give(directory.path(), USER);
    run(as_user(USER, &format!("{BIN}/initdb"))
        .current_dir(directory.path())
        .args(["--auth=trust", "--username=postgres", "--no-sync", "-E", "UTF8", "-D"])
        .arg(&data));
    // In single-user mode, so that everything is there when it listens.
    let sql = "SET password_encryption = 'scram-sha-256'; CREATE ROLE scram LOGIN PASSWORD 's3cret';\n\
        SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 's3cret';\n\
        CREATE ROLE clear LOGIN PASSWORD 's3cret';\nCREATE ROLE trusted LOGIN;\n";
    let file = directory.path().join("users.sql");
    std::fs::write(&file, sql).expect("writes");
    let status = as_user(USER, &format!("{BIN}/postgres"))
        .current_dir(directory.path())
        .args(["--single", "-F", "-D"])
        .arg(&data)
        .arg("postgres")
        .stdin(std::fs::File::open(&file).expect("opens"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("runs");
    assert!(status.success(), "the users cannot be made");
    let rules = "host all scram 127.0.0.1/32 scram-sha-256\nhost all old 127.0.0.1/32 md5\n\
        host all clear 127.0.0.1/32 password\nhost all trusted 127.0.0.1/32 trust\n";
    std::fs::write(data.join("pg_hba.conf"), rules).expect("writes");
    certificate(directory.path());
    give(directory.path(), USER);
    let mut command = as_user(USER, &format!("{BIN}/postgres"));
    command.arg("-F").arg("-D").arg(&data).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("unix_socket_directories={}", directory.path().display()),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", directory.path().join("cert.pem").display()),
        format!("ssl_key_file={}", directory.path().join("key.pem").display()),
    ] {
        command.arg("-c").arg(setting);
    }
    spawn(command, directory, port)
}

/// MariaDB with the users `watch` (mysql_native_password, `s3cret`), `open` (no password), `other`
/// (ed25519) and `tls` (which must use TLS), and the database `shop`.
pub(crate) fn mariadb() -> Server {
    const USER: &str = "mysql";
    let directory = directory();
    let data = directory.path().join("data");
    let port = free_port();
    give(directory.path(), USER);
    run(as_user(USER, "mysql_install_db")
        .current_dir(directory.path())
        .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
        .arg(format!("--datadir={}", data.display())));
    let sql = "CREATE DATABASE shop;\n\
        CREATE USER watch@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('s3cret');\n\
        CREATE USER open@'%';\nGRANT SELECT ON shop.* TO watch@'%';\n\
        CREATE USER tls@'%' IDENTIFIED BY 's3cret' REQUIRE SSL;\n\
        INSTALL SONAME 'auth_ed25519';\n\
        CREATE USER other@'%' IDENTIFIED VIA ed25519 USING PASSWORD('s3cret');\n\
        CREATE TABLE shop.orders (id INT PRIMARY KEY, name TEXT, paid DECIMAL(8,2));\n\
        INSERT INTO shop.orders VALUES (7, 'a \"quoted\" name', 12.50), (8, NULL, 0);\n";
    std::fs::write(directory.path().join("users.sql"), sql).expect("writes");
    certificate(directory.path());
    give(directory.path(), USER);
    let mut command = as_user(USER, "mariadbd");
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--socket={}", directory.path().join("socket").display()))
        .arg(format!("--pid-file={}", directory.path().join("pid").display()))
        .arg(format!("--init-file={}", directory.path().join("users.sql").display()))
        .arg(format!("--ssl-cert={}", directory.path().join("cert.pem").display()))
        .arg(format!("--ssl-key={}", directory.path().join("key.pem").display()))
        .args(["--bind-address=127.0.0.1", "--skip-networking=0", "--skip-name-resolve"])
        .args(["--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"])
        .arg(format!("--port={port}"));
    spawn(command, directory, port)
}

/// Redis whose default user has the password `s3cret`, and with the user `watch` (`w4tch`), who
/// may only ping and get. With TLS it listens for nothing else.
pub(crate) fn redis(tls: bool) -> Server {
    let directory = directory();
    let port = free_port();
    let mut config = format!(
        "bind 127.0.0.1\nsave \"\"\nrequirepass s3cret\ndir {}\n\
         user watch on >w4tch ~* -@all +ping +get +select\n",
        directory.path().display()
    );
    if tls {
        certificate(directory.path());
        config += &format!(
            "port 0\ntls-port {port}\ntls-cert-file {0}/cert.pem\ntls-key-file {0}/key.pem\n\
             tls-auth-clients no\n",
            directory.path().display()
        );
    } else {
        config += &format!("port {port}\n");
    }
    let file = directory.path().join("redis.conf");
    std::fs::write(&file, config).expect("writes");
    let mut command = Command::new("redis-server");
    command.arg(&file);
    spawn(command, directory, port)
}

/// sshd with an Ed25519 and an RSA key, and further lines of configuration. Gives the Ed25519
/// key's fingerprint as ssh-keygen prints it.
pub(crate) fn sshd(more: &str) -> (Server, String) {
    let directory = directory();
    let port = free_port();
    let key = |kind: &str| {
        let file = directory.path().join(kind);
        run(Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-f"]).arg(&file));
        file
    };
    let (ed25519, rsa) = (key("ed25519"), key("rsa"));
    let printed = run(Command::new("ssh-keygen").arg("-lf").arg(&ed25519));
    let fingerprint = printed.split(' ').nth(1).expect("a fingerprint").to_owned();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nHostKey {}\nPidFile none\nUsePAM no\n\
         {more}\n",
        ed25519.display(),
        rsa.display()
    );
    let file = directory.path().join("sshd_config");
    std::fs::write(&file, config).expect("writes");
    if is_root() {
        // Where it wants to shut itself in; Debian's service makes it.
        std::fs::create_dir_all("/run/sshd").expect("made");
    }
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(&file);
    (spawn(command, directory, port), fingerprint)
}
