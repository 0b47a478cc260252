//! Texts that fit a service's limit.

/// What stands at the end of a text that was cut.
const ELLIPSIS: &str = "…";

/// The first `max` characters of a text, the last of them `…` when something was cut.
pub fn cut_chars(text: &str, max: usize) -> String {
    cut_by(text, max, |_| 1)
}

/// The same for services that count UTF-16 units (Telegram, Teams).
pub fn cut_utf16(text: &str, max: usize) -> String {
    cut_by(text, max, char::len_utf16)
}

/// The same in bytes (ntfy).
pub(super) fn cut_bytes(text: &str, max: usize) -> String {
    cut_by(text, max, char::len_utf8)
}

fn cut_by(text: &str, max: usize, size: fn(char) -> usize) -> String {
    if text.chars().map(size).sum::<usize>() <= max {
        return text.to_owned();
    }
    let mark: usize = ELLIPSIS.chars().map(size).sum();
    let marked = mark <= max;
    let room = if marked { max - mark } else { max };
    let mut used = 0;
    let mut out: String = text
        .chars()
        .take_while(|c| {
            used += size(*c);
            used <= room
        })
        .collect();
    if marked {
        out.push_str(ELLIPSIS);
    }
    out
}

/// Joins as many items as fit into `max` of `size`, and says how many are missing; `hidden` are
/// missing from the start. Of a first item that is too long by itself the beginning is kept.
pub fn fit(
    items: &[String],
    separator: &str,
    max: usize,
    hidden: u64,
    size: impl Fn(&str) -> usize,
) -> String {
    let more = |count: u64| match count {
        0 => String::new(),
        count => format!("{separator}… and {count} more"),
    };
    let all = items.join(separator) + &more(hidden);
    if size(&all) <= max {
        return all.strip_prefix(separator).map_or(all.clone(), str::to_owned);
    }
    let mut out = String::new();
    for (place, item) in items.iter().enumerate() {
        let left = (items.len() - place - 1) as u64 + hidden;
        let mut candidate = out.clone();
        if place > 0 {
            candidate.push_str(separator);
        }
        candidate.push_str(item);
        // What comes after must still be able to say so.
        if size(&candidate) + size(&more(left)) <= max {
            out = candidate;
            continue;
        }
        if place == 0 {
            let room = max.saturating_sub(size(&more(left)));
            let mut short: String = item.clone();
            while size(&short) + size(ELLIPSIS) > room && short.pop().is_some() {}
            return format!("{short}{ELLIPSIS}{}", more(left));
        }
        return format!("{out}{}", more(left + 1));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_never_exceeds_its_limit_and_keeps_characters_whole() {
        for max in 0..12 {
            let text = "naïve 🐎 horse";
            assert!(cut_chars(text, max).chars().count() <= max, "{max}");
            assert!(cut_utf16(text, max).encode_utf16().count() <= max, "{max}");
            assert!(cut_bytes(text, max).len() <= max, "{max}");
        }
        assert_eq!(cut_chars("naïve", 5), "naïve");
        assert_eq!(cut_chars("naïve", 4), "naï…");
        assert_eq!(cut_utf16("🐎🐎", 3), "🐎…");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let items: Vec<String> = ["one", "two", "three"].map(str::to_owned).to_vec();
        let chars = |text: &str| text.chars().count();
        assert_eq!(fit(&items, "\n", 100, 0, chars), "one\ntwo\nthree");
        assert_eq!(fit(&items, "\n", 100, 4, chars), "one\ntwo\nthree\n… and 4 more");
        assert_eq!(fit(&items, "\n", 22, 0, chars), "one\ntwo\nthree");
        assert_eq!(fit(&items, "\n", 20, 4, chars), "one\ntwo\n… and 5 more");
        assert_eq!(fit(&items, "\n", 18, 0, chars), "one\ntwo\nthree");
        assert_eq!(fit(&items[2..], "\n", 4, 0, chars), "thr…");
        for max in 16..60 {
            let long: Vec<String> = (0..30).map(|n| "x".repeat(n)).collect();
            assert!(chars(&fit(&long, "\n", max, 7, chars)) <= max, "{max}");
        }
    }
}
