//! The life of experiments in a running process: acts, dates, canaries, guardrails, and what is
//! left of them after `kill -9`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::process::{Daemon, QUIET};

fn experiment(name: &str, more: Value) -> Value {
    let mut whole = json!({
        "name": name,
        "variants": [
            {"name": "control", "traffic_weight": 50, "is_control": true},
            {"name": "other", "traffic_weight": 50, "configuration": {"pages": 1}},
        ],
        "metrics": [{"name": "converted", "estimator": "proportion", "better": "higher"}],
    });
    for (field, value) in more.as_object().expect("an object") {
        whole[field] = value.clone();
    }
    whole
}

fn make(daemon: &Daemon, definition: &Value) {
    let (status, answer) = daemon.post("/api/v1/experiments", &definition.to_string());
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["data"]["status"], "draft", "{answer}");
}

fn act(daemon: &Daemon, name: &str, act: &str, body: &Value) -> Value {
    let (status, answer) =
        daemon.post(&format!("/api/v1/experiments/{name}/{act}"), &body.to_string());
    assert_eq!(status, 200, "{act}: {answer}");
    answer["data"].clone()
}

fn started(daemon: &Daemon, definition: &Value) {
    make(daemon, definition);
    act(daemon, definition["name"].as_str().expect("a name"), "start", &json!({}));
}

fn of(daemon: &Daemon, name: &str) -> Value {
    let (status, answer) = daemon.get(&format!("/api/v1/experiments/{name}"));
    assert_eq!(status, 200, "{answer}");
    answer["data"].clone()
}

fn wait(daemon: &Daemon, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/api/v1/experiments/{name}");
    daemon.wait_for(&path, |answer| wanted(&answer["data"]))["data"].clone()
}

/// What an audit says, oldest first.
fn audit(daemon: &Daemon, name: &str) -> Vec<Value> {
    let (status, answer) = daemon.get(&format!("/api/v1/experiments/{name}/audit"));
    assert_eq!(status, 200, "{answer}");
    let mut entries = answer["data"].as_array().expect("a list").clone();
    entries.reverse();
    let numbers: Vec<u64> = entries.iter().filter_map(|entry| entry["number"].as_u64()).collect();
    assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>(), "none is missing");
    entries
}

fn kinds(daemon: &Daemon, name: &str) -> Vec<String> {
    let kind = |entry: Value| entry["kind"].as_str().expect("a kind").to_owned();
    audit(daemon, name).into_iter().map(kind).collect()
}

fn assign(daemon: &Daemon, name: &str, unit: &str) -> Value {
    let path = format!("/api/v1/experiments/{name}/assign");
    let (status, answer) = daemon.post(&path, &json!({"unit": unit}).to_string());
    assert_eq!(status, 200, "{answer}");
    answer["data"].clone()
}

fn assign_all(daemon: &Daemon, name: &str, units: &[String]) -> BTreeMap<String, String> {
    let path = format!("/api/v1/experiments/{name}/assign");
    let (status, answer) = daemon.post(&path, &json!({"units": units}).to_string());
    assert_eq!(status, 200, "{answer}");
    let list = answer["data"]["assignments"].as_array().expect("a list").clone();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    list.iter().map(|one| (text(&one["unit"]), text(&one["variant"]))).collect()
}

fn quiet(directory: &Path) -> Daemon {
    Daemon::start_quiet(directory)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("fits")
}

#[test]
fn units_keep_their_variants_across_changes_of_weights_and_a_kill() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = quiet(directory.path());
    started(&daemon, &experiment("trial", json!({})));
    let units: Vec<String> = (0..500).map(|n| format!("user-{n}")).collect();
    let first = assign_all(&daemon, "trial", &units);
    let of_other = first.values().filter(|variant| *variant == "other").count();
    // Binomial with n = 500 and p = 0.5: six standard deviations are 67.
    assert!((183..=317).contains(&of_other), "{of_other}");
    wait(&daemon, "trial", |shown| shown["units"] == 500);
    let one = assign(&daemon, "trial", "user-0");
    assert_eq!((&one["in_experiment"], &one["reason"]), (&json!(true), &json!("sticky")), "{one}");
    let weights = json!({"variants": [
        {"name": "control", "traffic_weight": 1, "is_control": true},
        {"name": "other", "traffic_weight": 99, "configuration": {"pages": 1}},
    ]});
    let (status, answer) =
        daemon.send("PATCH", "/api/v1/experiments/trial", "", &weights.to_string());
    assert_eq!(status, 200, "{answer}");
    assert_eq!(of(&daemon, "trial")["epochs"].as_array().expect("a list").len(), 2);
    assert_eq!(kinds(&daemon, "trial"), ["created", "started", "epoch", "changed", "epoch"]);
    daemon.kill();
    let daemon = quiet(directory.path());
    assert_eq!(assign_all(&daemon, "trial", &units), first, "who was exposed keeps it");
    let new: Vec<String> = (0..500).map(|n| format!("new-{n}")).collect();
    let later = assign_all(&daemon, "trial", &new);
    let of_other = later.values().filter(|variant| *variant == "other").count();
    assert!(of_other > 470, "{of_other} of 500 at 99 %");
    let shown = assign(&daemon, "trial", "user-1");
    let expected = if first["user-1"] == "other" { json!({"pages": 1}) } else { Value::Null };
    assert_eq!(shown["configuration"], expected);
}

#[test]
fn illegal_moves_and_changes_are_409_with_the_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = quiet(directory.path());
    make(&daemon, &experiment("trial", json!({})));
    let refused = |path: &str, body: Value, expected: &str| {
        let (status, answer) = daemon.post(path, &body.to_string());
        let error = answer["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!((status, answer["errorType"].as_str()), (409, Some("conflict")), "{answer}");
        assert!(error.contains(expected), "{error}");
    };
    refused("/api/v1/experiments/trial/pause", json!({}), "it is draft");
    refused("/api/v1/experiments/trial/pause", json!({}), "possible now: start, cancel");
    let running = act(&daemon, "trial", "start", &json!({"by": "me", "note": "go"}));
    assert_eq!(running["status"], "running");
    refused("/api/v1/experiments/trial/start", json!({}), "it is running since");
    refused("/api/v1/experiments/trial/step", json!({}), "no canary");
    refused("/api/v1/experiments", experiment("trial", json!({})), "exists");
    let seed = json!({"seed": "another"}).to_string();
    let (status, answer) = daemon.send("PATCH", "/api/v1/experiments/trial", "", &seed);
    assert_eq!(status, 409, "{answer}");
    assert!(answer.contains("seed may not change any more"), "{answer}");
    let (status, answer) = daemon.send("DELETE", "/api/v1/experiments/trial", "", "");
    assert_eq!(status, 409, "{answer}");
    let (status, answer) =
        daemon.post("/api/v1/experiments/trial/complete", r#"{"ship": "third"}"#);
    assert_eq!(status, 400, "{answer}");
    let (status, answer) = daemon.post("/api/v1/experiments/trial/pause", r#"{"ship": "other"}"#);
    assert_eq!(status, 400, "{answer}");
    let over = act(&daemon, "trial", "complete", &json!({"ship": "other"}));
    assert_eq!((&over["status"], &over["shipped"]), (&json!("completed"), &json!("other")));
    let given = assign(&daemon, "trial", "anybody");
    assert_eq!((&given["variant"], &given["in_experiment"]), (&json!("other"), &json!(false)));
    refused("/api/v1/experiments/trial/resume", json!({}), "it is over");
    let entries = audit(&daemon, "trial");
    assert_eq!((&entries[1]["by"], &entries[1]["note"]), (&json!("me"), &json!("go")));
    assert_eq!(entries.last().expect("one")["by"], "local", "the caller, unless it says");
    let (status, answer) = daemon.post("/api/v1/experiments/nothing/start", "{}");
    assert_eq!(status, 404, "{answer}");
    let bad = experiment("broken", json!({"targeting": {"country": {"$near": 1}}}));
    let (status, answer) = daemon.post("/api/v1/experiments", &bad.to_string());
    assert_eq!(status, 400, "{answer}");
    assert!(answer["error"].as_str().unwrap_or_default().starts_with("targeting: \"country\""));
}

#[test]
fn every_act_that_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut daemon = quiet(directory.path());
    make(&daemon, &experiment("trial", json!({"kind": "blue_green"})));
    let mut expected = vec!["created"];
    for (what, said, status) in [
        ("start", &["started", "epoch"][..], "running"),
        ("switch", &["switched", "epoch"], "running"),
        ("pause", &["paused"], "paused"),
        ("switch", &["switched", "epoch"], "paused"),
        ("resume", &["resumed"], "running"),
        ("complete", &["completed"], "completed"),
    ] {
        act(&daemon, "trial", what, &json!({}));
        daemon.kill();
        daemon = quiet(directory.path());
        expected.extend(said);
        assert_eq!(of(&daemon, "trial")["status"], status, "after {what}");
        assert_eq!(kinds(&daemon, "trial"), expected, "after {what}");
    }
}

#[test]
fn blue_and_green_are_switched_for_everybody_and_back_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = quiet(directory.path());
    started(&daemon, &experiment("deploy", json!({"kind": "blue_green"})));
    let variant = |unit: &str| assign(&daemon, "deploy", unit)["variant"].clone();
    assert_eq!(variant("a"), "control");
    let green = act(&daemon, "deploy", "switch", &json!({}));
    assert_eq!(green["live"], "other");
    assert_eq!((variant("a"), variant("b")), (json!("other"), json!("other")));
    act(&daemon, "deploy", "switch", &json!({"to": "control"}));
    assert_eq!((variant("a"), variant("b")), (json!("control"), json!("control")));
    let (status, answer) = daemon.post("/api/v1/experiments/deploy/switch", r#"{"to": "control"}"#);
    assert_eq!(status, 409, "{answer}");
}

#[test]
fn dates_start_and_end_an_experiment() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = quiet(directory.path());
    let dates = json!({"start_at": now_ms() + 1_500, "end_at": now_ms() + 4_000});
    make(&daemon, &experiment("trial", dates));
    let running = wait(&daemon, "trial", |shown| shown["status"] == "running");
    assert!(running["started_at"].is_string());
    wait(&daemon, "trial", |shown| shown["status"] == "completed");
    let entries = audit(&daemon, "trial");
    assert_eq!(kinds(&daemon, "trial"), ["created", "started", "epoch", "completed"]);
    assert_eq!((&entries[1]["by"], &entries[1]["note"]), (&json!("vedette"), &json!("start_at")));
    assert_eq!(assign(&daemon, "trial", "a")["reason"], "ended");
}

#[test]
fn a_canary_steps_by_itself_and_waits_while_its_guardrail_is_in_doubt() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = quiet(directory.path());
    let steps =
        json!([{"traffic": 5, "hold": "1s"}, {"traffic": 50, "hold": "1s"}, {"traffic": 100}]);
    started(&daemon, &experiment("free", json!({"kind": "canary", "steps": steps})));
    let guarded = json!({"kind": "canary", "steps": steps, "metrics": [
        {"name": "converted", "estimator": "proportion", "better": "higher"},
        {"name": "latency_ms", "better": "lower", "role": "guardrail", "margin": 5},
    ]});
    started(&daemon, &experiment("guarded", guarded));
    wait(&daemon, "free", |shown| shown["step"] == 2);
    let said = ["created", "started", "epoch", "stepped", "epoch", "stepped", "epoch"];
    assert_eq!(kinds(&daemon, "free"), said);
    // Nothing is known of its latency: it may be anything.
    let held = wait(&daemon, "guarded", |shown| shown["held_at"].is_string());
    assert_eq!(held["step"], 0, "{held}");
    assert!(held["held_because"].as_str().unwrap_or_default().contains("latency_ms"), "{held}");
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(kinds(&daemon, "guarded"), ["created", "started", "epoch", "held"], "said once");
    let stepped = act(&daemon, "guarded", "step", &json!({"note": "it is fine"}));
    assert_eq!((&stepped["step"], &stepped["held_at"]), (&json!(1), &Value::Null));
}

fn sample(daemon: &Daemon, name: &str, labels: &Value, value: f64) {
    let body = json!({"samples": [{"name": name, "labels": labels, "value": value}]});
    let (status, answer) = daemon.post("/api/v1/samples", &body.to_string());
    assert_eq!(status, 200, "{answer}");
}

fn rule(daemon: &Daemon) {
    let rule = json!({
        "name": "variant-errors", "expr": "variant_error_rate > 0.1", "interval": 1,
        "severity": "critical",
    });
    let (status, answer) = daemon.post("/api/v1/rules", &rule.to_string());
    assert_eq!(status, 201, "{answer}");
}

fn incidents(daemon: &Daemon, status: &str) -> Vec<Value> {
    let (code, answer) =
        daemon.get(&format!("/api/v1/incidents?source=experiment&status={status}"));
    assert_eq!(code, 200, "{answer}");
    answer["data"].as_array().expect("a list").clone()
}

#[test]
fn an_alert_of_a_variant_rolls_the_experiment_back_and_an_incident_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = quiet(directory.path());
    rule(&daemon);
    let guardrails = json!({"guardrails": [{"rule": "variant-errors", "action": "rollback"}]});
    started(&daemon, &experiment("trial", guardrails.clone()));
    started(&daemon, &experiment("bystander", guardrails));
    assert_eq!(assign(&daemon, "trial", "a")["in_experiment"], true);
    let labels = json!({"experiment": "trial", "variant": "other"});
    sample(&daemon, "variant_error_rate", &labels, 0.5);
    let back = wait(&daemon, "trial", |shown| shown["status"] == "completed");
    assert_eq!((&back["rolled_back"], &back["shipped"]), (&json!(true), &json!("control")));
    let kinds = kinds(&daemon, "trial");
    assert_eq!(kinds, ["created", "started", "epoch", "breached", "rolled_back"]);
    let entries = audit(&daemon, "trial");
    let why = entries[4]["note"].as_str().unwrap_or_default();
    assert!(why.starts_with("guardrail rule variant-errors: incident "), "{why}");
    // Within one evaluation of a second, however slow this machine: both are committed moments
    // apart, which is what the times of the incident and of the audit say.
    let given = assign(&daemon, "trial", "a");
    assert_eq!((&given["variant"], &given["reason"]), (&json!("control"), &json!("rolled_back")));
    let open = incidents(&daemon, "open");
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0]["labels"]["experiment"], "trial", "{open:?}");
    assert_eq!(open[0]["labels"]["variant"], "other");
    let id = open[0]["id"].as_str().expect("an id").to_owned();
    let (_, evidence) = daemon.get(&format!("/api/v1/incidents/{id}/evidence"));
    assert!(evidence.to_string().contains("variant_error_rate"), "{evidence}");
    assert_eq!(of(&daemon, "bystander")["status"], "running", "the alert is not about it");
    daemon.kill();
    let daemon = quiet(directory.path());
    assert_eq!(of(&daemon, "trial")["rolled_back"], true);
    assert_eq!(incidents(&daemon, "open").len(), 1);
    assert_eq!(audit(&daemon, "trial").len(), 5, "nothing is done twice");
}

#[test]
fn a_paused_experiment_goes_on_when_a_person_accepts_the_breach_and_its_incident_ends() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = quiet(directory.path());
    rule(&daemon);
    started(&daemon, &experiment("trial", json!({"guardrails": [{"rule": "variant-errors"}]})));
    let labels = json!({"experiment": "trial", "variant": "other"});
    sample(&daemon, "variant_error_rate", &labels, 0.5);
    let paused = wait(&daemon, "trial", |shown| shown["status"] == "paused");
    assert_eq!(paused["breaches"][0]["guardrail"], "rule variant-errors");
    assert_eq!(incidents(&daemon, "open").len(), 1);
    assert_eq!(assign(&daemon, "trial", "new")["reason"], "paused");
    act(&daemon, "trial", "resume", &json!({"by": "me", "note": "known"}));
    daemon.wait_for("/api/v1/incidents?source=experiment&status=resolved", |answer| {
        answer["data"].as_array().is_some_and(|list| list.len() == 1)
    });
    daemon.kill();
    let daemon = quiet(directory.path());
    std::thread::sleep(Duration::from_millis(2_500));
    let shown = of(&daemon, "trial");
    assert_eq!(shown["status"], "running", "the same firing stops nothing twice: {shown}");
}

#[test]
fn a_removed_experiment_leaves_nothing_to_the_next_one_of_its_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = quiet(directory.path());
    started(&daemon, &experiment("trial", json!({})));
    assert_eq!(assign(&daemon, "trial", "a")["in_experiment"], true);
    wait(&daemon, "trial", |shown| shown["units"] == 1);
    act(&daemon, "trial", "cancel", &json!({}));
    let (status, answer) = daemon.send("DELETE", "/api/v1/experiments/trial", "", "");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(daemon.get("/api/v1/experiments/trial").0, 404);
    assert_eq!(daemon.get("/api/v1/experiments/trial/analysis").0, 404);
    make(&daemon, &experiment("trial", json!({})));
    let again = of(&daemon, "trial");
    assert_eq!((&again["number"], &again["units"]), (&json!(2), &json!(0)), "{again}");
    assert_eq!(kinds(&daemon, "trial"), ["created"]);
    daemon.kill();
    let daemon = quiet(directory.path());
    assert_eq!(of(&daemon, "trial")["number"], 2);
}

#[test]
fn an_experiment_of_the_settings_file_keeps_what_may_not_change_while_it_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("config.toml");
    let written = |seed: &str, weight: u32| {
        let text = format!(
            "[[experiment]]\nname = \"trial\"\nseed = \"{seed}\"\n\
             [[experiment.variants]]\nname = \"control\"\nis_control = true\ntraffic_weight = 50\n\
             [[experiment.variants]]\nname = \"other\"\ntraffic_weight = {weight}\n\
             [[experiment.metrics]]\nname = \"converted\"\nestimator = \"proportion\"\n\
             better = \"higher\"\n"
        );
        std::fs::write(&file, text).expect("written");
    };
    written("one", 50);
    let path = file.to_str().expect("UTF-8");
    let daemon = Daemon::start_with(directory.path(), &["--config", path], &QUIET);
    act(&daemon, "trial", "start", &json!({}));
    let reload = |daemon: &Daemon| {
        let (status, answer) = daemon.post("/-/reload", "");
        assert_eq!(status, 200, "{answer}");
    };
    written("one", 70);
    reload(&daemon);
    wait(&daemon, "trial", |shown| shown["epochs"].as_array().is_some_and(|all| all.len() == 2));
    written("another", 70);
    reload(&daemon);
    let shown = wait(&daemon, "trial", |shown| shown["not_in_force"].is_string());
    assert!(shown["not_in_force"].as_str().unwrap_or_default().contains("seed"), "{shown}");
    daemon.kill();
    // Whoever was told something by the first seed is told the same after the restart.
    let daemon = Daemon::start_with(directory.path(), &["--config", path], &QUIET);
    let shown = wait(&daemon, "trial", |shown| shown["not_in_force"].is_string());
    assert_eq!((&shown["status"], &shown["origin"]), (&json!("running"), &json!("file")));
    let (status, _) = daemon.send("DELETE", "/api/v1/experiments/trial", "", "");
    assert_eq!(status, 409);
}
