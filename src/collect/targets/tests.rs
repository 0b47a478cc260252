//! Real requests to a small server of our own, on loopback.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::clock::SystemClock;
use crate::config::{
    Authorization, BasicAuth, ByteSize, Limits, Period, ScrapeConfig, StaticConfig,
};
use crate::model::is_stale_nan;

/// Serves `answer(request head)` to everyone until it is dropped; gives its address.
async fn serve(
    answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    let answer = Arc::new(answer);
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut head = Vec::new();
                let mut chunk = [0; 1024];
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut chunk).await {
                        Ok(n) if n > 0 => head.extend_from_slice(&chunk[..n]),
                        _ => return,
                    }
                }
                let _ = stream.write_all(&answer(&String::from_utf8_lossy(&head))).await;
            });
        }
    });
    (address, task)
}

fn ok(body: &[u8], more: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn config(address: &str) -> ScrapeConfig {
    ScrapeConfig {
        job_name: "j".to_owned(),
        scrape_interval: Period::from_secs(1),
        static_configs: vec![StaticConfig {
            targets: vec![address.to_owned()],
            labels: BTreeMap::new(),
        }],
        ..ScrapeConfig::default()
    }
}

fn plan(configs: &[ScrapeConfig]) -> Plan {
    Plan::new(configs, &Limits::default()).expect("good settings")
}

fn targets() -> (Targets, mpsc::Receiver<Batch>) {
    let (sink, batches) = mpsc::channel(4);
    (Targets::new(sink, Arc::new(SystemClock), Arc::default()), batches)
}

/// The next batch, acknowledged: its rows by metric name.
async fn next(batches: &mut mpsc::Receiver<Batch>) -> BTreeMap<String, f64> {
    let wait = Duration::from_secs(20);
    let batch = tokio::time::timeout(wait, batches.recv()).await.expect("in time").expect("open");
    let _ = batch.done.send(Ok(()));
    let named = |row: &Row| {
        let value = row.value.as_float().expect("a number");
        (row.labels.metric_name().unwrap_or("").to_owned(), value)
    };
    batch.rows.iter().map(named).collect()
}

/// The outcome of one request with these settings.
async fn scrape_once(config: ScrapeConfig) -> Result<Answer, String> {
    let plan = plan(&[config]);
    let pool = &plan.pools[0];
    let address = &pool.config.static_configs[0].targets[0];
    let target = Target::new(pool, address, &BTreeMap::new()).expect("good").expect("kept");
    let client = crate::collect::scrape::Client::new(pool, false).expect("a client");
    let mut answer = Answer::default();
    client.scrape(&target, &mut answer).await.map(|()| answer)
}

use crate::collect::scrape::Answer;

#[tokio::test]
async fn targets_are_scraped_listed_ended_and_stopped() {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let (address, server) = serve(move |_| {
        let n = counted.fetch_add(1, Ordering::SeqCst);
        ok(format!("hits {n}\n").as_bytes(), "")
    })
    .await;
    let (targets, mut batches) = targets();
    targets.reload(plan(&[config(&address)])).await;
    let first = next(&mut batches).await;
    assert_eq!((first["up"], first["hits"]), (1.0, 0.0));
    let second = next(&mut batches).await;
    assert_eq!(second["hits"], 1.0);

    // Nothing changed: the target runs on, and its counter with it.
    targets.reload(plan(&[config(&address)])).await;
    assert_eq!(next(&mut batches).await["scrape_series_added"], 0.0);
    let list = targets.list();
    assert_eq!(list.active.len(), 1);
    let status = &list.active[0];
    assert_eq!(status.health, Health::Up);
    assert_eq!(status.target.url, format!("http://{address}/metrics"));
    assert!(status.last_scrape.is_some() && status.last_error.is_empty());

    // Changed settings: the same target, which shows the same series.
    let mut changed = config(&address);
    changed.sample_limit = 10;
    targets.reload(plan(&[changed])).await;
    let after = next(&mut batches).await;
    assert!(!is_stale_nan(after["hits"]) && after["up"] == 1.0);

    // The group goes: its series end.
    let (ended, ()) = tokio::join!(next(&mut batches), targets.reload(plan(&[])));
    assert!(ended.values().all(|value| is_stale_nan(*value)), "{ended:?}");
    assert!(ended.contains_key("up") && ended.contains_key("hits"));
    assert_eq!(targets.list(), TargetList::default());

    // Stopping ends nothing.
    targets.reload(plan(&[config(&address)])).await;
    next(&mut batches).await;
    targets.stop().await;
    drop(targets);
    while let Some(batch) = batches.recv().await {
        assert!(batch.rows.iter().all(|row| !row.value.as_float().is_some_and(is_stale_nan)));
    }
    server.abort();
}

#[tokio::test]
async fn a_target_that_refuses_is_down_and_a_store_that_refuses_is_told() {
    let (address, server) =
        serve(|_| b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec())
            .await;
    let (targets, mut batches) = targets();
    targets.reload(plan(&[config(&address)])).await;
    assert_eq!(next(&mut batches).await["up"], 0.0);
    let batch = batches.recv().await.expect("open");
    let status = targets.list().active.remove(0);
    assert_eq!(status.health, Health::Down);
    assert!(status.last_error.contains("503"), "{}", status.last_error);
    let _ = batch.done.send(Err("disk full".to_owned()));
    targets.stop().await;
    server.abort();
}

#[tokio::test]
async fn what_is_sent_is_what_prometheus_sends() {
    let (address, server) = serve(|head| ok(head.as_bytes(), "")).await;
    let head = |config: ScrapeConfig| async move {
        let answer = scrape_once(config).await.expect("answered");
        String::from_utf8(answer.body).expect("text").to_lowercase()
    };
    let plain = head(config(&address)).await;
    assert!(plain.starts_with("get /metrics http/1.1\r\n"), "{plain}");
    for line in [
        "\r\naccept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,",
        "\r\naccept-encoding: gzip",
        "\r\nuser-agent: vedette/",
        "\r\nx-prometheus-scrape-timeout-seconds: 1\r\n",
    ] {
        assert!(plain.contains(line), "{line} is missing in {plain}");
    }
    let mut basic = config(&address);
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("password");
    std::fs::write(&file, "open sesame\n").expect("written");
    basic.basic_auth = Some(BasicAuth {
        username: "aladdin".to_owned(),
        password_file: Some(file),
        ..BasicAuth::default()
    });
    basic.headers = BTreeMap::from([("X-Team".to_owned(), "night".to_owned())]);
    let shown = head(basic).await;
    // printf 'aladdin:open sesame' | base64, in lower case.
    assert!(shown.contains("authorization: basic ywxhzgrpbjpvcgvuihnlc2ftzq==\r\n"), "{shown}");
    assert!(shown.contains("x-team: night\r\n"), "{shown}");
    let mut bearer = config(&address);
    bearer.authorization =
        Some(Authorization { credentials: "abc".to_owned(), ..Authorization::default() });
    assert!(head(bearer).await.contains("authorization: bearer abc\r\n"));
    server.abort();
}

#[tokio::test]
async fn a_body_is_inflated_and_capped() {
    let (address, server) = serve(|_| {
        use std::io::Write as _;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&b"a 1\n".repeat(1000)).expect("to memory");
        ok(&gzip.finish().expect("to memory"), "Content-Encoding: gzip\r\n")
    })
    .await;
    assert_eq!(scrape_once(config(&address)).await.expect("answered").body.len(), 4000);
    let mut capped = config(&address);
    capped.body_size_limit = ByteSize::from_bytes(3999);
    let error = scrape_once(capped).await.expect_err("too large");
    assert!(error.contains("3999") && error.contains("body_size_limit"), "{error}");
    server.abort();
}

#[tokio::test]
async fn a_target_that_is_silent_or_absent_is_an_error_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    let mut silent = config(&address);
    silent.scrape_timeout = Some(Period::from_millis(100));
    let error = scrape_once(silent).await.expect_err("silent");
    assert!(error.contains("100ms"), "{error}");
    drop(listener);
    let error = scrape_once(config(&address)).await.expect_err("absent");
    assert!(error.to_lowercase().contains("refused"), "{error}");
}
