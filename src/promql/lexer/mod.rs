//! Cuts the text of a query into words. The rules are those of `promql/parser/lex.go`.

mod literal;

use super::span::Span;
use super::token::{Token, TokenKind, keyword};

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
    let mut lexer = Lexer {
        input,
        bytes: input.as_bytes(),
        at: 0,
        tokens: Vec::new(),
        parens: 0,
        bracket: false,
        colon: false,
        duration_seen: false,
    };
    let error = lexer.run().err();
    let kind = if error.is_some() { TokenKind::Error } else { TokenKind::Eof };
    let end = input.len() as u32;
    let start = error.as_ref().map_or(end, |e| e.span.start as u32);
    lexer.tokens.push(Token { kind, start, end });
    Words { tokens: lexer.tokens, error }
}

/// Whether Go's `strconv` shows a character as it is; close enough to its tables.
fn is_printable(c: char) -> bool {
    !c.is_control() && (c == ' ' || !c.is_whitespace()) && !matches!(c, '\u{ad}' | '\u{feff}')
}

/// The operator that one character writes.
fn arithmetic(c: char) -> TokenKind {
    use super::ast::BinaryOp as Op;
    TokenKind::Operator(match c {
        '*' => Op::Mul,
        '/' => Op::Div,
        '%' => Op::Mod,
        '+' => Op::Add,
        '-' => Op::Sub,
        _ => Op::Pow,
    })
}

struct Lexer<'t> {
    input: &'t str,
    bytes: &'t [u8],
    at: usize,
    tokens: Vec<Token>,
    /// How many parentheses are open.
    parens: usize,
    /// Whether a bracket is open.
    bracket: bool,
    /// Whether the open bracket had its colon.
    colon: bool,
    /// Whether some bracket of the text began with a number or a duration. Prometheus never
    /// forgets that, and so its complaint about an early colon is for the first bracket only.
    duration_seen: bool,
}

/// Which rules hold for the next word; the states of Prometheus's lexer.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Statement,
    Braces,
    /// In brackets, as long as only signs, parentheses and names of durations came.
    Duration,
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

    /// Takes `len` bytes as one word.
    fn take(&mut self, kind: TokenKind, len: usize) {
        let start = self.at;
        self.at += len;
        self.emit(kind, start);
    }

    fn run(&mut self) -> Result<()> {
        let mut state = State::Statement;
        loop {
            self.skip_blanks(state != State::Duration);
            let start = self.at;
            let Some(c) = self.peek_char() else {
                return match state {
                    State::Braces => self.fail(start, "unexpected end of input inside braces"),
                    State::Duration => {
                        self.fail(start, "unexpected end of input in duration expression")
                    }
                    State::Statement if self.parens > 0 => {
                        self.fail(start, "unclosed left parenthesis")
                    }
                    State::Statement if self.bracket => self.fail(start, "unclosed left bracket"),
                    State::Statement => Ok(()),
                };
            };
            state = match state {
                State::Braces => self.inside_braces(c)?,
                State::Duration => self.duration(c)?,
                State::Statement => self.statement(c)?,
            };
        }
    }

    /// Blanks and comments.
    fn skip_blanks(&mut self, comments: bool) {
        while let Some(b) = self.peek() {
            match b {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                b'#' if comments => {
                    while self.peek().is_some_and(|b| b != b'\n' && b != b'\r') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn statement(&mut self, c: char) -> Result<State> {
        use super::ast::BinaryOp as Op;
        let start = self.at;
        let next = self.bytes.get(start + 1).copied();
        let (kind, len) = match (c, next) {
            (',', _) => (TokenKind::Comma, 1),
            ('*' | '/' | '%' | '+' | '-' | '^', _) => (arithmetic(c), 1),
            ('@', _) => (TokenKind::At, 1),
            ('=', Some(b'=')) => (TokenKind::Operator(Op::Equal), 2),
            ('=', Some(b'~')) => {
                return self.fail(start, "unexpected character after '=': '~'");
            }
            ('=', _) => (TokenKind::Equal, 1),
            ('!', Some(b'=')) => (TokenKind::Operator(Op::NotEqual), 2),
            ('!', _) => {
                self.at += 1;
                let found = self.described_char();
                return self.fail(start, format!("unexpected character after '!': {found}"));
            }
            ('<', Some(b'=')) => (TokenKind::Operator(Op::LessEqual), 2),
            ('<', Some(b'/')) => (TokenKind::Operator(Op::TrimUpper), 2),
            ('<', _) => (TokenKind::Operator(Op::Less), 1),
            ('>', Some(b'=')) => (TokenKind::Operator(Op::GreaterEqual), 2),
            ('>', Some(b'/')) => (TokenKind::Operator(Op::TrimLower), 2),
            ('>', _) => (TokenKind::Operator(Op::Greater), 1),
            ('0'..='9', _) | ('.', Some(b'0'..=b'9')) => {
                return self.number_or_duration().map(|()| State::Statement);
            }
            ('"' | '\'', _) => return self.string(c as u8).map(|()| State::Statement),
            ('`', _) => return self.raw_string().map(|()| State::Statement),
            ('a'..='z' | 'A'..='Z' | '_' | ':', _) => {
                self.letter(c)?;
                return Ok(State::Statement);
            }
            ('(' | ')', _) => {
                self.parenthesis(c)?;
                return Ok(State::Statement);
            }
            ('{', _) => {
                self.take(TokenKind::LeftBrace, 1);
                return Ok(State::Braces);
            }
            ('[', _) if self.bracket => {
                return self.fail(start, "unexpected left bracket '['");
            }
            ('[', _) => {
                self.take(TokenKind::LeftBracket, 1);
                (self.bracket, self.colon) = (true, false);
                return Ok(State::Duration);
            }
            (']', _) if self.bracket => {
                self.bracket = false;
                (TokenKind::RightBracket, 1)
            }
            (']', _) => return self.fail(start, "unexpected right bracket ']'"),
            _ => {
                let found = self.described_char();
                return self.fail(start, format!("unexpected character: {found}"));
            }
        };
        self.take(kind, len);
        Ok(State::Statement)
    }

    /// A word outside braces; in brackets only the names of durations and the colon.
    fn letter(&mut self, c: char) -> Result<()> {
        let start = self.at;
        if !self.bracket {
            self.word(true);
            return Ok(());
        }
        if c == ':' && self.colon {
            return self.fail(start, "unexpected colon ':'");
        }
        if c == ':' {
            self.colon = true;
            self.take(TokenKind::Colon, 1);
            return Ok(());
        }
        if self.duration_word() {
            return Ok(());
        }
        self.fail(start, format!("unexpected character: '{c}', expected ':'"))
    }

    fn parenthesis(&mut self, c: char) -> Result<()> {
        if c == '(' {
            self.parens += 1;
            self.take(TokenKind::LeftParen, 1);
        } else if self.parens == 0 {
            // Prometheus's lexer has taken the parenthesis already when it notices.
            return self.fail(self.at + 1, "unexpected right parenthesis ')'");
        } else {
            self.parens -= 1;
            self.take(TokenKind::RightParen, 1);
        }
        Ok(())
    }

    /// The beginning of a duration in brackets, up to and with its first number.
    fn duration(&mut self, c: char) -> Result<State> {
        let start = self.at;
        let next = self.bytes.get(start + 1).copied();
        match (c, next) {
            (']', _) => {
                self.take(TokenKind::RightBracket, 1);
                (self.bracket, self.colon) = (false, false);
                return Ok(State::Statement);
            }
            (':', _) if !self.duration_seen => {
                let message = "unexpected colon before duration in duration expression";
                return self.fail(start + 1, message);
            }
            (':', _) if self.colon => {
                let message = "unexpected repeated colon in duration expression";
                return self.fail(start + 1, message);
            }
            (':', _) => {
                self.colon = true;
                self.take(TokenKind::Colon, 1);
            }
            ('(' | ')', _) => self.parenthesis(c)?,
            ('*' | '/' | '%' | '+' | '-' | '^', _) => self.take(arithmetic(c), 1),
            (',', _) => self.take(TokenKind::Comma, 1),
            ('0'..='9', _) | ('.', Some(b'0'..=b'9')) => {
                self.duration_seen = true;
                return self.number_or_duration().map(|()| State::Statement);
            }
            // Prometheus forgets to note these as durations, and so refuses `[step():1m]`; that
            // is a mistake of its lexer and not followed.
            ('a'..='z' | 'A'..='Z' | '_', _) if self.duration_word() => self.duration_seen = true,
            _ => {
                let found = self.described_char();
                let message = format!("unexpected character in duration expression: {found}");
                return self.fail(start, message);
            }
        }
        Ok(State::Duration)
    }

    /// Takes `step`, `range`, `min_of` or `max_of`, if one of them stands here.
    fn duration_word(&mut self) -> bool {
        let start = self.at;
        let letters = self.bytes[start..]
            .iter()
            .take_while(|b| b.is_ascii_alphabetic() || **b == b'_')
            .count();
        match keyword(&self.input[start..start + letters]) {
            Some(
                kind @ (TokenKind::Step | TokenKind::Range | TokenKind::MinOf | TokenKind::MaxOf),
            ) => {
                self.take(kind, letters);
                true
            }
            _ => false,
        }
    }

    fn inside_braces(&mut self, c: char) -> Result<State> {
        let start = self.at;
        let next = self.bytes.get(start + 1).copied();
        let (kind, len) = match c {
            'a'..='z' | 'A'..='Z' | '_' => {
                self.word(false);
                return Ok(State::Braces);
            }
            ',' => (TokenKind::Comma, 1),
            '"' | '\'' => return self.string(c as u8).map(|()| State::Braces),
            '`' => return self.raw_string().map(|()| State::Braces),
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
                return Ok(State::Statement);
            }
            _ => {
                let found = self.described_char();
                return self.fail(start, format!("unexpected character inside braces: {found}"));
            }
        };
        self.at += len;
        self.emit(kind, start);
        Ok(State::Braces)
    }

    /// The character at hand in Go's `%q` form; the end of the text is U+FFFD there.
    fn described_char(&self) -> String {
        match self.peek_char().unwrap_or('\u{fffd}') {
            c @ ('\'' | '\\') => format!("'\\{c}'"),
            '\n' => "'\\n'".to_owned(),
            '\r' => "'\\r'".to_owned(),
            '\t' => "'\\t'".to_owned(),
            '\u{7}' => "'\\a'".to_owned(),
            '\u{8}' => "'\\b'".to_owned(),
            '\u{b}' => "'\\v'".to_owned(),
            '\u{c}' => "'\\f'".to_owned(),
            c if c.is_ascii_control() => format!("'\\x{:02x}'", c as u32),
            c if !is_printable(c) && c as u32 > 0xffff => format!("'\\U{:08x}'", c as u32),
            c if !is_printable(c) => format!("'\\u{:04x}'", c as u32),
            c => format!("'{c}'"),
        }
    }

    /// Whether the next character that is no blank opens a parenthesis.
    fn before_parenthesis(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        rest.iter().find(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r')) == Some(&b'(')
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
            // Names of metrics that were there before the modifiers must stay readable.
            Some(TokenKind::Fill(_)) if outside && !self.before_parenthesis() => {
                TokenKind::Identifier
            }
            Some(kind) if outside => kind,
            _ if word.contains(':') => TokenKind::MetricIdentifier,
            _ => TokenKind::Identifier,
        };
        self.emit(kind, start);
    }
}

#[cfg(test)]
mod tests;
