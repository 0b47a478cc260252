//! Exemplars outlive `kill -9`, and go along with a backup and a salvage.

use super::process::{Daemon, run, text};

const QUERY: &str = "/api/v1/query_exemplars?query=jobs_total";

/// Imports a sample with an exemplar of this number; acknowledged when it returns.
fn write(daemon: &Daemon, number: u32) {
    let body = format!(
        "# TYPE jobs counter\njobs_total {number} # {{trace_id=\"t{number}\"}} {number}\n# EOF\n"
    );
    let headers = "Content-Type: application/openmetrics-text; version=1.0.0\r\n";
    let (status, answer) = daemon.send("POST", "/api/v1/import/prometheus", headers, &body);
    assert_eq!(status, 200, "{answer}");
}

fn traces(daemon: &Daemon) -> Vec<String> {
    let (_, answer) = daemon.get(QUERY);
    let exemplars = answer["data"][0]["exemplars"].as_array().cloned().unwrap_or_default();
    exemplars
        .iter()
        .map(|one| one["labels"]["trace_id"].as_str().expect("a text").to_owned())
        .collect()
}

#[test]
fn an_acknowledged_exemplar_survives_kill_nine_a_backup_and_a_salvage() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut expected = Vec::new();
    for number in 1..=4 {
        let daemon = Daemon::start_quiet(directory.path());
        assert_eq!(traces(&daemon), expected, "after {} kills", number - 1);
        write(&daemon, number);
        expected.push(format!("t{number}"));
        daemon.kill();
    }
    let daemon = Daemon::start_quiet(directory.path());
    let copy = tempfile::tempdir().expect("a directory");
    let data = copy.path().join("data");
    std::fs::create_dir(&data).expect("made");
    let target = data.join("vedette.redb");
    let target = target.to_str().expect("UTF-8");
    let held = directory.path().join("data");
    let held = held.to_str().expect("UTF-8");
    let backup = run(&["backup", target, "--data-dir", held, "--url", &daemon.url()]);
    assert!(backup.status.success(), "{}", text(&backup.stderr));
    let verified = run(&["verify", "--data-dir", data.to_str().expect("UTF-8")]);
    assert!(text(&verified.stdout).contains("all intact"), "{}", text(&verified.stderr));
    assert_eq!(traces(&Daemon::start_quiet(copy.path())), expected);

    assert_eq!(daemon.stop().0, Some(0));
    let rescued = tempfile::tempdir().expect("a directory");
    let into = rescued.path().join("data");
    let file = format!("{held}/vedette.redb");
    let salvaged = run(&["salvage", &file, into.to_str().expect("UTF-8")]);
    assert!(salvaged.status.success(), "{}", text(&salvaged.stderr));
    assert_eq!(traces(&Daemon::start_quiet(rescued.path())), expected);
}
