//! Keeps the house as `ARCHITECTURE.md` draws it: floors, pure rooms, homes of heavy crates,
//! module docs, file length and names. Every rule is also shown to be able to fail.

use std::fs;
use std::path::Path;

/// The floor of every room. A room may use lower floors and itself.
const FLOORS: &[(&str, u8)] = &[
    ("model", 1),
    ("stats", 1),
    ("trust", 1),
    ("ui", 1),
    ("clock", 2),
    ("config", 2),
    ("store", 2),
    ("promql", 2),
    ("telemetry", 2),
    ("checks", 2),
    ("incidents", 2),
    ("notify", 2),
    ("experiments", 2),
    ("features", 2),
    ("decode", 3),
    ("probes", 3),
    ("senders", 3),
    ("tsdb", 3),
    ("logs", 3),
    ("rules", 3),
    ("collect", 4),
    ("engine", 4),
    ("api", 5),
    ("daemon", 6),
    ("cli", 7),
    ("main", 8),
    ("lib", 8),
];

/// Rooms whose results depend on their arguments alone.
const PURE_ROOMS: &[&str] = &[
    "model",
    "stats",
    "decode",
    "promql",
    "checks",
    "rules",
    "incidents",
    "notify",
    "experiments",
    "features",
];

/// What a pure room does without. The standard library's hash maps are there because they
/// iterate in a random order.
const IMPURE: &[&str] = &[
    "tokio",
    "redb",
    "reqwest",
    "SystemTime",
    "Instant",
    "getrandom",
    "HashMap",
    "HashSet",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
];

/// Where each heavy crate may be named: beginnings of paths below `src/`.
const HOMES: &[(&str, &[&str])] = &[
    ("redb", &["store/"]),
    ("bincode", &["store/records"]),
    ("axum", &["api/"]),
    ("tower_http", &["api/"]),
    ("hyper_util", &["api/listen", "api/live/socket", "probes/"]),
    ("reqwest", &["collect/", "probes/", "senders/", "engine/forward", "cli/"]),
    ("toml", &["config/"]),
    ("saphyr_parser", &["rules/yaml"]),
    ("procfs", &["collect/", "telemetry/"]),
    ("minijinja", &["notify/render/template"]),
    ("lettre", &["senders/"]),
    ("clap", &["cli/"]),
    ("indicatif", &["cli/"]),
    ("comfy_table", &["cli/"]),
    ("sd_notify", &["daemon/systemd"]),
    ("anyhow", &["cli/", "main"]),
    ("x509_parser", &["probes/"]),
    ("hickory_proto", &["probes/"]),
    ("surge_ping", &["probes/"]),
    ("tokio_tungstenite", &["api/live/socket", "probes/"]),
    ("snap", &["decode/", "tsdb/"]),
    ("cron", &["model/cron"]),
    ("hdrhistogram", &["engine/history/", "stats/"]),
    ("statrs", &["stats/"]),
    ("num_bigint", &["stats/"]),
    ("prost", &[]),
];

const LINES_MAX: usize = 500;
const FORBIDDEN_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "misc", "manager"];
/// In parts, so that a search for them finds none here either.
const FORBIDDEN_TEXT: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("#[", "ignore"),
    concat!("db", "g!("),
];

/// A source file: its path below `src/` (or the like), and its text.
struct Source {
    path: String,
    text: String,
    /// Declared under `#[cfg(test)]`, so no part of the product.
    test_only: bool,
}

impl Source {
    /// The room is the first part of the path.
    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or("");
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The code without comments and the contents of texts.
    fn code(&self) -> String {
        blank(&self.text)
    }

    /// The code without its tests: those may use what they like.
    fn product_code(&self) -> String {
        if self.test_only { String::new() } else { without_tests(&self.code()) }
    }
}

fn read_tree(below: &Path, prefix: &str, test_only: bool, files: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(below) else { return };
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    entries.sort();
    // What declares the modules of a folder: its `mod.rs`, or the file beside it.
    let parents = [below.join("mod.rs"), below.with_extension("rs")];
    let parent = parents.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    for path in entries {
        let name = path.file_name().and_then(|n| n.to_str()).expect("UTF-8").to_owned();
        let module = name.trim_end_matches(".rs");
        let test_only = test_only
            || ["", "pub(crate) "]
                .iter()
                .any(|vis| parent.contains(&format!("#[cfg(test)]\n{vis}mod {module};")));
        if path.is_dir() {
            read_tree(&path, &format!("{prefix}{name}/"), test_only, files);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            files.push(Source { path: format!("{prefix}{name}"), text, test_only });
        }
    }
}

/// Replaces comments and the contents of string and character literals by spaces; line breaks
/// stay, so that lines keep their numbers.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let wipe = |out: &mut Vec<u8>, from: usize, to: usize| {
        for byte in &mut out[from..to.min(bytes.len())] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            at + text[at..].find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest[0] == b'"' {
            quoted_end(bytes, at)
        } else if rest[0] == b'r' && !(at > 0 && is_word(bytes[at - 1])) {
            raw_end(text, at)
        } else if rest[0] == b'\'' {
            char_end(bytes, at)
        } else {
            at
        };
        if end > at {
            wipe(&mut out, at, end);
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn quoted_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_end(text: &str, start: usize) -> usize {
    let hashes = text[start + 1..].bytes().take_while(|b| *b == b'#').count();
    let open = start + 1 + hashes;
    if text.as_bytes().get(open) != Some(&b'"') {
        return start;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    text[open + 1..].find(&close).map_or(text.len(), |end| open + 1 + end + close.len())
}

/// The end of a character literal; a lifetime is none.
fn char_end(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start + 1) {
        Some(b'\\') => {
            bytes[start + 3..].iter().position(|b| *b == b'\'').map_or(start, |end| start + 4 + end)
        }
        Some(_) => bytes[start + 1..]
            .iter()
            .take(5)
            .position(|b| *b == b'\'')
            .filter(|length| *length == 1 || bytes[start + 1] >= 0x80)
            .map_or(start, |length| start + length + 2),
        None => start,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Cuts out every `#[cfg(test)]` item with a body.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(start) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..start]);
        let after = &rest[start..];
        let body = after.find('{').filter(|open| after.find(';').is_none_or(|end| *open < end));
        let end = match body {
            Some(open) => {
                let mut depth = 0;
                let close = after[open..].find(|c| {
                    depth += match c {
                        '{' => 1,
                        '}' => -1,
                        _ => 0,
                    };
                    depth == 0 && c == '}'
                });
                close.map_or(after.len(), |close| open + close + 1)
            }
            None => after.find(';').map_or(after.len(), |end| end + 1),
        };
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

/// Places of `word` as a whole word, as line numbers.
fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    code.match_indices(word)
        .filter(|(at, _)| {
            let before = at.checked_sub(1).is_none_or(|b| !is_word(bytes[b]));
            let after = bytes.get(at + word.len()).is_none_or(|b| !is_word(*b));
            before && after
        })
        .map(|(at, _)| code[..at].matches('\n').count() + 1)
        .collect()
}

/// The rooms that code names as `crate::room` or inside `crate::{…}`.
fn rooms_used(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if at > 0 && (is_word(code.as_bytes()[at - 1]) || code.as_bytes()[at - 1] == b'$') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut first = true;
                let mut name = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            found.push((line, std::mem::take(&mut name)));
                            first = true;
                        }
                        c if depth == 0 && first && (c.is_alphanumeric() || c == '_') => {
                            name.push(c)
                        }
                        c if c.is_whitespace() => {}
                        _ => first = false,
                    }
                }
                found.push((line, name));
            }
            None => {
                let name: String =
                    rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                found.push((line, name));
            }
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

fn check_floors(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let Some(floor) = floor_of(file.room()) else {
            faults.push(format!(
                "{}: room {:?} has no floor in tests/tidy.rs",
                file.path,
                file.room()
            ));
            continue;
        };
        for (line, used) in rooms_used(&file.code()) {
            // Items that lib.rs itself offers are not rooms.
            let Some(used_floor) = floor_of(&used) else { continue };
            if used != file.room() && used_floor >= floor {
                faults.push(format!(
                    "{}:{line}: {} (floor {floor}) uses {used} (floor {used_floor})",
                    file.path,
                    file.room()
                ));
            }
        }
    }
    faults
}

fn check_purity(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| PURE_ROOMS.contains(&file.room())) {
        let code = file.product_code();
        for word in IMPURE {
            // hashbrown's map with a fixed hasher is deterministic; its name is the same.
            let own_map = word.starts_with("Hash") && code.contains("hashbrown");
            if !own_map && !lines_with(&code, word).is_empty() {
                faults.push(format!("{}: a pure room names {word}", file.path));
            }
        }
    }
    faults
}

fn check_homes(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let code = file.product_code();
        for (name, homes) in HOMES {
            let named = code.contains(&format!("use {name};"))
                || code.match_indices(&format!("{name}::")).any(|(at, _)| {
                    // `self::snap::` or `crate::toml::` would be a module of ours.
                    at == 0
                        || !(is_word(code.as_bytes()[at - 1]) || code.as_bytes()[at - 1] == b':')
                });
            if named && !homes.iter().any(|home| file.path.starts_with(home)) {
                faults.push(format!("{}: {name} lives in {homes:?}", file.path));
            }
        }
    }
    faults
}

fn check_docs(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        if !file.text.starts_with("//! ") && !file.test_only {
            faults.push(format!("{}: does not begin with a module doc", file.path));
        }
        if file.path.ends_with("/mod.rs") && file.path.matches('/').count() == 1 {
            let doc: Vec<&str> = file
                .text
                .lines()
                .map_while(|line| line.strip_prefix("//!"))
                .map(str::trim)
                .collect();
            let doc = doc.join(" ");
            for part in ["Owns:", "Never:", "Start reading at"] {
                if !doc.contains(part) {
                    faults.push(format!("{}: its doc does not say {part:?}", file.path));
                }
            }
        }
    }
    faults
}

fn check_length(files: &[Source]) -> Vec<String> {
    files
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines} lines, more than {LINES_MAX}", file.path))
        .collect()
}

fn check_names(files: &[Source]) -> Vec<String> {
    files
        .iter()
        .filter(|file| {
            file.path.trim_end_matches(".rs").split('/').any(|part| FORBIDDEN_NAMES.contains(&part))
        })
        .map(|file| format!("{}: a name that says nothing", file.path))
        .collect()
}

fn check_text(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        for word in FORBIDDEN_TEXT {
            if file.text.contains(word) {
                faults.push(format!("{}: contains {word}", file.path));
            }
        }
    }
    faults
}

fn of_repository(folder: &str) -> Vec<Source> {
    let mut files = Vec::new();
    read_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), "", false, &mut files);
    files
}

fn hold(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_room_uses_lower_floors_and_itself_only() {
    let files = of_repository("src");
    assert!(files.len() > 20, "the source tree was not found");
    hold(&check_floors(&files));
}

#[test]
fn pure_rooms_are_pure() {
    hold(&check_purity(&of_repository("src")));
}

#[test]
fn heavy_crates_stay_at_home() {
    hold(&check_homes(&of_repository("src")));
}

#[test]
fn every_room_says_what_it_is() {
    hold(&check_docs(&of_repository("src")));
}

#[test]
fn files_stay_short() {
    hold(&check_length(&of_repository("src")));
}

#[test]
fn names_say_something() {
    hold(&check_names(&of_repository("src")));
    hold(&check_names(&of_repository("tests")));
}

#[test]
fn nothing_is_left_undone() {
    hold(&check_text(&of_repository("src")));
    let mut tests = of_repository("tests");
    tests.retain(|file| file.path != "tidy.rs");
    hold(&check_text(&tests));
    hold(&check_text(&of_repository("benches")));
}

mod every_rule_can_fail {
    use super::*;

    fn file(path: &str, text: &str) -> Vec<Source> {
        vec![Source { path: path.to_owned(), text: text.to_owned(), test_only: false }]
    }

    #[test]
    fn a_use_of_a_higher_floor_is_found_in_every_form() {
        for code in [
            "use crate::api::Gate;",
            "use crate::{model::Labels, engine::Pipeline};",
            "use crate::{\n    model::{Labels, Row},\n    engine,\n};",
            "fn f() { crate::tsdb::open() }",
            "use crate::decode;",
        ] {
            let faults = check_floors(&file("promql/eval.rs", code));
            assert_eq!(faults.len(), 1, "{code}: {faults:?}");
        }
        assert!(!check_floors(&file("config/mod.rs", "use crate::store::Store;")).is_empty());
        assert!(!check_floors(&file("attic/mod.rs", "")).is_empty());
        for code in [
            "use crate::model::Labels;",
            "use crate::promql::Source;",
            "// use crate::api::Gate;",
            "const A: &str = \"crate::api\";",
        ] {
            let faults = check_floors(&file("promql/eval.rs", code));
            assert!(faults.is_empty(), "{code}: {faults:?}");
        }
    }

    #[test]
    fn impurity_is_found_outside_tests() {
        for code in [
            "use std::time::SystemTime;",
            "fn f() { let _ = std::time::Instant::now(); }",
            "use std::collections::HashMap;",
            "async fn f() { tokio::task::yield_now().await }",
        ] {
            assert!(!check_purity(&file("model/x.rs", code)).is_empty(), "{code}");
            assert!(check_purity(&file("api/x.rs", code)).is_empty(), "{code}");
        }
        let tested = "fn f() {}\n#[cfg(test)]\nmod tests {\n use std::time::SystemTime;\n}\n";
        assert!(check_purity(&file("model/x.rs", tested)).is_empty());
        let after = format!("{tested}use std::time::SystemTime;");
        assert!(!check_purity(&file("model/x.rs", &after)).is_empty());
    }

    #[test]
    fn a_crate_away_from_home_is_found() {
        assert!(!check_homes(&file("tsdb/x.rs", "use redb::Database;")).is_empty());
        assert!(!check_homes(&file("store/x.rs", "fn f() { bincode::serialize(&1) }")).is_empty());
        assert!(check_homes(&file("store/x.rs", "use redb::Database;")).is_empty());
        assert!(check_homes(&file("tsdb/x.rs", "use predb::Database;")).is_empty());
    }

    #[test]
    fn a_missing_doc_is_found() {
        assert!(!check_docs(&file("model/x.rs", "use std::fmt;\n")).is_empty());
        assert_eq!(check_docs(&file("model/mod.rs", "//! Types.\n")).len(), 3);
        let whole = "//! Types.\n//!\n//! Owns: a. Never: b. Start reading at c.\n";
        assert!(check_docs(&file("model/mod.rs", whole)).is_empty());
    }

    #[test]
    fn a_long_file_is_found() {
        assert!(!check_length(&file("model/x.rs", &"\n".repeat(LINES_MAX + 1))).is_empty());
        assert!(check_length(&file("model/x.rs", &"\n".repeat(LINES_MAX))).is_empty());
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        for path in ["model/utils.rs", "helpers/mod.rs", "api/common/x.rs"] {
            assert!(!check_names(&file(path, "")).is_empty(), "{path}");
        }
        assert!(check_names(&file("model/labels.rs", "")).is_empty());
    }

    #[test]
    fn unfinished_work_is_found() {
        for text in FORBIDDEN_TEXT {
            assert!(!check_text(&file("x.rs", &format!("// {text}: x"))).is_empty(), "{text}");
        }
        assert!(check_text(&file("x.rs", "// done")).is_empty());
    }

    #[test]
    fn blanking_leaves_code_and_lines_alone() {
        let code = "let a = 'x'; // b\nfn f<'a>(s: &'a str) { \"c\\\"d\"; r#\"e\"f\"#; g }\n";
        let blanked = blank(code);
        assert_eq!(blanked.matches('\n').count(), 2);
        for (word, stays) in [("b", false), ("c", false), ("e", false), ("g", true), ("str", true)]
        {
            assert_eq!(!lines_with(&blanked, word).is_empty(), stays, "{word} in {blanked}");
        }
    }
}
