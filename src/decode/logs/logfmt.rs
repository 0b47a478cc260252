//! `key=value` pairs in a line, as logfmt has them.

use std::borrow::Cow;

/// Pairs that are read of one line.
const PAIRS_MAX: usize = 100;

/// The pairs of a line that is made of nothing else and names a level or a message; `None` for any
/// other line. Values stand in double quotes where they hold a space.
pub(super) fn read(line: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut pairs = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let equals = rest.find('=')?;
        let key = &rest[..equals];
        let named = !key.is_empty()
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@/".contains(&b));
        if !named || pairs.len() >= PAIRS_MAX {
            return None;
        }
        let (value, after) = value(&rest[equals + 1..])?;
        pairs.push((key, value));
        rest = after.trim_start();
    }
    let known = ["level", "lvl", "msg", "message", "severity"];
    pairs.iter().any(|(key, _)| known.contains(key)).then_some(pairs)
}

fn value(rest: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        return Some((Cow::Borrowed(&rest[..end]), &rest[end..]));
    };
    let bytes = quoted.as_bytes();
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    let inner = quoted.get(..at)?;
    let after = quoted.get(at + 1..)?;
    let text = if inner.contains('\\') {
        // The escapes are those of JSON; what is none of them stays as it is written.
        serde_json::from_str(&rest[..at + 2]).unwrap_or_else(|_| inner.to_owned()).into()
    } else {
        Cow::Borrowed(inner)
    };
    Some((text, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_pairs_is_taken_apart_and_any_other_is_not() {
        let line = r#"ts=2026-01-31T10:00:00Z level=warn msg="a \"b\" c" path=/x empty="#;
        let pairs = read(line).expect("logfmt");
        let expected = [
            ("ts", "2026-01-31T10:00:00Z"),
            ("level", "warn"),
            ("msg", "a \"b\" c"),
            ("path", "/x"),
            ("empty", ""),
        ];
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (*key, value.as_ref())).collect();
        assert_eq!(pairs, expected);
        for line in ["", "x=1", "plain text level=warn", "level=\"warn", "level=\"a\\", "=level"] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
