//! `pat(…)`: `*` for any signs, `?` for one, `[a-z]` for one of a class, `\` before a sign that
//! stands for itself (Gatus: `pattern.Match`, Go: `filepath.Match`). A `*` reaches over `/` too.

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Sign(char),
    Class { not: bool, ranges: Vec<(char, char)> },
}

/// A pattern, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Pattern, String> {
        let mut parts = Vec::new();
        let mut chars = text.chars().peekable();
        let cut = || format!("pat({text}): ends in the middle of a class or after a \\");
        while let Some(c) = chars.next() {
            parts.push(match c {
                '*' if parts.last() == Some(&Part::Any) => continue,
                '*' => Part::Any,
                '?' => Part::One,
                '\\' => Part::Sign(chars.next().ok_or_else(cut)?),
                '[' => {
                    let not = chars.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    loop {
                        let sign =
                            |c: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
                                if c == '\\' { chars.next() } else { Some(c) }
                            };
                        let c = chars.next().ok_or_else(cut)?;
                        if c == ']' && !ranges.is_empty() {
                            break;
                        }
                        let from = sign(c, &mut chars).ok_or_else(cut)?;
                        let mut to = from;
                        if chars.next_if_eq(&'-').is_some() {
                            let c = chars.next().ok_or_else(cut)?;
                            to = sign(c, &mut chars).ok_or_else(cut)?;
                        }
                        ranges.push((from, to));
                    }
                    Part::Class { not, ranges }
                }
                c => Part::Sign(c),
            });
        }
        Ok(Pattern(parts))
    }

    /// Whether all of `text` fits. Takes at most (parts × signs) steps: only the last `*` is ever
    /// gone back to.
    pub(super) fn matches(&self, text: &str) -> bool {
        let parts = &self.0;
        let (mut part, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            let sign = text[at..].chars().next();
            match (parts.get(part), sign) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    star = Some((part, at));
                    part += 1;
                    continue;
                }
                (Some(expected), Some(sign)) if expected.takes(sign) => {
                    part += 1;
                    at += sign.len_utf8();
                    continue;
                }
                _ => {}
            }
            // The last `*` takes one sign more.
            let Some((star_part, star_at)) = star else { return false };
            let Some(taken) = text[star_at..].chars().next() else { return false };
            let next = star_at + taken.len_utf8();
            star = Some((star_part, next));
            (part, at) = (star_part + 1, next);
        }
    }
}

impl Part {
    fn takes(&self, sign: char) -> bool {
        match self {
            Part::Any | Part::One => true,
            Part::Sign(c) => *c == sign,
            Part::Class { not, ranges } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&sign)) != *not
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After Go's table of `TestMatch` (`path/filepath/match_test.go`), where `/` is nothing
    /// special.
    #[test]
    fn patterns_match_as_go_matches_them() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "abc", true),
            ("a*b*c*d*e*", "axbxcxdxe", true),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("", "", true),
            ("", "x", false),
            ("*john*", "a/b\njohn/c", true),
        ] {
            let read = Pattern::parse(pattern).expect("valid");
            assert_eq!(read.matches(text), expected, "{pattern} of {text}");
        }
        for pattern in ["[", "[a", "[a-", "\\", "[^"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern} was accepted");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = Pattern::parse(&"a*".repeat(200)).expect("valid");
        assert!(!pattern.matches(&format!("{}b", "a".repeat(100))));
        assert!(!pattern.matches(&"ab".repeat(150)));
    }
}
