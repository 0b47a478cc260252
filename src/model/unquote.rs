//! What the text between quotes stands for.

/// The text that a quoted one stands for, with the escapes of Go (`strconv.Unquote`); between
/// backquotes there are none. Where the quotes end is checked by the caller. `None` for an escape
/// that Go does not know, and where bytes written as escapes do not add up to UTF-8.
pub fn unquote(token: &str) -> Option<String> {
    let quote = token.chars().next()?;
    let inner = token.get(1..token.len().checked_sub(1)?)?;
    if quote == '`' || !inner.contains('\\') {
        return Some(inner.to_owned());
    }
    let mut out: Vec<u8> = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        if c != '\\' {
            push(c);
            continue;
        }
        let escape = rest.next()?;
        let mut number = |first: Option<char>, len: usize, base: u32| -> Option<u32> {
            let head: String = first.into_iter().chain(rest.by_ref().take(len)).collect();
            u32::from_str_radix(&head, base).ok()
        };
        match escape {
            'a' => push('\u{7}'),
            'b' => push('\u{8}'),
            'f' => push('\u{c}'),
            'n' => push('\n'),
            'r' => push('\r'),
            't' => push('\t'),
            'v' => push('\u{b}'),
            '0'..='7' => {
                let byte = u8::try_from(number(Some(escape), 2, 8)?).ok()?;
                out.push(byte);
            }
            'x' => {
                let byte = u8::try_from(number(None, 2, 16)?).ok()?;
                out.push(byte);
            }
            'u' => push(char::from_u32(number(None, 4, 16)?)?),
            'U' => push(char::from_u32(number(None, 8, 16)?)?),
            other if other == '\\' || other == quote => push(other),
            _ => return None,
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::unquote;

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(
            unquote(r#""a\n\"\\\x41\101\u00e9\U0001F600""#).as_deref(),
            Some("a\n\"\\AAé😀")
        );
        assert_eq!(unquote(r#""\xe2\x82\xac""#).as_deref(), Some("€"));
        assert_eq!(unquote(r#""\xff""#), None);
        assert_eq!(unquote(r#""\q""#), None);
        assert_eq!(unquote(r"`a\n`").as_deref(), Some(r"a\n"));
        assert_eq!(unquote(r#"'it\'s "'"#).as_deref(), Some("it's \""));
    }
}
