//! Expectations from the documentation and the source of Go's `regexp/syntax`.

use super::translate;

/// Whether Go's `^(?s:pattern)$` matches.
fn matches(pattern: &str, text: &str) -> bool {
    let written = translate(pattern).expect("valid");
    let regex = regex::Regex::new(&format!("^(?s:{written})$"));
    regex.unwrap_or_else(|e| panic!("{pattern} became {written}: {e}")).is_match(text)
}

#[test]
fn what_go_reads_otherwise_keeps_its_meaning() {
    for (pattern, text, expected) in [
        (r"\d+", "12", true),
        (r"\d", "٣", false),
        (r"\w", "é", false),
        (r"\W", "é", true),
        (r"[\w-]+", "a-b_1", true),
        (r"[\D]", "é", true),
        (r"\s", "\u{a0}", false),
        (r"a{", "a{", true),
        (r"{x}", "{x}", true),
        (r"a{,2}", "a{,2}", true),
        (r"a{2}", "aa", true),
        (r"a{01}", "a{01}", true),
        (r"[[a]", "[", true),
        (r"[a&&b]+", "a&b", true),
        (r"[]a]+", "]a", true),
        (r"[^]a]", "]", false),
        (r"[a-]+", "a-", true),
        (r"[[:alpha:]\d]+", "x1", true),
        (r"[[:^digit:]]", "1", false),
        (r"\Qa.b\E+", "a.bb", true),
        (r"\Qa.b", "a.b", true),
        (r"\101\x42\x{43}", "ABC", true),
        (r"\<a\>", "<a>", true),
        (r"(?i)ab(?-i:c)", "ABc", true),
        (r"(?i)ab(?-i:c)", "ABC", false),
        (r"\pL\p{Greek}\P{L}", "aα1", true),
        (r"(?<x>a)(?P<y>b)", "ab", true),
        (r"a\bb|a b\b", "a b", true),
        (r"a.b", "a\nb", true),
        (r"^a$", "a", true),
        (r"a||b", "", true),
        (r"()", "", true),
        (r"a# b", "a# b", true),
        (r"a+?b{1,2}?", "aab", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
    }
}

#[test]
fn mistakes_are_told_in_gos_words() {
    for (pattern, expected) in [
        ("(", "missing closing ): `(`"),
        ("a(b|c", "missing closing ): `a(b|c`"),
        ("a)", "unexpected ): `a)`"),
        ("a)(?:b", "unexpected ): `a)(?:b`"),
        ("[a", "missing closing ]: `[a`"),
        ("x[^", "missing closing ]: `[^`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\pX", r"invalid character class range: `\pX`"),
        (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("(+?)", "missing argument to repetition operator: `+?`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a+*?b", "invalid nested repetition operator: `+*?`"),
        ("x{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
        ("(?!a)", "invalid or unsupported Perl syntax: `(?!`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("(?P<a b>c)", "invalid named capture: `(?P<a b>`"),
        ("(?<=a)b", "invalid named capture: `(?<=a)b`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\xg1", r"invalid escape sequence: `\xg1`"),
        (r"\y", r"invalid escape sequence: `\y`"),
        ("a\\", "trailing backslash at end of expression: ``"),
    ] {
        assert_eq!(translate(pattern).expect_err(pattern), expected, "{pattern}");
    }
}
