//! Commands of this machine: how they end, and that nothing of them is left.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vedette::model::{CheckKind, Observation};
use vedette::probes::needs_file_origin;

use super::{PATIENCE, ask, probe, refusal};

async fn shell(script: &str) -> Observation {
    ask("exec", "", json!({ "command": ["/bin/sh", "-c", script] })).await
}

/// Whether a process runs. One that has ended and is not waited for runs not.
fn runs(id: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", id.trim()))
        .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}

/// Whether any process, ended or not, has this one as its parent and this word on its line.
fn waits_until_gone(ids: &[String]) {
    let deadline = Instant::now() + PATIENCE;
    while let Some(id) = ids.iter().find(|id| runs(id)) {
        assert!(Instant::now() < deadline, "{id} still runs");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn an_exit_code_is_the_status_and_the_output_the_body() {
    let seen = shell("echo out; echo err >&2; exit 3").await;
    assert_eq!((seen.error.clone(), seen.status, seen.connected), (None, Some(3), true));
    assert_eq!(seen.body, b"out\n");
    assert_eq!(seen.metadata["stderr"], "err\n");
    let words = json!({ "command": ["/bin/echo", "$HOME", "a  b;c"] });
    assert_eq!(ask("exec", "", words).await.body, b"$HOME a  b;c\n", "there is no shell");
}

#[tokio::test]
async fn nagios_codes_and_performance_data_are_read() {
    let script = "echo 'DISK WARNING - 5% free | /=5%;10;5 /var=80%;10;5'; exit 1";
    let settings = json!({ "command": ["/bin/sh", "-c", script], "nagios": true });
    let seen = ask("exec", "", settings).await;
    assert_eq!((seen.status, &seen.metadata["nagios"]), (Some(1), &json!("degraded")));
    assert_eq!((seen.values["ROOT"], seen.values["VAR"]), (5.0, 80.0));
    assert_eq!(
        seen.metadata["output_first_line"].as_str().map(|line| &line[..12]),
        Some("DISK WARNING")
    );
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_all_that_it_started() {
    // A grandchild in the background, which ignores polite signals, and holds the pipe.
    let script = "trap '' TERM; sh -c 'trap \"\" TERM; echo $$; sleep 600' & echo $$; sleep 600";
    let question = probe("exec", "", json!({ "command": ["/bin/sh", "-c", script] }));
    let start = Instant::now();
    let seen = question.ask(Duration::from_secs(3)).await;
    assert!(start.elapsed() < PATIENCE);
    let error = seen.error.expect("it never ends");
    assert!(error.starts_with("timed out after 3 s while /bin/sh to end"), "{error}");
    let ids: Vec<String> =
        String::from_utf8(seen.body).expect("UTF-8").lines().map(str::to_owned).collect();
    assert_eq!(ids.len(), 2, "both said who they are before the deadline: {ids:?}");
    waits_until_gone(&ids);
    // Nothing is left as a zombie of ours either.
    let deadline = Instant::now() + PATIENCE;
    let zombie = |id: &String| {
        std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| {
            stat.contains(") Z ") && stat.contains(&format!(" {} ", std::process::id()))
        })
    };
    while ids.iter().any(zombie) {
        assert!(Instant::now() < deadline, "a zombie stays");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_a_command_leaves_in_the_background_is_ended_with_it() {
    let seen = shell("sleep 600 & echo $!; exit 0").await;
    assert_eq!((seen.error, seen.status), (None, Some(0)));
    waits_until_gone(&[String::from_utf8(seen.body).expect("UTF-8").trim().to_owned()]);
}

#[tokio::test]
async fn a_question_that_is_dropped_kills_its_command() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("id");
    let script = format!("echo $$ > {}; sleep 600", file.display());
    let question = probe("exec", "", json!({ "command": ["/bin/sh", "-c", script] }));
    let asked = tokio::time::timeout(Duration::from_secs(3), question.ask(PATIENCE)).await;
    assert!(asked.is_err());
    waits_until_gone(&[std::fs::read_to_string(file).expect("it began").trim().to_owned()]);
}

#[tokio::test]
async fn a_flood_of_output_is_cut_and_does_not_hold_the_command_up() {
    let seen =
        shell("head -c 20000000 /dev/zero | tr '\\0' 'x'; head -c 1000000 /dev/zero >&2; exit 4")
            .await;
    assert_eq!((seen.error.clone(), seen.status), (None, Some(4)));
    assert_eq!(seen.body.len(), 64 << 10);
    assert_eq!(seen.metadata["output"], "cut at 65536 bytes");
    let question = probe("exec", "", json!({ "command": ["/bin/sh", "-c", "yes"] }));
    let seen = question.ask(Duration::from_secs(2)).await;
    assert!(seen.error.is_some() && seen.body.len() == 64 << 10);
}

#[tokio::test]
async fn a_command_has_its_own_variables_and_directory_and_no_secrets_of_ours() {
    let directory = tempfile::tempdir().expect("a directory");
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "s3cret\n").expect("writes");
    let settings = json!({
        "command": ["/bin/sh", "-c", "pwd; echo $A-$B; echo $B >&2; env | cut -d= -f1 | sort"],
        "directory": directory.path(),
        "env": { "A": "plain", "B": { "file": secret } },
    });
    let seen = ask("exec", "", settings).await;
    assert_eq!(seen.error, None);
    let body = String::from_utf8(seen.body).expect("UTF-8");
    let mut lines = body.lines();
    let real = std::fs::canonicalize(directory.path()).expect("there");
    assert_eq!(lines.next().map(std::path::PathBuf::from), Some(real));
    assert_eq!(lines.next(), Some("plain-<secret>"));
    assert_eq!(seen.metadata["stderr"], "<secret>\n");
    let known = ["A", "B", "HOME", "LANG", "PATH", "TZ", "PWD", "OLDPWD", "SHLVL", "_"];
    assert!(lines.all(|name| known.contains(&name)), "{body}");
}

#[tokio::test]
async fn commands_that_cannot_run_say_why() {
    let error = |settings: Value| async { ask("exec", "", settings).await.error.expect("fails") };
    let missing = error(json!({ "command": ["/no/such/program"] })).await;
    assert!(
        missing.contains("cannot start /no/such/program") && missing.contains("no such program")
    );
    let no_program = error(json!({ "command": ["/etc/passwd"] })).await;
    assert!(no_program.contains("is it executable?"), "{no_program}");
    let nowhere = error(json!({ "command": ["/bin/true"], "directory": "/no/such" })).await;
    assert!(nowhere.contains("settings.directory is no directory"), "{nowhere}");
    let killed = error(json!({ "command": ["/bin/sh", "-c", "kill -9 $$"] })).await;
    assert!(killed.contains("killed by signal 9"), "{killed}");
}

#[test]
fn settings_that_are_no_command_are_refused() {
    for (settings, why) in [
        (json!({}), "command is missing"),
        (json!({ "command": [] }), "it is empty"),
        (json!({ "command": "ls -l" }), "expected a sequence"),
        (json!({ "command": ["ls"], "shell": true }), "unknown field `shell`"),
        (json!({ "command": ["ls"], "env": { "A=B": "c" } }), "no name of a variable"),
    ] {
        let error = refusal("exec", "", settings);
        assert!(error.contains(why), "{error}");
    }
    assert!(refusal("exec", "ls", json!({ "command": ["ls"] })).starts_with("target: "));
}

#[test]
fn only_commands_need_to_come_from_the_file() {
    assert!(needs_file_origin(CheckKind::Exec));
    assert!(!needs_file_origin(CheckKind::Http) && !needs_file_origin(CheckKind::Host));
}
