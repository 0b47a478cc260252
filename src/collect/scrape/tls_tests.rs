//! TLS towards targets: whom they must be, and who we are.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Answer, Client, Plan, Target};
use crate::config::{Limits, ScrapeConfig, TlsClient};
use crate::trust::client_config;

/// A certificate of its own for `watch.example`, made by OpenSSL.
fn self_signed(dir: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=watch.example"])
        .args(["-addext", "subjectAltName=DNS:watch.example"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(dir.join("key.pem"))
        .arg("-out")
        .arg(dir.join("cert.pem"))
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Serves one sample over TLS on loopback.
async fn serve(dir: &Path) -> (String, tokio::task::JoinHandle<()>) {
    let chain = CertificateDer::pem_file_iter(dir.join("cert.pem"))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(dir.join("key.pem")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they fit");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust us hangs up: that is what is tested.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\na 1\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, task)
}

async fn scrape(address: &str, tls: TlsClient) -> Result<Vec<u8>, String> {
    let config = ScrapeConfig {
        job_name: "j".to_owned(),
        scheme: "https".to_owned(),
        tls,
        ..ScrapeConfig::default()
    };
    let plan = Plan::new(&[config], &Limits::default()).expect("good settings");
    let target = Target::new(&plan.pools[0], address, &BTreeMap::new());
    let target = target.expect("good").expect("kept");
    let mut answer = Answer::default();
    let client = Client::new(&plan.pools[0], true)?;
    client.scrape(&target, &mut answer).await.map(|()| answer.body)
}

#[tokio::test]
async fn a_certificate_is_trusted_by_authority_and_name_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a directory");
    self_signed(dir.path());
    let (address, server) = serve(dir.path()).await;
    let ca_file = Some(dir.path().join("cert.pem"));
    let server_name = Some("watch.example".to_owned());

    let unknown = scrape(&address, TlsClient::default()).await.expect_err("nobody knows it");
    assert!(unknown.contains("certificate"), "{unknown}");
    let named = TlsClient { server_name: server_name.clone(), ..TlsClient::default() };
    assert!(scrape(&address, named).await.is_err(), "a name alone is no trust");
    let other = TlsClient { ca_file: ca_file.clone(), ..TlsClient::default() };
    let other = scrape(&address, other).await.expect_err("it is not for 127.0.0.1");
    assert!(other.contains("certificate"), "{other}");

    let both = TlsClient { ca_file, server_name, ..TlsClient::default() };
    assert_eq!(scrape(&address, both).await, Ok(b"a 1\n".to_vec()));
    let any = TlsClient { insecure_skip_verify: true, ..TlsClient::default() };
    assert_eq!(scrape(&address, any).await, Ok(b"a 1\n".to_vec()));
    server.abort();
}

#[test]
fn a_file_that_is_no_certificate_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, "hello").expect("written");
    let options = TlsClient { ca_file: Some(file), ..TlsClient::default() };
    let error = client_config(&options, true).expect_err("no certificate");
    assert!(error.starts_with("cannot use tls.ca_file") && error.contains("ca.pem"), "{error}");
}
