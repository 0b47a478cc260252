//! Rounds over real files, without waiting: the time is an argument.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use super::super::testing::Receiver;
use super::*;

struct Files {
    directory: tempfile::TempDir,
    now: Timestamp,
}

impl Files {
    fn new() -> Self {
        Files {
            directory: tempfile::tempdir().expect("a directory"),
            now: Timestamp::from_millis(1_769_853_600_000),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opens");
        file.write_all(text.as_ref()).expect("written");
    }

    fn settings(&self, pattern: &str) -> LogFile {
        LogFile { path: self.path(pattern).display().to_string(), ..LogFile::default() }
    }

    fn tail(&self, pattern: &str, saved: Option<&str>) -> Tail {
        Tail::new(self.settings(pattern), saved)
    }
}

fn round(tail: &mut Tail, now: Timestamp) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let round = tail.round(now);
        texts.extend(round.texts.into_iter().map(|(_, text)| text));
        if !round.more {
            return texts;
        }
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn the_first_time_only_what_is_added_is_read_and_only_whole_lines() {
    let files = Files::new();
    files.append("a.log", "old\nhalf of ");
    let mut tail = files.tail("*.log", None);
    assert_eq!(round(&mut tail, files.now), NOTHING);
    files.append("a.log", "a line\r\nnext");
    assert_eq!(round(&mut tail, files.now), ["half of a line"]);
    // What comes later is new from its first line on.
    files.append("b.log", "first\n");
    assert_eq!(round(&mut tail, files.now), ["first"]);
    files.append("a.log", b"\n\xff\n");
    assert_eq!(round(&mut tail, files.now), ["next", "\u{fffd}"]);

    let settings = LogFile { from_start: true, ..files.settings("a.log") };
    let mut tail = Tail::new(settings, None);
    assert_eq!(round(&mut tail, files.now)[0], "old");
}

#[test]
fn a_file_that_is_renamed_is_read_to_its_end_and_the_new_one_from_its_beginning() {
    let files = Files::new();
    files.append("a.log", "1\n");
    let mut tail = files.tail("a.log", None);
    round(&mut tail, files.now);
    files.append("a.log", "2\n");
    fs::rename(files.path("a.log"), files.path("a.log.1")).expect("renamed");
    // The program still has the old one open for a moment.
    files.append("a.log.1", "3\nno end");
    files.append("a.log", "4\n");
    let mut lines = round(&mut tail, files.now);
    lines.sort();
    assert_eq!(lines, ["2", "3", "4"]);
    files.append("a.log.1", " yet\n");
    assert_eq!(round(&mut tail, files.now.plus_millis(30_000)), ["no end yet"]);
    files.append("a.log.1", "cut off");
    assert_eq!(round(&mut tail, files.now.plus_millis(80_000)), NOTHING);
    // A minute after its last bytes it is let go.
    assert_eq!(round(&mut tail, files.now.plus_millis(140_000)), ["cut off"]);
    assert_eq!(tail.files.len(), 1);
}

#[test]
fn a_file_that_is_truncated_is_read_from_its_beginning() {
    let files = Files::new();
    files.append("a.log", "1\n2\n3\n");
    let mut tail = files.tail("a.log", None);
    round(&mut tail, files.now);
    fs::write(files.path("a.log"), "4\n").expect("written");
    assert_eq!(round(&mut tail, files.now), ["4"]);
    // Longer than before, but another beginning.
    fs::write(files.path("a.log"), "5\n6\n").expect("written");
    assert_eq!(round(&mut tail, files.now), ["5", "6"]);
}

#[test]
fn after_a_restart_it_goes_on_where_it_was_over_rotation() {
    let files = Files::new();
    files.append("a.log", "1\n");
    let mut tail = files.tail("a.log", None);
    round(&mut tail, files.now);
    files.append("a.log", "2\n");
    assert_eq!(round(&mut tail, files.now), ["2"]);
    let saved = tail.moved().expect("moved");
    assert_eq!(tail.moved(), None);
    assert_eq!(saved.source, source_of(&files.path("a.log").display().to_string()));
    drop(tail);
    // While nobody looked: more lines, a rotation, and a new file.
    files.append("a.log", "3\n");
    fs::rename(files.path("a.log"), files.path("a.log.1")).expect("renamed");
    files.append("a.log", "4\n");
    let mut tail = files.tail("a.log", Some(&saved.at));
    assert_eq!(round(&mut tail, files.now), ["3", "4"]);
    let saved = tail.moved().expect("moved");
    let mut tail = files.tail("a.log", Some(&saved.at));
    assert_eq!(round(&mut tail, files.now), NOTHING);
}

#[test]
fn another_file_with_the_same_number_is_not_taken_for_the_old_one() {
    let files = Files::new();
    files.append("a.log", "1\n");
    let mut tail = files.tail("a.log", None);
    round(&mut tail, files.now);
    let saved = tail.moved().expect("moved");
    // As if the system had given the number of a removed file to a new one.
    fs::write(files.path("a.log"), "new\n").expect("written");
    let mut tail = files.tail("a.log", Some(&saved.at));
    assert_eq!(round(&mut tail, files.now), ["new"]);
    // What was saved cannot be read: as the first time.
    let mut tail = files.tail("a.log", Some("{"));
    assert_eq!(round(&mut tail, files.now), NOTHING);
}

#[test]
fn a_line_that_is_too_long_is_cut_and_the_next_one_is_whole() {
    let files = Files::new();
    files.append("a.log", "1\n");
    let mut tail = files.tail("a.log", None);
    round(&mut tail, files.now);
    files.append("a.log", "x".repeat(3 * READ_BYTES));
    files.append("a.log", "y\nnext\n");
    let lines = round(&mut tail, files.now);
    assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LINE_BYTES_MAX, 4]);
}

#[test]
fn much_is_read_in_rounds_and_nothing_is_left_out() {
    let files = Files::new();
    files.append("a.log", "");
    files.append("b.log", "");
    let mut tail = files.tail("*.log", None);
    round(&mut tail, files.now);
    let line = format!("{}\n", "z".repeat(999));
    files.append("a.log", line.repeat(7000));
    files.append("b.log", line.repeat(10));
    let first = tail.round(files.now);
    assert!(first.more && first.bytes <= ROUND_BYTES_MAX + READ_BYTES);
    assert_eq!(first.texts.len() + round(&mut tail, files.now).len(), 7010);
}

#[tokio::test]
async fn lines_are_handed_over_with_the_place_behind_them() {
    let files = Files::new();
    files.append("a.log", "");
    let mut receiver = Receiver::new("file");
    let settings = LogFile {
        feature: "checkout".to_owned(),
        environment: "e".to_owned(),
        ..files.settings("a.log")
    };
    let running = tokio::spawn(run(receiver.outlet.clone(), settings, None, receiver.stop()));
    // The place of the empty file comes first, without lines.
    let taken = receiver.taken.recv().await.expect("a place");
    assert!(taken.lines.is_empty() && taken.place.is_some());
    files.append("a.log", "ERROR no\n{\"message\":\"m\",\"source\":\"s\"}\n\n");
    let _ = taken.done.send(());
    let (lines, place) = receiver.lines(2).await;
    assert_eq!((lines[0].source.as_str(), lines[1].source.as_str()), ("a.log", "s"));
    assert_eq!((lines[0].feature.as_str(), lines[1].environment.as_str()), ("checkout", "e"));
    assert!(lines[0].metadata.as_json().contains("a.log"));
    let saved: SavedFiles = serde_json::from_str(&place.expect("moved").at).expect("readable");
    let size = fs::metadata(files.path("a.log")).expect("there").len();
    assert_eq!(saved.files[0].offset, size);
    receiver.stop.send_replace(true);
    running.await.expect("ends");
}
