//! blackbox_exporter and our probes ask the same targets.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use vedette::model::Observation;

use super::grpc::health_server;
use super::peer::{NameServer, Process, Site, free_port, serve_tcp};
use super::{probe, refusals};

/// Both sides give up after so long.
const TIMEOUT: Duration = Duration::from_secs(2);

struct Blackbox {
    port: u16,
    _process: Process,
}

impl Blackbox {
    fn start(site: &Site) -> Blackbox {
        let port = free_port();
        let ca = site.certificates.path("ca.pem");
        let ca = ca.display();
        // Durations as text, so that both sides have the same patience.
        let seconds = format!("{}s", TIMEOUT.as_secs());
        let config = format!(
            "modules:
  http: {{prober: http, timeout: {seconds}, http: {{preferred_ip_protocol: ip4, tls_config: {{ca_file: '{ca}'}}}}}}
  http_stay: {{prober: http, timeout: {seconds}, http: {{preferred_ip_protocol: ip4, follow_redirects: false}}}}
  http_any: {{prober: http, timeout: {seconds}, http: {{preferred_ip_protocol: ip4, tls_config: {{insecure_skip_verify: true}}}}}}
  tcp: {{prober: tcp, timeout: {seconds}, tcp: {{preferred_ip_protocol: ip4}}}}
  tcp_banner: {{prober: tcp, timeout: {seconds}, tcp: {{query_response: [{{expect: '^SSH-2.0-'}}]}}}}
  tls: {{prober: tcp, timeout: {seconds}, tcp: {{preferred_ip_protocol: ip4, tls: true, tls_config: {{ca_file: '{ca}'}}}}}}
  tls_any: {{prober: tcp, timeout: {seconds}, tcp: {{tls: true, tls_config: {{insecure_skip_verify: true}}}}}}
  icmp: {{prober: icmp, timeout: {seconds}, icmp: {{preferred_ip_protocol: ip4}}}}
  dns_www: {{prober: dns, timeout: {seconds}, dns: {{query_name: www.example.test, query_type: A, preferred_ip_protocol: ip4}}}}
  dns_nobody: {{prober: dns, timeout: {seconds}, dns: {{query_name: nobody.example.test, query_type: A, preferred_ip_protocol: ip4}}}}
  grpc: {{prober: grpc, timeout: {seconds}, grpc: {{preferred_ip_protocol: ip4}}}}
  grpc_down: {{prober: grpc, timeout: {seconds}, grpc: {{service: down, preferred_ip_protocol: ip4}}}}
  grpc_nobody: {{prober: grpc, timeout: {seconds}, grpc: {{service: nobody, preferred_ip_protocol: ip4}}}}
"
        );
        let file = site.certificates.path("blackbox.yml");
        std::fs::write(&file, config).expect("written");
        let mut command = Command::new("prometheus-blackbox-exporter");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let process = Process::start(command, site.certificates.directory.path(), port);
        Blackbox { port, _process: process }
    }

    /// The metrics of one probe: names without labels, and values.
    async fn ask(&self, module: &str, target: &str) -> impl Fn(&str) -> Option<f64> + use<> {
        let url = reqwest::Url::parse_with_params(
            &format!("http://127.0.0.1:{}/probe", self.port),
            [("module", module), ("target", target)],
        );
        let answer = reqwest::get(url.expect("a URL")).await.expect("blackbox_exporter answers");
        assert_eq!(answer.status(), 200, "{module} {target}");
        let text = answer.text().await.expect("text");
        move |name| {
            let line = text
                .lines()
                .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
            line.and_then(|line| line.rsplit_once(' '))
                .map(|(_, value)| value.parse().expect("a number"))
        }
    }
}

/// What blackbox_exporter calls success, with its defaults: a status of 2xx, NOERROR, serving.
fn succeeded(kind: &str, seen: &Observation) -> bool {
    seen.error.is_none()
        && match kind {
            "http" => seen.status.is_some_and(|status| (200..300).contains(&status)),
            "grpc" => seen.status == Some(1),
            "dns" => seen.dns_rcode.as_deref() == Some("NOERROR"),
            _ => seen.connected,
        }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blackbox_exporter_comes_to_the_same_conclusions() {
    // For the client of the tests; the probes bring their own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let site = Site::start();
    let names = NameServer::start();
    let blackbox = Blackbox::start(&site);
    let health = health_server().await;
    let (_closed, closed) = refusals::closed_port();
    let banner = serve_tcp(b"SSH-2.0-OpenSSH_9\r\n", |_| {});
    let other_banner = serve_tcp(b"220 mail\r\n", |_| {});
    let name_server = format!("127.0.0.1:{}", names.port);
    let trusted = json!({ "tls": site.certificates.trusted() });
    let any = json!({ "tls": { "insecure_skip_verify": true } });
    let expired = format!("https://localhost:{}/ok", site.expired);
    let other = format!("https://localhost:{}/ok", site.other);
    let cases: Vec<(&str, &str, String, Value)> = vec![
        ("http", "http", site.url("/ok"), json!({})),
        ("http", "http", site.url("/status/503"), json!({})),
        ("http", "http", site.url("/status/404"), json!({})),
        ("http", "http", site.url("/hop"), json!({})),
        ("http", "http_stay", site.url("/hop"), json!({ "follow_redirects": false })),
        ("http", "http", site.url("/loop"), json!({})),
        ("http", "http", site.url("/slow"), json!({})),
        ("http", "http", site.url("/packed.txt"), json!({})),
        ("http", "http", format!("http://{closed}/"), json!({})),
        ("http", "http", format!("http://{banner}/"), json!({})),
        ("http", "http", site.secure_url("/ok"), trusted.clone()),
        ("http", "http", site.secure_url("/hop"), trusted.clone()),
        ("http", "http_any", site.secure_url("/status/503"), any.clone()),
        ("http", "http", expired.clone(), trusted.clone()),
        ("http", "http_any", expired, any.clone()),
        ("http", "http", other, trusted.clone()),
        ("tcp", "tcp", banner.clone(), json!({})),
        ("tcp", "tcp", closed.clone(), json!({})),
        ("tcp", "tcp_banner", banner, json!({ "query_response": [{ "expect": "^SSH-2.0-" }] })),
        (
            "tcp",
            "tcp_banner",
            other_banner,
            json!({ "query_response": [{ "expect": "^SSH-2.0-" }] }),
        ),
        ("tls", "tls", format!("localhost:{}", site.https), trusted.clone()),
        ("tls", "tls", format!("localhost:{}", site.expired), trusted.clone()),
        ("tls", "tls_any", format!("localhost:{}", site.expired), any),
        ("icmp", "icmp", "127.0.0.1".to_owned(), json!({})),
        ("dns", "dns_www", name_server.clone(), json!({ "name": "www.example.test" })),
        ("dns", "dns_nobody", name_server, json!({ "name": "nobody.example.test" })),
        ("grpc", "grpc", health.clone(), json!({})),
        ("grpc", "grpc_down", health.clone(), json!({ "service": "down" })),
        ("grpc", "grpc_nobody", health, json!({ "service": "nobody" })),
        ("grpc", "grpc", closed, json!({})),
    ];
    let mut good = 0;
    for (kind, module, target, settings) in &cases {
        let what = format!("{kind} {module} {target}");
        let theirs = blackbox.ask(module, target).await;
        let ours = probe(kind, target, settings.clone()).ask(TIMEOUT).await;
        let success = theirs("probe_success");
        assert_eq!(success, Some(f64::from(succeeded(kind, &ours))), "{what}: {ours:?}");
        good += usize::from(success == Some(1.0));

        // Without an answer it says 0. The answer of the last hop of a loop is none of Go's.
        if *kind == "http" && !target.ends_with("/loop") {
            let status = theirs("probe_http_status_code").expect("always there");
            assert_eq!(status, ours.status.unwrap_or(0) as f64, "{what}");
            let redirects = theirs("probe_http_redirects").expect("always there");
            // It counts the redirect that it was told not to follow; we count those followed.
            let followed = redirects - f64::from(*module == "http_stay");
            assert_eq!(Some(followed), ours.metadata["redirects"].as_f64(), "{what}");
        }
        // It reads the body only of what it likes.
        if *kind == "http" && success == Some(1.0) {
            let version = theirs("probe_http_version").expect("always there");
            assert_eq!(version.to_string(), ours.metadata["http_version"], "{what}");
            let unpacked = theirs("probe_http_uncompressed_body_length").expect("always there");
            assert_eq!(unpacked, ours.body.len() as f64, "{what}");
        }
        // What it does not trust it does not look at; we do.
        let end = theirs("probe_ssl_earliest_cert_expiry").filter(|end| *end != 0.0);
        if let Some(end) = end {
            let ours = ours.certificate_expires_at.expect(&what).millis() as f64 / 1000.0;
            assert_eq!(end, ours, "{what}");
        }
        if *kind == "grpc" {
            let status = theirs("probe_grpc_status_code").expect("always there");
            let refused = ours.error.as_deref().is_some_and(|error| error.contains("NOT_FOUND"));
            assert_eq!(status == 5.0, refused, "{what} {status} {ours:?}");
        }
    }
    assert!(good >= 10 && cases.len() - good >= 10, "{good} of {} are good", cases.len());
}
