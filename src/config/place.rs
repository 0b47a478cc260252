//! Finds places in a TOML text: which key stands at an offset, and where a key stands.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Line and column of a byte offset, both from 1; columns count characters.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The path of the innermost key whose name or value covers `offset`: `scrape[1].targets`.
/// Empty where there is none.
pub(super) fn key_at(table: &DeTable<'_>, offset: usize) -> String {
    let mut path = String::new();
    descend_table(table, offset, &mut path);
    path
}

fn covers(span: &Range<usize>, offset: usize) -> bool {
    span.start <= offset && (offset < span.end || span.start == span.end)
}

fn descend_table(table: &DeTable<'_>, offset: usize, path: &mut String) -> bool {
    for (key, value) in table {
        let on_key = covers(&key.span(), offset);
        let before = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key.get_ref());
        if on_key || descend_value(value, offset, path) {
            return true;
        }
        path.truncate(before);
    }
    false
}

fn descend_value(value: &Spanned<DeValue<'_>>, offset: usize, path: &mut String) -> bool {
    match value.get_ref() {
        // The span of a `[section]` is that of its header alone: look inside whatever it says.
        DeValue::Table(table) => {
            descend_table(table, offset, path) || covers(&value.span(), offset)
        }
        DeValue::Array(array) => {
            descend_array(array, offset, path) || covers(&value.span(), offset)
        }
        _ => covers(&value.span(), offset),
    }
}

fn descend_array(array: &DeArray<'_>, offset: usize, path: &mut String) -> bool {
    for (index, value) in array.iter().enumerate() {
        let before = path.len();
        path.push_str(&format!("[{index}]"));
        if descend_value(value, offset, path) {
            return true;
        }
        path.truncate(before);
    }
    false
}

/// Where the value of a dotted key stands; where it is not in the text, its nearest section.
pub(super) fn offset_of(table: &DeTable<'_>, key: &str) -> Option<usize> {
    let mut table = table;
    let mut found = None;
    for part in key.split('.') {
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else { break };
        found = Some(key.span().start);
        let value = match (value.get_ref(), index) {
            (DeValue::Array(array), Some(index)) => match array.get(index) {
                Some(item) => {
                    found = Some(item.span().start);
                    item.get_ref()
                }
                None => break,
            },
            (value, _) => value,
        };
        match value {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found
}

/// The candidate nearest to `word`, if one is near enough to be what was meant.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance with transposition of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let swap = usize::from(a[i - 1] != b[j - 1]);
                let mut best =
                    (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + swap);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        assert_eq!(line_and_column("ab\ncd", 0), (1, 1));
        assert_eq!(line_and_column("ab\ncd", 4), (2, 2));
        assert_eq!(line_and_column("é\nä = 1", 5), (2, 2));
        assert_eq!(line_and_column("ab", 99), (1, 3));
    }

    #[test]
    fn the_nearest_word_forgives_a_slip_and_not_another_word() {
        let known = ["raw", "rollup", "max_bytes"];
        assert_eq!(nearest("rwa", known.into_iter()), Some("raw"));
        assert_eq!(nearest("maxbytes", known.into_iter()), Some("max_bytes"));
        assert_eq!(nearest("interval", known.into_iter()), None);
    }

    #[test]
    fn keys_are_found_by_place_and_places_by_key() {
        let text = "[a]\nb = 1\n[[c]]\nd = [1, 22]\n[[c]]\ne = { f = 3 }\n";
        let table = DeTable::parse(text).expect("valid");
        let at = |needle: &str| text.find(needle).expect("in the text");
        assert_eq!(key_at(table.get_ref(), at("b =")), "a.b");
        assert_eq!(key_at(table.get_ref(), at("22")), "c[0].d[1]");
        assert_eq!(key_at(table.get_ref(), at("3 }")), "c[1].e.f");
        assert_eq!(offset_of(table.get_ref(), "c[1].e.f"), Some(at("f =")));
        assert_eq!(offset_of(table.get_ref(), "nothing"), None);
    }
}
