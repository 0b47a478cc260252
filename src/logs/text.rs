//! Looking for text in lines.

use memchr::memmem;

/// Bytes that a compiled regular expression may take, its automata included.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// Bytes of a text that is looked for, or of a regular expression.
const PATTERN_BYTES_MAX: usize = 4096;

/// What a line must have somewhere in its message, or in its metadata as they are stored: one
/// compact JSON object, in which a quote is written `\"`. A text is found whole in either of both.
#[derive(Clone, Debug)]
pub enum TextMatch {
    /// A text, byte by byte.
    Substring(Box<memmem::Finder<'static>>),
    /// A text in any case: letters of ASCII, and where the text has others, all letters by
    /// Unicode's simple case folding.
    Folded(regex::bytes::Regex),
    /// A regular expression in the syntax of the crate `regex`: linear in time, without
    /// look-around and back-references. `^` and `$` are the ends of the message (or metadata).
    Regex(regex::bytes::Regex),
}

impl TextMatch {
    /// Looks for a text; `ignore_case` in any case. An empty text is in every line. A text that
    /// is longer than any line can be is found in none.
    pub fn substring(text: &str, ignore_case: bool) -> TextMatch {
        let exact = || TextMatch::Substring(Box::new(memmem::Finder::new(text).into_owned()));
        let has_case = text.chars().any(char::is_alphabetic);
        if !ignore_case || !has_case {
            return exact();
        }
        // Without letters beyond ASCII the search need not know of any, and is faster.
        let built = regex::bytes::RegexBuilder::new(&regex::escape(text))
            .case_insensitive(true)
            .unicode(!text.is_ascii())
            .size_limit(REGEX_BYTES_MAX.saturating_mul(8))
            .build();
        match built {
            Ok(regex) => TextMatch::Folded(regex),
            // Only a text of many thousand letters: it is looked for as it is.
            Err(_) => exact(),
        }
    }

    /// Looks for a regular expression.
    ///
    /// # Errors
    ///
    /// What is wrong with the expression, or that it is too large.
    pub fn regex(pattern: &str) -> Result<TextMatch, String> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!(
                "a regular expression of {} bytes; at most {PATTERN_BYTES_MAX} are allowed",
                pattern.len()
            ));
        }
        regex::bytes::RegexBuilder::new(pattern)
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_BYTES_MAX)
            .build()
            .map(TextMatch::Regex)
            .map_err(|error| format!("the regular expression {pattern:?} cannot be used: {error}"))
    }

    /// Whether a text matches.
    pub fn is_match(&self, text: &[u8]) -> bool {
        match self {
            TextMatch::Substring(finder) => finder.find(text).is_some(),
            TextMatch::Folded(regex) | TextMatch::Regex(regex) => regex.is_match(text),
        }
    }

    /// Where the text first begins and ends at or after `from`, for texts that may be looked for
    /// across the borders of lines; `None` for regular expressions, which may not.
    pub(super) fn find_across(&self, column: &[u8], from: usize) -> Option<(usize, usize)> {
        match self {
            TextMatch::Substring(finder) => {
                let start = from + finder.find(&column[from..])?;
                Some((start, start + finder.needle().len()))
            }
            TextMatch::Folded(regex) => {
                let found = regex.find_at(column, from)?;
                Some((found.start(), found.end()))
            }
            TextMatch::Regex(_) => None,
        }
    }

    /// Whether [`TextMatch::find_across`] works with it.
    pub(super) fn works_across(&self) -> bool {
        match self {
            TextMatch::Substring(finder) => !finder.needle().is_empty(),
            TextMatch::Folded(_) => true,
            TextMatch::Regex(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_as_it_is_or_in_any_case() {
        let exact = TextMatch::substring("Time out", false);
        assert!(exact.is_match(b"a Time out!") && !exact.is_match(b"a time out!"));
        let folded = TextMatch::substring("Time out", true);
        assert!(folded.is_match(b"TIME OUT") && !folded.is_match(b"timeout"));
        // By Unicode's simple folding, both ways.
        let umlaut = TextMatch::substring("größe", true);
        assert!(umlaut.is_match("GRÖßE".as_bytes()) && !umlaut.is_match(b"grosse"));
        // What means something in an expression means itself here.
        assert!(!TextMatch::substring("a.c", true).is_match(b"ABC"));
        assert!(TextMatch::substring("", true).is_match(b""));
    }

    #[test]
    fn expressions_are_bounded_and_say_what_is_wrong() {
        assert!(TextMatch::regex("^a+$").is_ok_and(|m| m.is_match(b"aaa") && !m.is_match(b"ab")));
        assert!(TextMatch::regex("(").is_err_and(|e| e.contains("cannot be used")));
        assert!(TextMatch::regex(r"(\w{200}){200}").is_err(), "larger than a mebibyte");
        assert!(TextMatch::regex(&"a".repeat(5000)).is_err_and(|e| e.contains("at most 4096")));
    }
}
