//! The other commands, as a person types them.

use super::process::{Daemon, run, text, vedette};

#[test]
fn check_config_accepts_the_example_and_says_where_a_file_is_wrong() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml.example");
    let good = run(&["check-config", example]);
    assert!(good.status.success(), "{}", text(&good.stderr));
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("bad.toml");
    std::fs::write(&file, "[retention]\nrwa = '15d'\n").expect("written");
    let bad = run(&["check-config", file.to_str().expect("UTF-8")]);
    assert_eq!(bad.status.code(), Some(1));
    let error = text(&bad.stderr);
    assert!(
        error.contains("bad.toml:2:1: unknown key `retention.rwa`; did you mean `raw`?"),
        "{error}"
    );
}

#[test]
fn an_unusable_setting_in_the_environment_keeps_the_daemon_from_starting() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = vedette(&["serve", "--data-dir", directory.path().to_str().expect("UTF-8")])
        .env("VEDETTE_QUERY_TIMEOUT", "soon")
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("VEDETTE_QUERY_TIMEOUT"), "{}", text(&output.stderr));
}

#[test]
fn query_prints_a_table_or_json_and_points_at_a_mistake() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    daemon.post("/api/v1/samples", r#"{"name":"depth","value":42,"labels":{"job":"orders"}}"#);
    let url = daemon.url();
    let table = text(&run(&["query", "depth", "--url", &url]).stdout);
    assert!(table.contains("depth{job=\"orders\"}") && table.contains("42"), "{table}");
    let range = text(&run(&["query", "depth", "--range", "5m", "--url", &url]).stdout);
    assert!(range.contains("depth{job=\"orders\"}"), "{range}");
    let json = text(&run(&["query", "depth", "--json", "--url", &url]).stdout);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["result"][0]["value"][1], "42");
    let mistake = run(&["query", "sum(depth", "--url", &url]);
    assert_eq!(mistake.status.code(), Some(1));
    assert!(text(&mistake.stderr).contains('^'), "{}", text(&mistake.stderr));
    let nobody = run(&["query", "1", "--url", "http://127.0.0.1:1"]);
    assert!(text(&nobody.stderr).contains("is the daemon running?"), "{}", text(&nobody.stderr));
}

#[test]
fn a_backup_taken_while_the_daemon_runs_verifies_and_serves() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    daemon.post("/api/v1/samples", r#"{"name":"kept","value":5}"#);
    let restored = tempfile::tempdir().expect("a directory");
    let data = restored.path().join("data");
    std::fs::create_dir(&data).expect("made");
    let target = data.join("vedette.redb");
    let (held, url) = (directory.path().join("data"), daemon.url());
    let backup = run(&[
        "backup",
        target.to_str().expect("UTF-8"),
        "--data-dir",
        held.to_str().expect("UTF-8"),
        "--url",
        &url,
    ]);
    assert!(backup.status.success(), "{}", text(&backup.stderr));
    let data = data.to_str().expect("UTF-8");
    let verified = run(&["verify", "--data-dir", data]);
    assert!(text(&verified.stdout).contains("all intact"), "{}", text(&verified.stderr));
    assert!(run(&["compact", "--data-dir", data]).status.success());
    let copy = Daemon::start_quiet(restored.path());
    assert_eq!(copy.query("kept"), ["5"]);
}

#[test]
fn salvage_puts_what_is_intact_into_a_new_database() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    for n in 0..50 {
        let body = format!(r#"{{"name":"kept","value":{n},"labels":{{"n":"{n}"}}}}"#);
        assert_eq!(daemon.post("/api/v1/samples", &body).0, 200);
    }
    assert_eq!(daemon.stop().0, Some(0));
    let damaged = directory.path().join("data/vedette.redb");
    let rescued = tempfile::tempdir().expect("a directory");
    let data = rescued.path().join("data");
    let salvaged =
        run(&["salvage", damaged.to_str().expect("UTF-8"), data.to_str().expect("UTF-8")]);
    assert!(salvaged.status.success(), "{}", text(&salvaged.stderr));
    let daemon = Daemon::start_quiet(rescued.path());
    assert_eq!(daemon.query("count(kept)"), ["50"]);
}

#[test]
fn verify_of_nothing_says_so_and_makes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("none");
    let output = run(&["verify", "--data-dir", data.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no"), "{}", text(&output.stderr));
    assert!(!data.exists());
}
