//! Settings that change while the daemon runs.

use rustix::process::Signal;

use super::process::{Daemon, QUIET, log_of};

#[test]
fn a_reload_takes_up_a_good_file_and_nothing_of_a_bad_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("config.toml");
    std::fs::write(&file, "[query]\nmax_points = 100\n").expect("written");
    let config = ["--config", file.to_str().expect("UTF-8")];
    let daemon = Daemon::start_with(directory.path(), &config, &QUIET);
    let range = "/api/v1/query_range?query=1&start=0&end=500&step=1";
    assert_eq!(daemon.get(range).0, 400);

    std::fs::write(&file, "[query]\nmax_points = 1000\n").expect("written");
    assert_eq!(daemon.get(range).0, 400, "the file was taken up without being asked");
    let (status, answer) = daemon.post("/-/reload", "");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(daemon.get(range).0, 200);

    // The first line is good; it must not be taken up without the second.
    std::fs::write(&file, "[query]\nmax_points = 10\ntimeuot = 5\n").expect("written");
    let (status, answer) = daemon.post("/-/reload", "");
    assert_eq!(status, 400);
    let error = answer["error"].as_str().expect("a text");
    for part in
        ["config.toml:3:1", "query.timeuot", "did you mean `timeout`?", "nothing has changed"]
    {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert_eq!(daemon.get(range).0, 200);
    let (_, info) = daemon.get("/api/v1/status/runtimeinfo");
    assert_eq!(info["data"]["reloadConfigSuccess"], false);
}

#[test]
fn sighup_reloads_and_a_bad_file_is_told_in_the_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("config.toml");
    std::fs::write(&file, "").expect("written");
    let config = ["--config", file.to_str().expect("UTF-8")];
    let daemon = Daemon::start_with(directory.path(), &config, &QUIET);

    std::fs::write(&file, "[collect.own]\ninterval = '7s'\n").expect("written");
    daemon.signal(Signal::HUP);
    daemon.wait_for("/api/v1/status/config", |answer| {
        answer["data"]["yaml"].as_str().is_some_and(|text| text.contains("interval = \"7s\""))
    });

    std::fs::write(&file, "[collect.own]\ninterval = 'often'\n").expect("written");
    daemon.signal(Signal::HUP);
    daemon.wait_for("/api/v1/status/runtimeinfo", |answer| {
        answer["data"]["reloadConfigSuccess"] == false
    });
    let log = std::fs::read_to_string(log_of(directory.path())).expect("readable");
    assert!(log.contains("collect.own.interval"), "{log}");
    let (_, config) = daemon.get("/api/v1/status/config");
    assert!(config["data"]["yaml"].as_str().expect("a text").contains("interval = \"7s\""));
}

#[test]
fn collectors_are_switched_by_a_reload() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("config.toml");
    let off = "[collect.host]\nenabled = false\n[collect.own]\nenabled = false\n";
    std::fs::write(&file, off).expect("written");
    let daemon = Daemon::start(directory.path(), &["--config", file.to_str().expect("UTF-8")]);
    assert!(daemon.query("node_load1").is_empty());
    std::fs::write(&file, off.replacen("false", "true", 1)).expect("written");
    assert_eq!(daemon.post("/-/reload", "").0, 200);
    let path = "/api/v1/query?query=node_load1";
    daemon.wait_for(path, |answer| answer["data"]["result"][0].is_object());
    // Switched off again, the series end at once (staleness markers) and not after five minutes.
    std::fs::write(&file, off).expect("written");
    assert_eq!(daemon.post("/-/reload", "").0, 200);
    daemon.wait_for(path, |answer| answer["data"]["result"] == serde_json::json!([]));
}

#[test]
fn a_target_is_scraped_and_ended_when_its_group_goes() {
    let watched_directory = tempfile::tempdir().expect("a directory");
    let watched = Daemon::start_quiet(watched_directory.path());
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("config.toml");
    let group = format!(
        "[[scrape]]\njob_name = 'other'\nscrape_interval = '1s'\n\
         static_configs = [{{ targets = ['{}'] }}]\n",
        watched.address
    );
    std::fs::write(&file, &group).expect("written");
    let config = ["--config", file.to_str().expect("UTF-8")];
    let daemon = Daemon::start_with(directory.path(), &config, &QUIET);
    let up = "/api/v1/query?query=up";
    let answer = daemon.wait_for(up, |answer| answer["data"]["result"][0]["value"][1] == "1");
    assert_eq!(answer["data"]["result"][0]["metric"]["job"], "other");
    assert!(!daemon.query("vedette_build_info").is_empty());
    let (_, targets) = daemon.get("/api/v1/targets?state=active");
    assert_eq!(targets["data"]["activeTargets"][0]["health"], "up", "{targets}");
    std::fs::write(&file, "").expect("written");
    assert_eq!(daemon.post("/-/reload", "").0, 200);
    daemon.wait_for(up, |answer| answer["data"]["result"] == serde_json::json!([]));
}
