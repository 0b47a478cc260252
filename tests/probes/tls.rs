//! `tls` against nginx, OpenSSL and servers that begin without encryption.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use super::peer::{
    Certificates, EXPIRED_END, GOOD_END, Process, Site, free_port, line_of, serve_tcp,
};
use super::{ask, refusal};

#[tokio::test]
async fn a_certificate_is_judged_by_chain_name_and_dates() {
    let site = Site::start();
    let tls = json!({ "tls": site.certificates.trusted() });
    let seen = ask("tls", &format!("localhost:{}", site.https), tls.clone()).await;
    assert_eq!(seen.error, None);
    assert_eq!(seen.certificate_expires_at.map(|at| at.millis()), Some(GOOD_END));
    let phases = seen.phases;
    let sum = phases.dns_us.unwrap_or(0)
        + phases.connect_us.expect("connected")
        + phases.tls_us.expect("encrypted");
    assert!(sum <= phases.total_us && phases.first_byte_us.is_none(), "{phases:?}");

    let seen = ask("tls", &format!("127.0.0.1:{}", site.expired), tls.clone()).await;
    assert!(seen.error.expect("expired").contains("has expired"));
    assert_eq!(seen.certificate_expires_at.map(|at| at.millis()), Some(EXPIRED_END));
    let seen = ask("tls", &format!("127.0.0.1:{}", site.other), tls).await;
    let error = seen.error.expect("another's");
    assert!(error.contains("is not for 127.0.0.1: it is for other.example"), "{error}");
    assert!(seen.connected);
    assert_eq!(seen.certificate_expires_at.map(|at| at.millis()), Some(GOOD_END));
}

#[tokio::test]
async fn the_certificate_of_ours_is_shown_to_who_asks() {
    let certificates = Certificates::make();
    let port = free_port();
    let mut command = Command::new("openssl");
    command.current_dir(certificates.directory.path());
    command.args(["s_server", "-quiet", "-www", "-tls1_2", "-Verify", "1", "-verify_return_error"]);
    command.args(["-cert", "good.pem", "-key", "good.key", "-CAfile", "ca.pem"]);
    command.arg("-accept").arg(format!("127.0.0.1:{port}"));
    let _server = Process::start(command, certificates.directory.path(), port);
    let target = format!("127.0.0.1:{port}");
    let without = ask("tls", &target, json!({ "tls": certificates.trusted() })).await;
    let error = without.error.expect("it wants one");
    assert!(error.contains("want a certificate of ours"), "{error}");
    let with = json!({ "tls": {
        "ca_file": certificates.path("ca.pem"),
        "cert_file": certificates.path("good.pem"),
        "key_file": certificates.path("good.key"),
    } });
    let seen = ask("tls", &target, with).await;
    assert_eq!(seen.error, None);
    assert_eq!(seen.metadata["tls_version"], "TLS 1.2");
    let half = json!({ "tls": { "cert_file": certificates.path("good.pem") } });
    let error = ask("tls", &target, half).await.error.expect("no key");
    assert!(error.contains("only of use together"), "{error}");
}

/// Speaks `lines` (what must come, what is answered), then hands the connection to OpenSSL.
fn starts_tls(
    certificates: &Certificates,
    greeting: &'static [u8],
    lines: &'static [(&'static str, &'static str)],
) -> (String, Process) {
    let port = free_port();
    let mut command = Command::new("openssl");
    command.current_dir(certificates.directory.path());
    command.args(["s_server", "-quiet", "-cert", "good.pem", "-key", "good.key"]);
    command.arg("-accept").arg(format!("127.0.0.1:{port}")).stdin(Stdio::null());
    let server = Process::start(command, certificates.directory.path(), port);
    let address = serve_tcp(greeting, move |mut client| {
        for (wanted, answer) in lines {
            let line = line_of(&mut client);
            if line != *wanted {
                // The probe reports it.
                let _ = write!(client, "500 expected {wanted}, not {line}\r\n");
                return;
            }
            let _ = client.write_all(answer.as_bytes());
        }
        let Ok(mut server) = std::net::TcpStream::connect(("127.0.0.1", port)) else { return };
        let (Ok(mut to_client), Ok(mut from_server)) = (client.try_clone(), server.try_clone())
        else {
            return;
        };
        std::thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
        let _ = std::io::copy(&mut client, &mut server);
    });
    (address, server)
}

#[tokio::test]
async fn encryption_is_asked_for_where_a_protocol_begins_without() {
    let certificates = Certificates::make();
    let talks: [(&str, &'static [u8], &'static [(&str, &str)]); 4] = [
        (
            "smtp",
            b"220-hello\r\n220 there\r\n",
            &[
                ("EHLO vedette", "250-us\r\n250-SIZE\r\n250 STARTTLS\r\n"),
                ("STARTTLS", "220 go\r\n"),
            ],
        ),
        ("imap", b"* OK hi\r\n", &[("a STARTTLS", "* CAPABILITY X\r\na OK go\r\n")]),
        ("pop3", b"+OK hi\r\n", &[("STLS", "+OK go\r\n")]),
        ("ftp", b"220 hi\r\n", &[("AUTH TLS", "234 go\r\n")]),
    ];
    for (protocol, greeting, lines) in talks {
        let (address, _server) = starts_tls(&certificates, greeting, lines);
        let settings = json!({ "starttls": protocol, "tls": certificates.trusted() });
        let seen = ask("tls", &address, settings).await;
        assert_eq!(seen.error, None, "{protocol}");
        assert_eq!(seen.certificate_expires_at.map(|at| at.millis()), Some(GOOD_END));
    }
    let refusing = serve_tcp(b"554 no service\r\n", |_| {});
    let error = ask("tls", &refusing, json!({ "starttls": "smtp" })).await.error;
    let error = error.expect("it says no");
    assert!(error.contains("answered \"554 no service\" instead of 220"), "{error}");
    let error = refusal("tls", "a.example", json!({ "starttls": "gopher" }));
    assert!(error.contains("unknown variant `gopher`"), "{error}");
}
