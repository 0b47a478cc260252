use super::*;

fn kinds(text: &str) -> Vec<TokenKind> {
    lex(text).tokens.iter().map(|t| t.kind).collect()
}

#[test]
fn keywords_inside_braces_are_plain_words() {
    assert_eq!(
        kinds("{by=\"x\"}"),
        [
            TokenKind::LeftBrace,
            TokenKind::Identifier,
            TokenKind::Equal,
            TokenKind::String,
            TokenKind::RightBrace,
            TokenKind::Eof
        ]
    );
    assert_eq!(kinds("BY"), [TokenKind::By, TokenKind::Eof]);
}

#[test]
fn numbers_and_durations_are_told_apart() {
    for number in ["1", "1.5", ".5", "1e3", "1E+3", "0x1F", "1_000", "0x_1", "5.", "Inf", "nan"] {
        assert_eq!(kinds(number), [TokenKind::Number, TokenKind::Eof], "{number}");
    }
    for duration in ["5m", "1h30m", "5ms", "1y2w"] {
        assert_eq!(kinds(duration), [TokenKind::Duration, TokenKind::Eof], "{duration}");
    }
    for bad in ["1__0", "1.2.3", "5mm", "0x1.5", "1e", "12abc", "5h3"] {
        assert_eq!(kinds(bad).last(), Some(&TokenKind::Error), "{bad}");
    }
}

#[test]
fn comments_reach_to_the_end_of_the_line() {
    assert_eq!(kinds("a # { [ (\n"), [TokenKind::Identifier, TokenKind::Eof]);
    assert_eq!(kinds("{ # }\n}").len(), 3);
}

#[test]
fn broken_strings_are_refused() {
    for bad in ["\"abc", "'a\nb'", "\"\\q\"", "\"\\xg0\"", "`abc", "\"\\400\"", "\"\\ud800\""] {
        assert_eq!(kinds(bad).last(), Some(&TokenKind::Error), "{bad}");
    }
}
