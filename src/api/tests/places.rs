//! Queries that wait for a place.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_finds_no_place_in_time_is_refused_and_the_running_one_goes_on() {
    let mut settings = Settings::default();
    settings.query.concurrency = 1;
    let served = serve(settings);
    let (began, begun) = std::sync::mpsc::channel();
    let (ended, why) = std::sync::mpsc::channel();
    let app = Arc::clone(&served.app);
    let long = asked(&served, Duration::from_secs(600));
    let running =
        tokio::spawn(async move { run(&app, &long, String::new(), endless(began, ended)).await });
    tokio::task::spawn_blocking(move || begun.recv()).await.expect("waits").expect("begun");
    let (status, answer) = get(&served, "/api/v1/query?query=up&timeout=50ms").await;
    assert_eq!((status.as_u16(), &answer["errorType"]), (503, &Value::from("timeout")));
    assert!(why.try_recv().is_err(), "the running query was stopped");
    running.abort();
}
