//! How bad a line of text is, where nothing says so but the text.

use crate::model::LogLevel;

/// Words at the beginning that are looked at: behind a time, a host, a thread and a name comes the
/// level or it does not come.
const WORDS_MAX: usize = 6;

/// The level that a line of text names near its beginning: as a word in capitals (`ERROR`), in
/// brackets (`[error]`, `<warn>`), before a colon (`warning: …`), or as klog's first letter with
/// month and day (`E0131 10:00:00`). A word in running text (`no error found`) is none.
pub fn level_in_text(line: &str) -> Option<LogLevel> {
    if let Some(level) = klog(line) {
        return Some(level);
    }
    line.split_whitespace().take(WORDS_MAX).find_map(of_word)
}

fn of_word(word: &str) -> Option<LogLevel> {
    // The longest name has 13 letters.
    if word.len() > 24 || !word.is_ascii() {
        return None;
    }
    let bare = word.trim_matches(['[', ']', '<', '>', '(', ')', '|', ':', ',', ';', '-', '*']);
    if bare.len() < 3 {
        return None;
    }
    let marked = word.ends_with(':')
        || (word.starts_with(['[', '<', '(', '|']) && word.ends_with([']', '>', ')', '|']));
    let capitals = bare.bytes().all(|byte| byte.is_ascii_uppercase());
    if marked || capitals { bare.parse().ok() } else { None }
}

/// `E0131 10:00:00.123456`: the header of klog and glog.
fn klog(line: &str) -> Option<LogLevel> {
    let [letter, date @ ..] = line.as_bytes().get(..6)? else { return None };
    let is_date = date[..4].iter().all(u8::is_ascii_digit) && date[4] == b' ';
    if !is_date {
        return None;
    }
    match letter {
        b'I' => Some(LogLevel::Info),
        b'W' => Some(LogLevel::Warn),
        b'E' => Some(LogLevel::Error),
        b'F' => Some(LogLevel::Fatal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_found_where_loggers_write_them() {
        for (line, level) in [
            ("ERROR cannot connect", Some(LogLevel::Error)),
            ("2026-01-31 10:00:00,123 WARN [main] slow", Some(LogLevel::Warn)),
            ("2026/01/31 10:00:00 [error] 7#7: *1 open() failed", Some(LogLevel::Error)),
            ("[2026-01-31T10:00:00Z INFO  app] up", Some(LogLevel::Info)),
            ("warning: unused variable", Some(LogLevel::Warn)),
            ("<debug> x", Some(LogLevel::Debug)),
            ("E0131 10:00:00.000001 7 a.go:1] x", Some(LogLevel::Error)),
            ("2026-01-31 10:00:00.000 CET [7] LOG:  checkpoint", None),
            ("2026-01-31 10:00:00.000 CET [7] FATAL:  no", Some(LogLevel::Fatal)),
            ("no error found, all info is here", None),
            ("GET /ERROR 200", None),
            ("", None),
        ] {
            assert_eq!(level_in_text(line), level, "{line}");
        }
    }
}
