//! The same recording rules over the same data, evaluated by both.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::peer::{Prometheus, Series, ask, write};
use super::process::{Daemon, PATIENCE, QUIET};

const RULES: &str = "
groups:
- name: one
  interval: 1s
  rules:
  - {record: 'a:x:sum', expr: 'sum by (a) (x)', labels: {added: by_rule}}
  - {record: 'a:x:share', expr: 'a:x:sum / on() group_left() sum(x)'}
  - {record: 'x:rate', expr: 'rate(counter[30s])'}
  - {record: 'moved', expr: 'x', labels: {a: '', b: 'other'}}
  - {record: number, expr: '42'}
- {name: two, interval: 1s, rules: [{record: quantiles, expr: 'quantile by (b) (0.9, x)'}]}
";

/// Recorded series with their latest value, sorted.
fn recorded(address: std::net::SocketAddr) -> Vec<(String, String)> {
    let query = "{__name__=~\"a:.*|x:rate|moved|number|quantiles\"}";
    let answer = ask(address, "/api/v1/query", &[("query", query)]);
    let result = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    let one = |series: &Value| {
        let value = series["value"][1].as_str().unwrap_or_default().to_owned();
        (series["metric"].to_string(), value)
    };
    let mut all: Vec<(String, String)> = result.iter().map(one).collect();
    all.sort();
    all
}

#[test]
fn recorded_series_are_those_of_prometheus() {
    let directory = tempfile::tempdir().expect("a directory");
    let rules = directory.path().join("rules.yml");
    std::fs::write(&rules, RULES).expect("written");
    let config = directory.path().join("config.toml");
    std::fs::write(&config, "[rules]\nfiles = ['rules.yml']\n").expect("written");
    let config = config.to_str().expect("UTF-8");
    let daemon = Daemon::start_with(directory.path(), &["--config", config], &QUIET);
    let prometheus_config = format!("rule_files: ['{}']\n", rules.display());
    let prometheus = Prometheus::start(directory.path(), &prometheus_config);

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let series = |name: &str, a: &str, b: &str, value: &dyn Fn(i64) -> f64| -> Series {
        let labels = [("__name__", name), ("a", a), ("b", b)];
        let labels = labels.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
        // On into the future, so that windows are full of the same whenever a side evaluates.
        let samples = (-60..120).map(|s| (now + s * 1000, value(s))).collect();
        (labels, samples)
    };
    let data = [
        series("x", "1", "p", &|_| 3.0),
        series("x", "2", "q", &|_| 4.5),
        series("counter", "1", "p", &|second| 10.0 * (second + 60) as f64),
    ];
    write(daemon.address, &data);
    write(prometheus.address, &data);
    // Two of `x` become one when `a` is taken away and `b` is set: `moved` fails on both sides.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (ours, theirs) = (recorded(daemon.address), recorded(prometheus.address));
        if ours == theirs && ours.len() == 8 {
            break;
        }
        assert!(Instant::now() < deadline, "ours {ours:#?}\ntheirs {theirs:#?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    let health = |address| -> Vec<(String, String, String)> {
        let answer = ask_rules(address);
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        groups
            .iter()
            .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default())
            .map(|rule| {
                let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
                (text("name"), text("health"), text("lastError"))
            })
            .collect()
    };
    assert_eq!(health(daemon.address), health(prometheus.address));
}

fn ask_rules(address: std::net::SocketAddr) -> Value {
    let (_, body) = super::peer::send(address, "GET", "/api/v1/rules", "", b"");
    serde_json::from_str(&body).expect("JSON")
}
