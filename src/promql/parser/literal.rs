//! Numbers and durations.

use crate::model::parse_duration_ms;

use super::super::ast::NumberLiteral;
use super::super::quote::quote;
use super::super::token::{Token, TokenKind};
use super::{Parser, Result};

impl Parser<'_> {
    /// The number or duration at hand. A duration stands for its seconds.
    pub(super) fn number_literal(&mut self) -> Result<NumberLiteral> {
        let token = self.advance();
        let span = Self::span_of(token);
        if token.kind == TokenKind::Duration {
            let ms = self.duration_ms(token)?;
            return Ok(NumberLiteral { value: ms as f64 / 1000.0, is_duration: true, span });
        }
        let text = token.text(self.text);
        match parse_number(text) {
            Ok(value) => Ok(NumberLiteral { value, is_duration: false, span }),
            Err(reason) => {
                let quoted = quote(text);
                let message =
                    format!("error parsing number: strconv.ParseFloat: parsing {quoted}: {reason}");
                Err(self.error(span, message))
            }
        }
    }

    fn duration_ms(&self, token: Token) -> Result<i64> {
        parse_duration_ms(token.text(self.text))
            .map_err(|error| self.error(Self::span_of(token), error.to_string()))
    }
}

/// A number as Go's `strconv.ParseInt(text, 0, 64)` or else `strconv.ParseFloat` read it: a
/// leading `0` means octal where the digits allow it, `_` may stand between an integer's digits.
fn parse_number(text: &str) -> std::result::Result<f64, &'static str> {
    if let Some(value) = parse_integer(text) {
        return Ok(value as f64);
    }
    if text.contains('_') || text.starts_with("0x") || text.starts_with("0X") {
        return Err("invalid syntax");
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_infinite() && text.as_bytes().iter().any(u8::is_ascii_digit) => {
            Err("value out of range")
        }
        Ok(value) => Ok(value),
        Err(_) => Err("invalid syntax"),
    }
}

fn parse_integer(text: &str) -> Option<i64> {
    let (digits, radix) = if let Some(hex) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        (hex, 16)
    } else if text.len() > 1 && text.starts_with('0') {
        (&text[1..], 8)
    } else {
        (text, 10)
    };
    if digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    i64::from_str_radix(&digits.replace('_', ""), radix).ok()
}

#[cfg(test)]
mod tests {
    use super::parse_number;

    #[test]
    fn numbers_read_as_go_reads_them() {
        for (text, value) in [
            ("0x1F", 31.0),
            ("0X_1f", 31.0),
            ("010", 8.0),
            ("09", 9.0),
            ("1_000", 1000.0),
            ("5.", 5.0),
            (".5", 0.5),
            ("1e3", 1000.0),
            ("9223372036854775808", 9.223_372_036_854_776e18),
            ("Inf", f64::INFINITY),
        ] {
            assert_eq!(parse_number(text), Ok(value), "{text}");
        }
        assert!(parse_number("NaN").expect("a number").is_nan());
        assert_eq!(parse_number("1_0.5"), Err("invalid syntax"));
        assert_eq!(parse_number("1e999"), Err("value out of range"));
    }
}
