//! The file is looked through while the daemon runs, and what is damaged is told.

use super::process::{Daemon, log_of};

const SOON: (&str, &str) = ("VEDETTE_STORAGE_SCRUB_INTERVAL", "1s");
const STORAGE: &str = "/api/v1/admin/storage";

#[test]
fn a_scrub_finds_a_byte_that_was_damaged_at_rest() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_with(directory.path(), &[], &[SOON]);
    let window = r#"{"name":"night","starts_at":"2030-01-01T00:00:00Z","ends_at":"2030-01-02T00:00:00Z","matchers":[],"comment":"a text to be found"}"#;
    let (status, made) = daemon.post("/api/v1/maintenance", window);
    assert_eq!(status, 201, "{made}");
    let seen = daemon.wait_for(STORAGE, |answer| !answer["data"]["scrub"].is_null());
    let scrub = &seen["data"]["scrub"];
    assert_eq!(scrub["damaged"], 0, "{scrub}");
    assert!(scrub["values"].as_u64().is_some_and(|values| values > 2), "{scrub}");
    assert_eq!(daemon.stop().0, Some(0));

    let file = directory.path().join("data/vedette.redb");
    let mut bytes = std::fs::read(&file).expect("readable");
    let text = b"a text to be found";
    // Older versions of the page may be in the file too.
    let places: Vec<usize> =
        (0..bytes.len() - text.len()).filter(|at| bytes[*at..].starts_with(text)).collect();
    assert!(!places.is_empty(), "the text is in the file as it is");
    for at in places {
        bytes[at] ^= 1;
    }
    std::fs::write(&file, bytes).expect("written");

    let daemon = Daemon::start_with(directory.path(), &[], &[SOON]);
    daemon.wait_for(STORAGE, |answer| answer["data"]["scrub"]["damaged"] == 1);
    let (_, metrics) = daemon.send("GET", "/metrics", "", "");
    assert!(metrics.contains("\nvedette_scrub_damaged_values 1\n"), "{metrics}");
    let log = std::fs::read_to_string(log_of(directory.path())).expect("a log");
    assert!(log.contains("table watch"), "{log}");
}

#[test]
fn no_scrub_where_none_is_wanted() {
    let directory = tempfile::tempdir().expect("a directory");
    let never = [("VEDETTE_STORAGE_SCRUB_INTERVAL", "0")];
    let daemon = Daemon::start_with(directory.path(), &[], &never);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let (_, storage) = daemon.get(STORAGE);
    assert!(storage["data"]["scrub"].is_null(), "{storage}");
}
