//! Recording rules in a running daemon.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::process::{Daemon, QUIET};

const RULES: &str = "
groups:
- name: totals
  interval: 1s
  rules:
  - {record: 'zone:depth:sum', expr: 'sum by (zone) (depth)', labels: {from: rule}}
  - {record: 'zone:depth:double', expr: '2 * zone:depth:sum'}
  - {alert: Deep, expr: 'depth > 100', for: 5m, labels: {severity: warning}}
- name: broken
  interval: 1s
  rules:
  - {record: same, expr: depth, labels: {job: one, zone: x}}
";

struct House {
    directory: tempfile::TempDir,
}

impl House {
    fn new(rules: &str) -> House {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("rules")).expect("made");
        let house = House { directory };
        house.write("config.toml", "[rules]\nfiles = ['rules/*.yml']\n");
        house.write("rules/a.yml", rules);
        house
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn start(&self) -> Daemon {
        let config = self.path("config.toml");
        let directory: &Path = self.directory.path();
        Daemon::start_with(directory, &["--config", config.to_str().expect("UTF-8")], &QUIET)
    }
}

fn depths(daemon: &Daemon) {
    for (zone, job, value) in [("a", "one", 1), ("a", "two", 2), ("b", "one", 40)] {
        let body = format!(
            "{{\"name\":\"depth\",\"value\":{value},\"labels\":{{\"zone\":\"{zone}\",\"job\":\"{job}\"}}}}"
        );
        assert_eq!(daemon.post("/api/v1/samples", &body).0, 200);
    }
}

fn instant(expr: &str) -> String {
    format!("/api/v1/query?query={expr}")
}

fn count(answer: &Value) -> usize {
    answer["data"]["result"].as_array().map_or(0, Vec::len)
}

/// The times, in milliseconds, and values that were recorded in the last minute.
fn recorded(daemon: &Daemon, selector: &str) -> Vec<(i64, String)> {
    let (_, answer) = daemon.get(&instant(&format!("{selector}[1m]")));
    let values = answer["data"]["result"][0]["values"].as_array().cloned().unwrap_or_default();
    let one = |pair: &Value| {
        let seconds = pair[0].as_f64().expect("a time");
        ((seconds * 1000.0).round() as i64, pair[1].as_str().expect("a text").to_owned())
    };
    values.iter().map(one).collect()
}

fn rule<'a>(answer: &'a Value, name: &str) -> &'a Value {
    answer["data"]["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"))
        .find(|rule| rule["name"] == name)
        .unwrap_or_else(|| panic!("{name} is not in {answer}"))
}

#[test]
fn rules_record_through_kill_and_reload_and_end_when_they_go() {
    let house = House::new(RULES);
    let daemon = house.start();
    depths(&daemon);
    let double = "zone:depth:double{zone=%22a%22}";
    daemon.wait_for(&instant(&format!("count_over_time({double}[1m])%3E=3")), |a| count(a) == 1);
    let before = recorded(&daemon, double);
    // The first evaluation may have come between two of the samples.
    assert!(before[1..].iter().all(|(_, value)| value == "6"), "{before:?}");
    let phase = before[0].0 % 1000;
    assert!(before.iter().all(|(at, _)| at % 1000 == phase), "not a second apart: {before:?}");
    // The second rule sees what the first one has just written: same time, same series.
    let sums = recorded(&daemon, "zone:depth:sum{zone=%22a%22,from=%22rule%22}");
    assert!(before.iter().all(|(at, _)| sums.iter().any(|(sum_at, _)| sum_at == at)));

    let (status, list) = daemon.get("/api/v1/rules");
    assert_eq!(status, 200);
    let sum = rule(&list, "zone:depth:sum");
    assert_eq!(sum["health"], "ok", "{list}");
    assert_eq!(sum["type"], "recording");
    assert_eq!(sum["query"], "sum by (zone) (depth)");
    assert_eq!(sum["labels"]["from"], "rule");
    let alert = rule(&list, "Deep");
    assert_eq!((&alert["state"], &alert["health"]), (&"inactive".into(), &"ok".into()));
    assert_eq!(alert["duration"], 300.0);
    let answer = daemon.wait_for("/api/v1/rules?rule_name[]=same", |answer| {
        answer["data"]["groups"][0]["rules"][0]["health"] == "err"
    });
    assert_eq!(
        rule(&answer, "same")["lastError"],
        "vector contains metrics with the same labelset after applying rule labels"
    );

    daemon.kill();
    let daemon = house.start();
    depths(&daemon);
    let kept = recorded(&daemon, double);
    assert!(before.iter().all(|sample| kept.contains(sample)), "{before:?} but then {kept:?}");
    let more = format!("count_over_time({double}[1m])%3E={}", kept.len() + 2);
    daemon.wait_for(&instant(&more), |answer| count(answer) == 1);
    let after = recorded(&daemon, double);
    assert!(after.iter().all(|(at, _)| at % 1000 == phase), "the phase moved: {after:?}");

    // A bad file changes nothing and says what is wrong and where.
    house.write("rules/b.yml", "groups:\n- name: g\n  rules:\n  - {record: a, expr: 'sum('}\n");
    let (status, answer) = daemon.post("/-/reload", "");
    assert_eq!(status, 400);
    let error = answer["error"].as_str().expect("a text");
    assert!(
        error.contains("rules/b.yml:4:23: group \"g\", rule 1, \"a\": could not parse"),
        "{error}"
    );
    assert_eq!(rule(&daemon.get("/api/v1/rules").1, "zone:depth:sum")["health"], "ok");

    // A rule that goes ends its series at the next evaluation; the others go on.
    std::fs::remove_file(house.path("rules/b.yml")).expect("removed");
    let fewer: Vec<&str> = RULES.lines().filter(|line| !line.contains("double")).collect();
    house.write("rules/a.yml", &fewer.join("\n"));
    assert_eq!(daemon.post("/-/reload", "").0, 200);
    daemon.wait_for(&instant("zone:depth:double"), |answer| count(answer) == 0);
    assert_eq!(daemon.query("zone:depth:sum").len(), 2);
    // The rule that stayed kept its state: it was not unknown in between.
    assert_eq!(rule(&daemon.get("/api/v1/rules").1, "zone:depth:sum")["health"], "ok");

    // A group that goes ends all of its series at once.
    std::fs::remove_file(house.path("rules/a.yml")).expect("removed");
    assert_eq!(daemon.post("/-/reload", "").0, 200);
    daemon.wait_for(&instant("zone:depth:sum"), |answer| count(answer) == 0);
    let (_, metrics) = daemon.send("GET", "/metrics", "", "");
    assert!(metrics.contains("vedette_rule_groups 0"), "{metrics}");
    assert!(metrics.contains("vedette_rule_evaluation_failures_total{rule_group="), "{metrics}");
}

#[test]
fn a_series_that_leaves_a_result_is_ended() {
    let rules = "
groups:
- name: g
  interval: 1s
  rules:
  - {record: many, expr: 'depth > on() group_left() max(threshold)'}
";
    let house = House::new(rules);
    let daemon = house.start();
    depths(&daemon);
    daemon.post("/api/v1/samples", r#"{"name":"threshold","value":0}"#);
    daemon.wait_for(&instant("many"), |answer| count(answer) == 3);
    std::thread::sleep(std::time::Duration::from_millis(5));
    daemon.post("/api/v1/samples", r#"{"name":"threshold","value":10}"#);
    daemon.wait_for(&instant("many"), |answer| count(answer) == 1);
}

#[test]
fn groups_are_listed_in_pages_and_by_kind() {
    let house = House::new(RULES);
    house.write("rules/b.yml", "groups:\n- name: third\n  rules:\n  - {record: c, expr: '1'}\n");
    let daemon = house.start();
    let names = |answer: &Value| -> Vec<String> {
        let groups = answer["data"]["groups"].as_array().expect("groups");
        groups.iter().map(|group| group["name"].as_str().expect("a name").to_owned()).collect()
    };
    let (_, first) = daemon.get("/api/v1/rules?group_limit=2");
    assert_eq!(names(&first), ["broken", "totals"]);
    let token = first["data"]["groupNextToken"].as_str().expect("a token");
    let path = format!("/api/v1/rules?group_limit=2&group_next_token={token}");
    let (_, second) = daemon.get(&path);
    assert_eq!(names(&second), ["third"]);
    assert!(second["data"]["groupNextToken"].is_null());
    let (_, alerts) = daemon.get("/api/v1/rules?type=alert");
    assert_eq!(names(&alerts), ["totals"]);
    assert_eq!(alerts["data"]["groups"][0]["rules"].as_array().map(Vec::len), Some(1));
    let (_, matched) = daemon.get("/api/v1/rules?match[]={severity=%22warning%22}");
    assert_eq!(names(&matched), ["totals"]);
    assert_eq!(daemon.get("/api/v1/rules?type=other").0, 400);
    assert_eq!(daemon.get("/api/v1/rules?group_next_token=x").0, 400);
}
