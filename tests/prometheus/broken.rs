//! Broken queries: the same errors; and how both write whole ones.

use super::differential::{Case, Sides, setting};
use super::peer::ask;
use super::random::Random;

/// What is put into a query to break it.
const PIECES: &[&str] = &[
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    "+",
    "-",
    "==",
    "=~",
    "by",
    "on (job)",
    "bool",
    "offset",
    "5m",
    "@",
    "1",
    "\"text\"",
    "'",
    "up",
    "sum",
    "rate",
    "inf",
    "ignoring",
    "group_left",
    "0x",
    "1e",
    "%",
    "!",
    "=",
    "and",
    "{job=\"api\"}",
    "[5m]",
    "[5m:1m]",
    "start()",
    "by (job)",
    "$",
    "#",
    "-5m",
    "1.5",
    "unless",
    ":",
    "::",
    "without",
    "le",
    "\\",
    "`",
    "é",
    ";",
    "/",
    "^",
    "atan2",
];

/// The words and signs of a query.
fn tokens(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut quoted = false;
    for character in text.chars() {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let continues = quoted
            || out
                .last()
                .and_then(|last| last.chars().last())
                .is_some_and(|last| word(last) && word(character));
        match out.last_mut() {
            Some(last) if continues => last.push(character),
            _ => out.push(character.to_string()),
        }
        quoted ^= character == '"';
    }
    out
}

fn broken(random: &mut Random, text: &str) -> String {
    let mut tokens = tokens(text);
    for _ in 0..1 + random.below(2) {
        if tokens.is_empty() {
            break;
        }
        let place = random.below(tokens.len() as u64) as usize;
        match random.below(5) {
            0 => {
                tokens.remove(place);
            }
            1 => {
                let again = format!(" {} ", tokens[place]);
                tokens.insert(place, again);
            }
            2 => {
                let other = random.below(tokens.len() as u64) as usize;
                tokens.swap(place, other);
            }
            3 => tokens[place] = random.pick(PIECES).to_owned(),
            _ => tokens.insert(place, format!(" {} ", random.pick(PIECES))),
        }
    }
    tokens.concat()
}

#[test]
fn broken_queries_fail_as_in_prometheus() {
    let seed = setting("VEDETTE_DIFFERENTIAL_SEED", 1);
    let count = setting("VEDETTE_DIFFERENTIAL_COUNT", 2000);
    let directory = tempfile::tempdir().expect("a directory");
    let mut random = Random(seed);
    let sides = Sides::start_empty(directory.path());
    let mut failures = Vec::new();
    let mut failed = 0;
    for _ in 0..count {
        let case = sides.case(&mut random);
        // A name that only one side knows would be in the messages.
        let query = case.ours().replace("double_exponential_smoothing", "quantile_over_time");
        let query = broken(&mut random, &query);
        let case = Case::of(&query);
        let (found, theirs) = sides.compare(&case);
        failed += u64::from(theirs["status"] != "success");
        if let Some(found) = found {
            failures.push(format!("{query}\n    {found:?}"));
        }
    }
    let shown = failures.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} differ, seed {seed}:\n{shown}", failures.len());
    assert!(failed > count / 3, "only {failed} of {count} failed");
}

#[test]
fn queries_are_written_as_prometheus_writes_them() {
    let seed = setting("VEDETTE_DIFFERENTIAL_SEED", 1);
    let count = setting("VEDETTE_DIFFERENTIAL_COUNT", 1000);
    let directory = tempfile::tempdir().expect("a directory");
    let mut random = Random(seed);
    let sides = Sides::start_empty(directory.path());
    let mut failures = Vec::new();
    for _ in 0..count {
        let case = sides.case(&mut random);
        // Where lines break depends on how long the names are: none is renamed here.
        let query = case.ours().replace("double_exponential_smoothing", "quantile_over_time");
        let form = [("query", query.as_str())];
        let ours = ask(sides.daemon.address, "/api/v1/format_query", &form);
        let theirs = ask(sides.prometheus.address, "/api/v1/format_query", &form);
        if ours["data"] != theirs["data"] {
            failures.push(format!("{query}\n    ours   {ours}\n    theirs {theirs}"));
        }
    }
    let shown = failures.iter().take(30).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} differ, seed {seed}:\n{shown}", failures.len());
}
