//! Whatever arrives, no reader panics, and what is read keeps to the bounds.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::model::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_769_853_600_000);

fn bounds() -> LogBounds {
    LogBounds::new(NOW, 86_400_000, 600)
}

fn hold(line: &LogLine) {
    assert!(line.message.len() <= LINE_BYTES_MAX && line.source.len() <= 256);
    assert!(line.time >= bounds().oldest && line.time <= bounds().newest);
    let metadata = line.metadata.as_json();
    assert!(metadata.is_empty() || serde_json::from_str::<serde_json::Value>(metadata).is_ok());
}

/// Bytes that look like what the readers expect more often than random ones do.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "<34>",
        "<13>1 ",
        "Jan 31 10:00:00 ",
        "2026-01-31T10:00:00Z",
        " - ",
        "[a@1 b=\"",
        "\\\"",
        "\"]",
        "{\"logs\":[",
        "{\"message\":",
        "\"x\"",
        "}",
        "]",
        ",",
        "\n",
        "level=",
        "msg=\"",
        "=",
        "é",
        "\u{feff}",
        "{\"streams\":[{\"stream\":{",
        "\"values\":[[\"1769853600000000000\",\"x\"]]",
        "\0",
        "Feb 29 ",
        "[",
        "E0131 ",
        "{\"__CURSOR\":\"a\"",
        "9999999999999999999",
        "-1",
        "1e400",
        "tag[",
        "]: ",
    ]);
    let bytes = prop::collection::vec(any::<u8>(), 0..8);
    prop::collection::vec(
        prop_oneof![4 => part.prop_map(|text: &str| text.as_bytes().to_vec()), 1 => bytes],
        0..12,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in likely()) {
        let zone = TimeZone::get("Europe/Amsterdam").expect("bundled");
        for by_lines in [false, true] {
            if let Ok(batch) = read_json(&bytes, by_lines, &bounds()) {
                batch.lines.iter().for_each(hold);
            }
            if let Ok(batch) = read_loki(&bytes, by_lines, &bounds()) {
                batch.lines.iter().for_each(hold);
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        for draft in [read_syslog(&bytes, NOW, &zone), read_text(&text, &zone)] {
            if let Some(line) = draft.fit(&bounds()) {
                hold(&line);
            }
        }
        let entry = read_journal(&bytes).ok();
        if let Some(line) = entry.and_then(|entry| entry.draft.fit(&bounds())) {
            hold(&line);
        }
    }

    #[test]
    fn no_random_bytes_make_the_binary_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(batch) = read_loki(&bytes, false, &bounds()) {
            batch.lines.iter().for_each(hold);
        }
    }
}
