//! Cuts a template into text and words (`text/template/parse/lex.go`).

use super::ast::Failure;

/// A word inside `{{ … }}`, or the text outside.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    Word(String),
    /// `.name`; `space` says that white space or nothing of a word stands before it.
    Field {
        name: String,
        space: bool,
    },
    /// `.`
    Dot,
    /// `$name`, or `$`.
    Variable(String),
    Quoted(String),
    Int(i64),
    Float(f64),
    Pipe,
    Comma,
    OpenParen,
    CloseParen,
    Declare,
    Assign,
}

/// Cuts the whole template. Each token comes with its line.
pub(super) fn lex(text: &str) -> Result<Vec<(Token, usize)>, Failure> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    let mut trims = false;
    loop {
        let (before, after) = match rest.split_once("{{") {
            Some((before, after)) => (before, Some(after)),
            None => (rest, None),
        };
        let begins_trimmed = trims;
        let mut shown = if begins_trimmed { before.trim_start() } else { before };
        let opens_trimmed = after.is_some_and(|after| {
            after.strip_prefix('-').is_some_and(|next| next.starts_with(char::is_whitespace))
        });
        if opens_trimmed {
            shown = shown.trim_end();
        }
        if !shown.is_empty() {
            tokens.push((Token::Text(shown.to_owned()), line));
        }
        line += before.matches('\n').count();
        let Some(after) = after else { return Ok(tokens) };
        let inner = if opens_trimmed { &after[1..] } else { after };
        let (used, ends_trimmed) = if inner.trim_start().starts_with("/*") {
            comment(inner, line)?
        } else {
            tokens.push((Token::Open, line));
            action(inner, line, &mut tokens)?
        };
        line += inner[..used].matches('\n').count();
        trims = ends_trimmed;
        rest = &inner[used..];
    }
}

/// The bytes up to and including the end of a comment's action.
fn comment(inner: &str, line: usize) -> Result<(usize, bool), Failure> {
    let start = inner.find("/*").unwrap_or(0);
    let Some(end) = inner[start..].find("*/") else {
        return Err((line, "unclosed comment".to_owned()));
    };
    let after = start + end + 2;
    let rest = &inner[after..];
    if let Some(rest) = rest.strip_prefix("}}") {
        return Ok((inner.len() - rest.len(), false));
    }
    if let Some(rest) = rest.trim_start().strip_prefix("-}}")
        && inner[after..].starts_with(char::is_whitespace)
    {
        return Ok((inner.len() - rest.len(), true));
    }
    Err((line, "comment ends before closing delimiter".to_owned()))
}

/// Cuts one action; gives the bytes up to and including its `}}`, and whether it trims.
fn action(
    inner: &str,
    first_line: usize,
    tokens: &mut Vec<(Token, usize)>,
) -> Result<(usize, bool), Failure> {
    let mut at = 0;
    let mut space = true;
    loop {
        let line = first_line + inner[..at].matches('\n').count();
        let rest = &inner[at..];
        let Some(c) = rest.chars().next() else {
            return Err((line, "unclosed action".to_owned()));
        };
        if rest.starts_with("}}") {
            tokens.push((Token::Close, line));
            return Ok((at + 2, false));
        }
        if space && rest.starts_with("-}}") {
            tokens.push((Token::Close, line));
            return Ok((at + 3, true));
        }
        if c.is_whitespace() {
            at += c.len_utf8();
            space = true;
            continue;
        }
        let (token, used) = word(rest, space).map_err(|message| (line, message))?;
        at += used;
        space = matches!(token, Token::OpenParen | Token::Pipe | Token::Comma);
        tokens.push((token, line));
    }
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())
}

fn word(rest: &str, space: bool) -> Result<(Token, usize), String> {
    let c = rest.chars().next().unwrap_or('\0');
    let next = rest[c.len_utf8()..].chars().next();
    Ok(match c {
        '|' => (Token::Pipe, 1),
        ',' => (Token::Comma, 1),
        '(' => (Token::OpenParen, 1),
        ')' => (Token::CloseParen, 1),
        '=' => (Token::Assign, 1),
        ':' if next == Some('=') => (Token::Declare, 2),
        ':' => return Err("expected :=".to_owned()),
        '"' => quoted(rest)?,
        '`' => {
            let end = rest[1..].find('`').ok_or("unterminated raw quoted string")?;
            (Token::Quoted(rest[1..=end].to_owned()), end + 2)
        }
        '\'' => character(rest)?,
        '$' => {
            let length = name_length(&rest[1..]);
            (Token::Variable(rest[..=length].to_owned()), length + 1)
        }
        '.' if !next.is_some_and(|next| next.is_ascii_digit()) => {
            let length = name_length(&rest[1..]);
            match length {
                0 => (Token::Dot, 1),
                _ => (Token::Field { name: rest[1..=length].to_owned(), space }, length + 1),
            }
        }
        '+' | '-' | '.' | '0'..='9' => number(rest)?,
        c if c.is_alphabetic() || c == '_' => {
            let length = name_length(rest);
            (Token::Word(rest[..length].to_owned()), length)
        }
        c => return Err(format!("unexpected {c:?} in operand")),
    })
}

/// Go's escapes in a text between double quotes.
fn quoted(rest: &str) -> Result<(Token, usize), String> {
    let unterminated = || "unterminated quoted string".to_owned();
    let mut escaped = false;
    let end = rest[1..]
        .char_indices()
        .find(|(_, c)| {
            let ends = !escaped && *c == '"';
            escaped = !escaped && *c == '\\';
            ends
        })
        .map(|(at, _)| at + 1)
        .ok_or_else(unterminated)?;
    let inner = &rest[1..end];
    if inner.contains('\n') {
        return Err(unterminated());
    }
    let text = unescape(inner).ok_or_else(|| format!("invalid syntax: {}", &rest[..=end]))?;
    Ok((Token::Quoted(text), end + 1))
}

fn character(rest: &str) -> Result<(Token, usize), String> {
    let invalid = || "malformed character constant".to_owned();
    let skip = if rest[1..].starts_with('\\') { 3 } else { 2 };
    let from = rest.char_indices().nth(skip).map(|(at, _)| at).ok_or_else(invalid)?;
    let end = from + rest[from..].find('\'').ok_or_else(invalid)?;
    let text = unescape(&rest[1..end]).ok_or_else(invalid)?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok((Token::Int(i64::from(u32::from(c))), end + 1)),
        _ => Err(invalid()),
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let push = |out: &mut Vec<u8>, c: char| {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    };
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(&mut out, c);
            continue;
        }
        let escape = chars.next()?;
        let mut number = |length: usize, base: u32, first: &str| {
            let mut digits = first.to_owned();
            digits.extend(chars.by_ref().take(length));
            u32::from_str_radix(&digits, base).ok()
        };
        match escape {
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            '\\' | '"' | '\'' => push(&mut out, escape),
            'x' => out.push(u8::try_from(number(2, 16, "")?).ok()?),
            'u' => push(&mut out, char::from_u32(number(4, 16, "")?)?),
            'U' => push(&mut out, char::from_u32(number(8, 16, "")?)?),
            '0'..='7' => out.push(u8::try_from(number(2, 8, &escape.to_string())?).ok()?),
            _ => return None,
        }
    }
    String::from_utf8(out).ok()
}

/// A number is whole unless it is written with a point or an exponent, as in Go.
fn number(rest: &str) -> Result<(Token, usize), String> {
    let bytes = rest.as_bytes();
    let mut length = usize::from(matches!(bytes[0], b'+' | b'-'));
    while let Some(byte) = bytes.get(length) {
        let signs_exponent = matches!(byte, b'+' | b'-')
            && matches!(bytes[length - 1], b'e' | b'E')
            && !rest[..length].contains(['x', 'X']);
        if !(byte.is_ascii_alphanumeric() || *byte == b'.' || *byte == b'_' || signs_exponent) {
            break;
        }
        length += 1;
    }
    let bad = || format!("bad number syntax: {:?}", &rest[..length]);
    let text = rest[..length].replace('_', "");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let lower = digits.to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, radix)| Some((lower.strip_prefix(prefix)?, radix)));
    if let Some((digits, radix)) = radix {
        let value = i64::from_str_radix(digits, radix).map_err(|_| bad())?;
        return Ok((Token::Int(sign * value), length));
    }
    if !lower.contains(['.', 'e']) && !lower.is_empty() {
        let value = lower.parse::<i64>().map_err(|_| bad())?;
        return Ok((Token::Int(sign * value), length));
    }
    // Rust reads "inf" and "nan" as numbers; Go's templates do not.
    if !lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(bad());
    }
    let value = lower.parse::<f64>().map_err(|_| bad())?;
    Ok((Token::Float(sign as f64 * value), length))
}
