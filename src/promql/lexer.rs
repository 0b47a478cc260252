//! Cuts the text of a query into words. The rules are those of `promql/parser/lex.go`.

use super::span::Span;
use super::token::{Token, TokenKind, keyword, quote};

/// What stands wrong in the text.
pub(super) struct LexError {
    pub span: Span,
    pub message: String,
}

/// All words of a query. The last is `Eof`, or `Error` where `error` says why the rest cannot be
/// read: the parser meets it only when it gets there, so that earlier mistakes are told first.
pub(super) struct Words {
    pub tokens: Vec<Token>,
    pub error: Option<LexError>,
}

pub(super) fn lex(input: &str) -> Words {
    let mut lexer = Lexer { input, bytes: input.as_bytes(), at: 0, tokens: Vec::new(), parens: 0 };
    let error = lexer.run().err();
    let kind = if error.is_some() { TokenKind::Error } else { TokenKind::Eof };
    let end = input.len() as u32;
    let start = error.as_ref().map_or(end, |e| e.span.start as u32);
    lexer.tokens.push(Token { kind, start, end });
    Words { tokens: lexer.tokens, error }
}

struct Lexer<'t> {
    input: &'t str,
    bytes: &'t [u8],
    at: usize,
    tokens: Vec<Token>,
    parens: usize,
}

/// What is open around the current word.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Nothing,
    Braces,
    Brackets,
}

type Result<T> = std::result::Result<T, LexError>;

impl Lexer<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn peek_char(&self) -> Option<char> {
        self.input.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn fail<T>(&self, start: usize, message: impl Into<String>) -> Result<T> {
        Err(LexError { span: Span::new(start, self.input.len()), message: message.into() })
    }

    fn emit(&mut self, kind: TokenKind, start: usize) {
        self.tokens.push(Token { kind, start: start as u32, end: self.at as u32 });
    }

    fn run(&mut self) -> Result<()> {
        let mut inside = Inside::Nothing;
        loop {
            self.skip_blanks();
            let start = self.at;
            let Some(c) = self.peek_char() else {
                return match inside {
                    Inside::Braces => self.fail(start, "unexpected end of input inside braces"),
                    _ if self.parens > 0 => self.fail(start, "unclosed left parenthesis"),
                    Inside::Brackets => self.fail(start, "unclosed left bracket"),
                    Inside::Nothing => Ok(()),
                };
            };
            inside = match inside {
                Inside::Braces => self.inside_braces(c)?,
                _ => self.statement(c, inside)?,
            };
        }
    }

    /// Blanks and comments.
    fn skip_blanks(&mut self) {
        while let Some(b) = self.peek() {
            match b {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                b'#' => {
                    while self.peek().is_some_and(|b| b != b'\n' && b != b'\r') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn statement(&mut self, c: char, inside: Inside) -> Result<Inside> {
        use super::ast::BinaryOp as Op;
        let start = self.at;
        let next = self.bytes.get(start + 1).copied();
        let (kind, len) = match c {
            ',' => (TokenKind::Comma, 1),
            '*' => (TokenKind::Operator(Op::Mul), 1),
            '/' => (TokenKind::Operator(Op::Div), 1),
            '%' => (TokenKind::Operator(Op::Mod), 1),
            '+' => (TokenKind::Operator(Op::Add), 1),
            '-' => (TokenKind::Operator(Op::Sub), 1),
            '^' => (TokenKind::Operator(Op::Pow), 1),
            '@' => (TokenKind::At, 1),
            '=' if next == Some(b'=') => (TokenKind::Operator(Op::Equal), 2),
            '=' if next == Some(b'~') => {
                return self.fail(start, "unexpected character after '=': '~'");
            }
            '=' => (TokenKind::Equal, 1),
            '!' if next == Some(b'=') => (TokenKind::Operator(Op::NotEqual), 2),
            '!' => {
                self.at += 1;
                let found = self.described_char();
                return self.fail(start, format!("unexpected character after '!': {found}"));
            }
            '<' if next == Some(b'=') => (TokenKind::Operator(Op::LessEqual), 2),
            '<' => (TokenKind::Operator(Op::Less), 1),
            '>' if next == Some(b'=') => (TokenKind::Operator(Op::GreaterEqual), 2),
            '>' => (TokenKind::Operator(Op::Greater), 1),
            '0'..='9' => return self.number_or_duration().map(|()| inside),
            '.' if next.is_some_and(|b| b.is_ascii_digit()) => {
                return self.number_or_duration().map(|()| inside);
            }
            '"' | '\'' => return self.string(c as u8).map(|()| inside),
            '`' => return self.raw_string().map(|()| inside),
            ':' if inside == Inside::Brackets => (TokenKind::Colon, 1),
            'a'..='z' | 'A'..='Z' | '_' | ':' if inside == Inside::Nothing => {
                self.word(true);
                return Ok(inside);
            }
            '(' => {
                self.parens += 1;
                (TokenKind::LeftParen, 1)
            }
            // Prometheus's lexer has taken the parenthesis already when it notices.
            ')' if self.parens == 0 => {
                return self.fail(start + 1, "unexpected right parenthesis ')'");
            }
            ')' => {
                self.parens -= 1;
                (TokenKind::RightParen, 1)
            }
            '{' if inside == Inside::Nothing => {
                self.at += 1;
                self.emit(TokenKind::LeftBrace, start);
                return Ok(Inside::Braces);
            }
            '[' if inside == Inside::Brackets => {
                return self.fail(start, "unexpected left bracket '['");
            }
            '[' => {
                self.at += 1;
                self.emit(TokenKind::LeftBracket, start);
                return Ok(Inside::Brackets);
            }
            ']' if inside == Inside::Brackets => {
                self.at += 1;
                self.emit(TokenKind::RightBracket, start);
                return Ok(Inside::Nothing);
            }
            ']' => return self.fail(start, "unexpected right bracket ']'"),
            _ => {
                let found = self.described_char();
                let place = if inside == Inside::Brackets { " in duration expression" } else { "" };
                return self.fail(start, format!("unexpected character{place}: {found}"));
            }
        };
        self.at += len;
        self.emit(kind, start);
        Ok(inside)
    }

    fn inside_braces(&mut self, c: char) -> Result<Inside> {
        let start = self.at;
        let next = self.bytes.get(start + 1).copied();
        let (kind, len) = match c {
            'a'..='z' | 'A'..='Z' | '_' => {
                self.word(false);
                return Ok(Inside::Braces);
            }
            ',' => (TokenKind::Comma, 1),
            '"' | '\'' => return self.string(c as u8).map(|()| Inside::Braces),
            '`' => return self.raw_string().map(|()| Inside::Braces),
            '=' if next == Some(b'~') => (TokenKind::EqualRegex, 2),
            '=' => (TokenKind::Equal, 1),
            '!' if next == Some(b'~') => (TokenKind::NotEqualRegex, 2),
            '!' if next == Some(b'=') => (TokenKind::Operator(super::ast::BinaryOp::NotEqual), 2),
            '!' => {
                self.at += 1;
                let found = self.described_char();
                return self
                    .fail(start, format!("unexpected character after '!' inside braces: {found}"));
            }
            '{' => return self.fail(start, "unexpected left brace '{'"),
            '}' => {
                self.at += 1;
                self.emit(TokenKind::RightBrace, start);
                return Ok(Inside::Nothing);
            }
            _ => {
                let found = self.described_char();
                return self.fail(start, format!("unexpected character inside braces: {found}"));
            }
        };
        self.at += len;
        self.emit(kind, start);
        Ok(Inside::Braces)
    }

    /// The character at hand in Go's `%q` form.
    fn described_char(&self) -> String {
        match self.peek_char() {
            None => "'\\uffff'".to_owned(),
            Some('\'') => "'\\''".to_owned(),
            Some('\\') => "'\\\\'".to_owned(),
            Some('\n') => "'\\n'".to_owned(),
            Some(c) => format!("'{c}'"),
        }
    }

    /// A word of letters; outside braces it may be a keyword and hold colons.
    fn word(&mut self, outside: bool) {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_' || (outside && b == b':'))
        {
            self.at += 1;
        }
        let word = &self.input[start..self.at];
        let kind = match keyword(word) {
            Some(kind) if outside => kind,
            _ if word.contains(':') => TokenKind::MetricIdentifier,
            _ => TokenKind::Identifier,
        };
        self.emit(kind, start);
    }

    fn number_or_duration(&mut self) -> Result<()> {
        let start = self.at;
        if self.number() {
            self.emit(TokenKind::Number, start);
            return Ok(());
        }
        if self.rest_of_duration() {
            self.emit(TokenKind::Duration, start);
            return Ok(());
        }
        let found = quote(&self.input[start..self.at]);
        self.fail(start, format!("bad number or duration syntax: {found}"))
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let found = self.peek().is_some_and(|b| valid.contains(&b));
        self.at += usize::from(found);
        found
    }

    /// Takes what looks like a number, and says whether it is one: decimal or hexadecimal, with
    /// one point, one exponent, and single underscores between digits.
    fn number(&mut self) -> bool {
        const DECIMAL: &[u8] = b"0123456789";
        const HEX: &[u8] = b"0123456789abcdefABCDEF";
        let mut digits = DECIMAL;
        if self.accept(b"0") && self.accept(b"xX") {
            self.accept(b"_");
            digits = HEX;
        }
        let hex = digits.len() > 10;
        self.accept(b".");
        self.accept(digits);
        let (mut point, mut exponent) = (false, false);
        while let Some(b) = self.peek() {
            if b == b'.' {
                self.at += 1;
                if point || self.accept(b"_.") || hex {
                    return false;
                }
                point = true;
            } else if !hex && matches!(b, b'e' | b'E') {
                self.at += 1;
                if exponent {
                    return false;
                }
                exponent = true;
                self.accept(b"+-");
                if self.accept(b"._eE") || self.peek().is_none() {
                    return false;
                }
            } else if b == b'_' {
                self.at += 1;
                if self.accept(b"._eE") || self.peek().is_none() {
                    return false;
                }
            } else if !self.accept(digits) {
                break;
            }
        }
        !self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
    }

    /// Takes units and further numbers after the digits of a duration.
    fn rest_of_duration(&mut self) -> bool {
        if !self.accept(b"smhdwy") {
            return false;
        }
        self.accept(b"s");
        while self.accept(b"0123456789") {
            while self.accept(b"0123456789") {}
            if !self.accept(b"smhdw") {
                return false;
            }
            self.accept(b"s");
        }
        !self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
    }

    /// A quoted string. Only its bounds and the form of its escapes are found here.
    fn string(&mut self, quote: u8) -> Result<()> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek_char() {
                None | Some('\n') => return self.fail(start, "unterminated quoted string"),
                Some('\u{fffd}') => return self.fail(start, "invalid UTF-8 rune"),
                Some('\\') => {
                    self.at += 1;
                    self.escape(start, quote)?;
                }
                Some(c) => {
                    self.at += c.len_utf8();
                    if c == quote as char {
                        self.emit(TokenKind::String, start);
                        return Ok(());
                    }
                }
            }
        }
    }

    fn escape(&mut self, start: usize, quote: u8) -> Result<()> {
        let Some(c) = self.peek_char() else {
            return self.fail(start, "escape sequence not terminated");
        };
        let (digits, base) = match c {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => (0, 0),
            c if c == quote as char => (0, 0),
            '0'..='7' => (3, 8),
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            c => {
                let code = c as u32;
                return self.fail(start, format!("unknown escape sequence U+{code:04X} '{c}'"));
            }
        };
        if base != 8 {
            self.at += c.len_utf8();
        }
        let mut value: u32 = 0;
        for _ in 0..digits {
            let Some(c) = self.peek_char() else {
                return self.fail(start, "escape sequence not terminated");
            };
            let Some(digit) = c.to_digit(base) else {
                let code = c as u32;
                let message = format!("illegal character U+{code:04X} '{c}' in escape sequence");
                return self.fail(start, message);
            };
            self.at += 1;
            value = value.saturating_mul(base).saturating_add(digit);
        }
        let too_large = if digits <= 3 { value > 255 } else { char::from_u32(value).is_none() };
        if too_large {
            return self.fail(start, "escape sequence is an invalid Unicode code point");
        }
        Ok(())
    }

    fn raw_string(&mut self) -> Result<()> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek_char() {
                None => return self.fail(start, "unterminated raw string"),
                Some('\u{fffd}') => return self.fail(start, "invalid UTF-8 rune"),
                Some(c) => {
                    self.at += c.len_utf8();
                    if c == '`' {
                        self.emit(TokenKind::String, start);
                        return Ok(());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
        for number in ["1", "1.5", ".5", "1e3", "1E+3", "0x1F", "1_000", "0x_1", "5.", "Inf", "nan"]
        {
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
}
