//! Numbers, durations and strings.

use super::super::quote::quote;
use super::super::token::TokenKind;
use super::{Lexer, Result, is_printable};

impl Lexer<'_> {
    pub(super) fn number_or_duration(&mut self) -> Result<()> {
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
        // Prometheus has taken the character when it sees that no duration ends there.
        let goes_on = self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        self.at += usize::from(goes_on);
        !goes_on
    }

    /// A quoted string. Only its bounds and the form of its escapes are found here.
    pub(super) fn string(&mut self, quote: u8) -> Result<()> {
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
                let found = unicode(c);
                return self.fail(start, format!("unknown escape sequence {found}"));
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
                let message = format!("illegal character {} in escape sequence", unicode(c));
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

    pub(super) fn raw_string(&mut self) -> Result<()> {
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

/// A character in Go's `%#U` form.
fn unicode(c: char) -> String {
    let code = c as u32;
    if is_printable(c) { format!("U+{code:04X} '{c}'") } else { format!("U+{code:04X}") }
}
