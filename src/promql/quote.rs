//! Texts as Go writes them in quotes.

use std::fmt::Write as _;

/// A text in double quotes with Go's escapes (`strconv.Quote`), which the lexer reads back exactly.
/// Characters that Go holds for unprintable beyond controls stand as they are, and the replacement
/// character is escaped: in the open the lexer refuses it, as Prometheus's does.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            // Writing into a String cannot fail.
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if c.is_control() || c == '\u{fffd}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Expr, parse};
    use super::*;

    /// The forms are those of Go's documentation of `strconv.Quote`.
    #[test]
    fn what_is_quoted_is_gos_form_and_reads_back() {
        for (text, quoted) in [
            ("a\"b\\", r#""a\"b\\""#),
            ("\n\r\t", r#""\n\r\t""#),
            ("\u{7}\u{8}\u{b}\u{c}", r#""\a\b\v\f""#),
            ("\0\u{1b}\u{7f}", r#""\x00\x1b\x7f""#),
            ("\u{85}\u{fffd}", r#""\u0085\ufffd""#),
            ("\u{e9}\u{1F600}", "\"\u{e9}\u{1F600}\""),
        ] {
            assert_eq!(quote(text), quoted);
            let Ok(Expr::String(read)) = parse(quoted) else { panic!("{quoted} is not read") };
            assert_eq!(read.value, text);
        }
    }
}
