//! `vedette demo` as a process.

use crate::process::{Daemon, run, text, vedette};

/// Lists that have something in them once the demo is under way.
const LISTS: [&str; 12] = [
    "/api/v1/features",
    "/api/v1/providers",
    "/api/v1/checks",
    "/api/v1/channels",
    "/api/v1/rules",
    "/api/v1/objectives",
    "/api/v1/silences",
    "/api/v1/maintenance",
    "/api/v1/experiments",
    "/api/v1/incidents?status=resolved",
    "/api/v1/incidents?status=acknowledged",
    "/api/v1/logs",
];

#[test]
fn a_demo_shows_everything_goes_on_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().join("place");
    std::fs::create_dir(&place).expect("made");
    let mut command =
        vedette(&["demo", "--listen", "127.0.0.1:0", "--history", "3d", "--seed", "7"]);
    command.env("TMPDIR", &place);
    let daemon = Daemon::begin(directory.path(), command);
    let is_list = |answer: &serde_json::Value| {
        answer["data"].as_array().is_some_and(|list| !list.is_empty())
            || answer["data"]["groups"].as_array().is_some_and(|groups| !groups.is_empty())
    };
    for path in LISTS {
        daemon.wait_for(path, is_list);
    }
    let (_, info) = daemon.get("/api/v1/status/runtimeinfo");
    assert!(info["data"]["notice"].as_str().is_some_and(|text| text.contains("samples")), "{info}");
    // What the rules and checks find is found by the real ones. Of other features enough may fail
    // by chance, and some are silenced.
    let of_checkout = |one: &serde_json::Value| {
        one["source"]["kind"] == "rule" && one["labels"]["feature"] == "checkout"
    };
    let open = daemon.wait_for("/api/v1/incidents?status=open", |answer| {
        let all = answer["data"].as_array().cloned().unwrap_or_default();
        all.iter().any(of_checkout) && all.iter().any(|one| one["source"]["kind"] == "check")
    });
    let open = open["data"].as_array().expect("a list").iter().find(|one| of_checkout(one));
    let number = open.expect("one")["number"].to_string();
    daemon.wait_for(&format!("/api/v1/incidents/{number}/deliveries"), |answer| {
        answer["data"].as_array().is_some_and(|all| all.iter().any(|d| d["state"] == "delivered"))
    });
    let (_, evidence) = daemon.get(&format!("/api/v1/incidents/{number}/evidence"));
    let lines = evidence["data"]["log_lines"].as_array().expect("lines");
    assert!(lines.iter().any(|line| line.as_str().is_some_and(|l| l.contains("declined"))));
    // A day ago there was something, and now there is more of it.
    let count = || {
        let all = daemon.query("sum(count_over_time(vedette_outcomes_total%5B23h%5D))");
        all.first().and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let before = count();
    assert!(before > 1000.0, "{before}");
    let started = std::time::Instant::now();
    while count() <= before {
        assert!(started.elapsed() < crate::process::PATIENCE, "the demo stands still");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let analysis = daemon.get("/api/v1/experiments/one-page-checkout/analysis").1;
    assert!(analysis["data"]["total_samples"].as_u64().is_some_and(|n| n > 100), "{analysis}");
    let (code, _) = daemon.stop();
    assert_eq!(code, Some(0));
    assert_eq!(std::fs::read_dir(&place).expect("readable").count(), 0);
}

#[test]
fn a_demo_stays_on_loopback() {
    let refused = run(&["demo", "--listen", "0.0.0.0:0"]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("only on loopback"), "{}", text(&refused.stderr));
}
