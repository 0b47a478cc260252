//! A disk that fills up: writes are refused with a reason, reads go on, nothing acknowledged is
//! lost.

use std::path::Path;
use std::process::Command;

use super::process::Daemon;

/// A small file system of its own, unmounted when it goes out of scope.
struct SmallDisk<'p>(&'p Path);

impl<'p> SmallDisk<'p> {
    fn mount(path: &'p Path, size: &str) -> Self {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(path)
            .status()
            .expect("mount runs");
        assert!(status.success(), "this test mounts a small tmpfs: run it as root");
        SmallDisk(path)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Nothing can be done about a failure here.
        let _ = Command::new("umount").args(["-l"]).arg(self.0).status();
    }
}

fn samples(round: u64) -> String {
    let samples: Vec<String> = (0..200)
        .map(|i| {
            // Digits that do not compress, so that the disk fills up soon.
            let value = ((round * 200 + i) as f64).sin();
            format!(
                r#"{{"name":"filler","value":{value},"labels":{{"i":"{i}"}},"at":{}}}"#,
                round * 1000
            )
        })
        .collect();
    format!(r#"{{"samples":[{}]}}"#, samples.join(","))
}

/// Writes until the daemon refuses; gives the rounds that were acknowledged, and the refusal.
fn fill(daemon: &Daemon) -> (u64, u16, String) {
    for round in 0..20_000 {
        let (status, answer) = daemon.post("/api/v1/samples", &samples(round));
        if status != 200 {
            return (round, status, answer.to_string());
        }
    }
    panic!("the disk never filled up");
}

fn stored(daemon: &Daemon) -> f64 {
    daemon.query("sum(count_over_time(filler%5B50y%5D))&time=1000000000")[0]
        .parse()
        .expect("a number")
}

fn start(directory: &Path, free_bytes_min: &str) -> Daemon {
    let env = [
        ("VEDETTE_COLLECT_HOST_ENABLED", "false"),
        ("VEDETTE_COLLECT_OWN_ENABLED", "false"),
        ("VEDETTE_DEFAULTS_ENABLED", "false"),
        ("VEDETTE_RETENTION_RAW", "100y"),
        ("VEDETTE_STORAGE_FREE_BYTES_MIN", free_bytes_min),
    ];
    Daemon::start_with(directory, &[], &env)
}

#[test]
fn below_the_floor_writes_are_refused_by_name_and_reads_go_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let _disk = SmallDisk::mount(directory.path(), "32m");
    let daemon = start(directory.path(), "16MiB");
    let (rounds, status, answer) = fill(&daemon);
    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains("free bytes") && answer.contains("free_bytes_min"), "{answer}");
    assert_eq!(stored(&daemon), rounds as f64 * 200.0);
    assert_eq!(daemon.get("/-/healthy").0, 200);
    daemon.kill();
    assert_eq!(stored(&start(directory.path(), "16MiB")), rounds as f64 * 200.0);
}

#[test]
fn on_a_disk_that_is_really_full_nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let _disk = SmallDisk::mount(directory.path(), "12m");
    // One byte: the floor protects nothing, and commits run into ENOSPC.
    let daemon = start(directory.path(), "1");
    let (rounds, status, answer) = fill(&daemon);
    assert!(status == 500 || status == 503, "{status}: {answer}");
    assert_eq!(daemon.post("/api/v1/samples", &samples(90_000)).0 / 100, 5, "still full");
    let at_least = rounds as f64 * 200.0;
    assert!(stored(&daemon) >= at_least, "reads go on");
    daemon.kill();
    let daemon = start(directory.path(), "1");
    let found = stored(&daemon);
    // A refused write may have become durable, as a whole.
    let extra = (found - at_least) / 200.0;
    assert!(found >= at_least && extra.fract() == 0.0, "{found} of {at_least}");
}
