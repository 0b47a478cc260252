//! The same alerting rules over the same data, evaluated by both.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::peer::{Prometheus, Series, ask, send, write};
use super::process::{Daemon, PATIENCE, QUIET};

/// What holds changes while both watch: `b` ends early, `c` comes late, `d` comes and goes.
const RULES: &str = "
groups:
- name: alerts
  interval: 1s
  rules:
  - {alert: Now, expr: 'x > 5', labels: {zone: 'z-{{ $labels.a }}'}}
  - {alert: Soon, expr: 'x > 5', for: 5s, annotations: {text: '{{ $value | humanize }}'}}
  - {alert: Never, expr: 'x > 5', for: 1h}
  - {alert: Kept, expr: 'x > 5', keep_firing_for: 10s}
  - {alert: Same, expr: 'x', labels: {a: ''}}
  - {record: alerts_count, expr: 'count by (alertname, alertstate) (ALERTS)'}
";

/// How long both watch before they are compared.
const WATCHED_S: i64 = 45;

/// For each series of `ALERTS` how many samples it got: evaluations of both fall on other
/// milliseconds of the same seconds.
fn counts(address: std::net::SocketAddr) -> BTreeMap<String, i64> {
    let answer = ask(address, "/api/v1/query", &[("query", "count_over_time(ALERTS[10m])")]);
    let result = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    let one = |series: &Value| {
        let count = series["value"][1].as_str().and_then(|text| text.parse().ok()).unwrap_or(-1);
        (series["metric"].to_string(), count)
    };
    result.iter().map(one).collect()
}

/// The alerting rules as the API shows them, without what depends on the moment.
fn rules(address: std::net::SocketAddr) -> Vec<Value> {
    let (_, body) = send(address, "GET", "/api/v1/rules?type=alert", "", b"");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    let mut rules = answer["data"]["groups"][0]["rules"].as_array().cloned().expect("rules");
    for rule in &mut rules {
        let rule = rule.as_object_mut().expect("an object");
        rule.remove("evaluationTime");
        rule.remove("lastEvaluation");
        let alerts = rule.get_mut("alerts").and_then(Value::as_array_mut).expect("a list");
        for alert in alerts.iter_mut() {
            let alert = alert.as_object_mut().expect("an object");
            assert!(alert.remove("activeAt").is_some_and(|at| at.is_string()));
        }
        alerts.sort_by_key(|alert| alert["labels"].to_string());
    }
    rules
}

#[test]
fn alerts_are_those_of_prometheus() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("rules.yml");
    std::fs::write(&file, RULES).expect("written");
    let config = directory.path().join("config.toml");
    std::fs::write(&config, "[rules]\nfiles = ['rules.yml']\n").expect("written");
    let config = config.to_str().expect("UTF-8");
    let daemon = Daemon::start_with(directory.path(), &["--config", config], &QUIET);
    let prometheus_config = format!("rule_files: ['{}']\n", file.display());
    let prometheus = Prometheus::start(directory.path(), &prometheus_config);

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let begin = now + 3000;
    let series = |a: &str, holds: &dyn Fn(i64) -> bool| -> Series {
        let labels = [("__name__", "x"), ("a", a), ("b", "p")];
        let labels = labels.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
        // Every second, on into the future: both see the same whenever they evaluate.
        let value = |second| if holds(second) { 7.5 } else { 1.0 };
        let samples = (-3..150).map(|s| (begin + s * 1000, value(s)));
        (labels, samples.collect())
    };
    let data = [
        series("a", &|second| second >= 0),
        series("b", &|second| (0..12).contains(&second)),
        series("c", &|second| second >= 20),
        series("d", &|second| (0..3).contains(&second) || (15..18).contains(&second)),
    ];
    write(daemon.address, &data);
    write(prometheus.address, &data);

    let deadline = Instant::now() + Duration::from_secs(WATCHED_S as u64);
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
    }
    let (ours, theirs) = (counts(daemon.address), counts(prometheus.address));
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        theirs.keys().collect::<Vec<_>>(),
        "ours {ours:#?}\ntheirs {theirs:#?}"
    );
    assert!(ours.len() >= 14, "{ours:#?}");
    for (series, count) in &ours {
        // What ended has the same length but for one evaluation at either end; what goes on
        // besides began and was asked at moments of its own.
        let apart = (count - theirs[series]).abs();
        assert!(apart <= 3, "{series}: {count}, in Prometheus {}", theirs[series]);
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (ours, theirs) = (rules(daemon.address), rules(prometheus.address));
        if ours == theirs {
            break;
        }
        assert!(Instant::now() < deadline, "ours {ours:#?}\ntheirs {theirs:#?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
