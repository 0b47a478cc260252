//! Regular expressions as Go reads them, for those who come from Prometheus: the same expressions
//! are accepted, with the same meaning, and refused in the same words.
//!
//! The syntax is that of Go's `regexp/syntax` (flags `Perl`, <https://pkg.go.dev/regexp/syntax>).
//! It differs from that of the `regex` crate in what `\d`, `\w`, `\s` and `\b` mean (ASCII), in
//! `{`, which may stand for itself, in classes, which know no operators, in `\Q…\E` and octal
//! numbers, and in what may be repeated.

/// How often something may be repeated by a number.
const REPEAT_MAX: u32 = 1000;

/// What may nest how deep; also keeps the compiler of expressions from overflowing its stack.
const DEPTH_MAX: usize = 200;

/// Writes an expression of Go's syntax in that of the `regex` crate. The error is Go's, without
/// its `error parsing regexp: `.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut reader = Reader {
        whole: pattern,
        rest: pattern,
        out: String::with_capacity(pattern.len() + 8),
        depth: 0,
        operand: false,
    };
    reader.expression()?;
    Ok(reader.out)
}

struct Reader<'p> {
    whole: &'p str,
    rest: &'p str,
    out: String,
    depth: usize,
    /// Whether there is something that `*` could repeat.
    operand: bool,
}

fn error<T>(what: &str, expression: &str) -> Result<T, String> {
    Err(format!("{what}: `{expression}`"))
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// A number without leading zeros; too many digits are more than any limit.
fn number(text: &str) -> Option<(u32, &str)> {
    let count = digits(text);
    let (number, rest) = text.split_at(count);
    if count == 0 || (count > 1 && number.starts_with('0')) {
        return None;
    }
    Some((number.parse().unwrap_or(u32::MAX), rest))
}

/// `{2}`, `{2,}`, `{2,3}`: least, most and what follows; none where `{` stands for itself.
fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (least, rest) = number(text.strip_prefix('{')?)?;
    let (most, rest) = match rest.strip_prefix(',') {
        None => (Some(least), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => number(rest).map(|(most, rest)| (Some(most), rest))?,
    };
    Some((least, most, rest.strip_prefix('}')?))
}

/// The ASCII classes `\d`, `\s`, `\w`, as the inside of a class.
fn perl_class(letter: char) -> Option<&'static str> {
    match letter.to_ascii_lowercase() {
        'd' => Some("0-9"),
        's' => Some(r"\t\n\f\r "),
        'w' => Some("0-9A-Za-z_"),
        _ => None,
    }
}

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

impl<'p> Reader<'p> {
    /// What of `from` was read up to `rest`.
    fn read<'t>(from: &'t str, rest: &str) -> &'t str {
        from.get(..from.len() - rest.len()).unwrap_or(from)
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_alphanumeric() || !c.is_ascii() {
            self.out.push(c);
        } else {
            self.out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
        }
        self.operand = true;
    }

    fn raw(&mut self, text: &str) {
        self.out.push_str(text);
        self.operand = true;
    }

    fn expression(&mut self) -> Result<(), String> {
        let mut last_repeat = "";
        while let Some(c) = self.rest.chars().next() {
            let before = self.rest;
            let after = &before[c.len_utf8()..];
            let mut repeat = "";
            match c {
                '(' => self.open()?,
                ')' => {
                    if self.depth == 0 {
                        return error("unexpected )", self.whole);
                    }
                    self.depth -= 1;
                    self.raw(")");
                    self.rest = after;
                }
                '|' => {
                    self.raw("|");
                    self.operand = false;
                    self.rest = after;
                }
                '^' | '$' | '.' => {
                    self.raw(before.get(..1).unwrap_or(""));
                    self.rest = after;
                }
                '[' => self.class()?,
                '\\' => self.backslash()?,
                '*' | '+' | '?' => {
                    self.repeat(before, after, last_repeat)?;
                    repeat = before;
                }
                '{' => match counts(before) {
                    None => {
                        self.literal('{');
                        self.rest = after;
                    }
                    Some((least, most, after)) => {
                        let too_many = least > REPEAT_MAX || most.is_some_and(|m| m > REPEAT_MAX);
                        if too_many || most.is_some_and(|most| most < least) {
                            return error("invalid repeat count", Self::read(before, after));
                        }
                        self.repeat(before, after, last_repeat)?;
                        repeat = before;
                    }
                },
                c => {
                    self.literal(c);
                    self.rest = after;
                }
            }
            last_repeat = repeat;
        }
        if self.depth > 0 {
            return error("missing closing )", self.whole);
        }
        Ok(())
    }

    /// A repetition; `after` is what follows it, but for the `?` of those that match little.
    fn repeat(&mut self, before: &str, after: &'p str, last: &str) -> Result<(), String> {
        let rest = after.strip_prefix('?').unwrap_or(after);
        if !last.is_empty() {
            return error("invalid nested repetition operator", Self::read(last, rest));
        }
        if !self.operand {
            let what = "missing argument to repetition operator";
            return error(what, Self::read(before, rest));
        }
        self.out.push_str(Self::read(before, rest));
        self.rest = rest;
        Ok(())
    }

    /// An opening parenthesis, and what comes with it.
    fn open(&mut self) -> Result<(), String> {
        let before = self.rest;
        if let Some(flags) = before.strip_prefix("(?") {
            for (mark, least) in [("P<", 4), ("<", 3)] {
                if let Some(named) = flags.strip_prefix(mark).filter(|_| before.len() > least) {
                    return self.open_named(before, named);
                }
            }
            return self.flags(before, flags);
        }
        self.enter("(", &before[1..])
    }

    fn enter(&mut self, written: &str, rest: &'p str) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return error("expression nests too deeply", self.whole);
        }
        self.out.push_str(written);
        self.operand = false;
        self.rest = rest;
        Ok(())
    }

    fn open_named(&mut self, before: &'p str, named: &'p str) -> Result<(), String> {
        let Some((name, rest)) = named.split_once('>') else {
            return error("invalid named capture", before);
        };
        let fits = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if name.is_empty() || !name.chars().all(fits) {
            return error("invalid named capture", Self::read(before, rest));
        }
        self.enter(&format!("(?P<{name}>"), rest)
    }

    /// `(?i)`, `(?i-s:`.
    fn flags(&mut self, before: &'p str, flags: &'p str) -> Result<(), String> {
        let mut seen = false;
        let mut negated = false;
        let mut read = 0;
        for c in flags.chars() {
            read += c.len_utf8();
            let rest = &flags[read..];
            match c {
                'i' | 'm' | 's' | 'U' => seen = true,
                '-' if !negated => {
                    negated = true;
                    seen = false;
                }
                ':' | ')' if !negated || seen => {
                    let written = Self::read(before, rest);
                    if c == ':' {
                        return self.enter(written, rest);
                    }
                    // `(?)` says nothing, and the `regex` crate does not know it.
                    if written != "(?)" {
                        self.out.push_str(written);
                    }
                    self.rest = rest;
                    return Ok(());
                }
                _ => break,
            }
        }
        let rest = flags.get(read..).unwrap_or("");
        error("invalid or unsupported Perl syntax", Self::read(before, rest))
    }

    fn backslash(&mut self) -> Result<(), String> {
        let before = self.rest;
        let mut chars = before.chars();
        chars.next();
        let letter = chars.next();
        let rest = chars.as_str();
        match letter {
            Some('A') => self.raw(r"\A"),
            Some('z') => self.raw(r"\z"),
            Some('b') => self.raw(r"(?-u:\b)"),
            Some('B') => self.raw(r"\B"),
            Some('C') => return error("invalid escape sequence", r"\C"),
            Some('Q') => {
                let (text, rest) = rest.split_once(r"\E").unwrap_or((rest, ""));
                text.chars().for_each(|c| self.literal(c));
                self.rest = rest;
                return Ok(());
            }
            Some('p' | 'P') => {
                let (class, rest) = unicode_class(before)?;
                self.raw(&class);
                self.rest = rest;
                return Ok(());
            }
            Some(letter) if perl_class(letter).is_some() => {
                let not = if letter.is_ascii_uppercase() { "^" } else { "" };
                self.raw(&format!("[{not}{}]", perl_class(letter).unwrap_or("")));
            }
            _ => {
                let (c, rest) = escape(before)?;
                self.literal(c);
                self.rest = rest;
                return Ok(());
            }
        }
        self.rest = rest;
        Ok(())
    }

    /// `[…]`.
    fn class(&mut self) -> Result<(), String> {
        let whole = self.rest;
        let mut rest = &whole[1..];
        self.raw("[");
        if let Some(negated) = rest.strip_prefix('^') {
            self.out.push('^');
            rest = negated;
        }
        let mut first = true;
        while first || !rest.starts_with(']') {
            first = false;
            if rest.starts_with("[:") && rest.get(2..).is_some_and(|name| name.contains(":]")) {
                let end = rest.find(":]").map_or(rest.len(), |end| end + 2);
                let (written, after) = rest.split_at(end);
                let name = written.trim_start_matches("[:").trim_end_matches(":]");
                if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return error("invalid character class range", written);
                }
                self.out.push_str(written);
                rest = after;
                continue;
            }
            let mut chars = rest.chars();
            if chars.next() == Some('\\')
                && let Some(letter) = chars.next()
            {
                if matches!(letter, 'p' | 'P') {
                    let (class, after) = unicode_class(rest)?;
                    self.out.push_str(&class);
                    rest = after;
                    continue;
                }
                if let Some(class) = perl_class(letter) {
                    match letter.is_ascii_uppercase() {
                        true => self.out.push_str(&format!("[^{class}]")),
                        false => self.out.push_str(class),
                    }
                    rest = chars.as_str();
                    continue;
                }
            }
            let range = rest;
            let (from, after) = class_char(rest, whole)?;
            rest = after;
            let mut to = from;
            if rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]") {
                (to, rest) = class_char(&rest[1..], whole)?;
                if to < from {
                    return error("invalid character class range", Self::read(range, rest));
                }
            }
            self.literal(from);
            if to != from {
                self.out.push('-');
                self.literal(to);
            }
        }
        self.raw("]");
        self.rest = rest.get(1..).unwrap_or("");
        Ok(())
    }
}

fn class_char<'t>(text: &'t str, whole: &str) -> Result<(char, &'t str), String> {
    let mut chars = text.chars();
    match chars.next() {
        None => error("missing closing ]", whole),
        Some('\\') => escape(text),
        Some(c) => Ok((c, chars.as_str())),
    }
}

/// `\pL`, `\p{Greek}`, `\P{^Greek}`.
fn unicode_class(text: &str) -> Result<(String, &str), String> {
    let mut rest = text.get(2..).unwrap_or("").chars();
    let (name, after) = match rest.next() {
        None => return error("invalid character class range", text),
        Some('{') => match rest.as_str().split_once('}') {
            None => return error("invalid character class range", text),
            Some(split) => split,
        },
        Some(c) => (&text[2..2 + c.len_utf8()], rest.as_str()),
    };
    let (name, inverse) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    let negative = text.starts_with(r"\P") != inverse;
    let class = format!(r"\{}{{{name}}}", if negative { 'P' } else { 'p' });
    let known = name == "Any" || name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    if !known || regex_syntax::parse(&class).is_err() {
        return error("invalid character class range", Reader::read(text, after));
    }
    Ok((class, after))
}

/// `\n`, `\x41`, `\.`.
fn escape(text: &str) -> Result<(char, &str), String> {
    let mut chars = text.get(1..).unwrap_or("").chars();
    let Some(c) = chars.next() else {
        return error("trailing backslash at end of expression", "");
    };
    let octal = |text: &str| text.starts_with(|c: char| ('0'..='7').contains(&c));
    let found = match c {
        'a' => Some('\x07'),
        'f' => Some('\x0c'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\x0b'),
        '0'..='7' if c == '0' || octal(chars.as_str()) => {
            let mut number = c.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                if octal(chars.as_str()) {
                    number = number * 8 + chars.next().and_then(|c| c.to_digit(8)).unwrap_or(0);
                }
            }
            char::from_u32(number)
        }
        'x' => hexadecimal(&mut chars),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
        _ => None,
    };
    match found {
        Some(c) => Ok((c, chars.as_str())),
        None => error("invalid escape sequence", Reader::read(text, chars.as_str())),
    }
}

/// What follows `\x`.
fn hexadecimal(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let first = chars.next()?;
    if first != '{' {
        let second = chars.next()?;
        return char::from_u32(first.to_digit(16)? * 16 + second.to_digit(16)?);
    }
    let mut number: u32 = 0;
    let mut count = 0;
    loop {
        let c = chars.next()?;
        if c == '}' {
            break;
        }
        number = number.checked_mul(16)?.checked_add(c.to_digit(16)?)?;
        count += 1;
        if number > u32::from(char::MAX) {
            return None;
        }
    }
    if count == 0 { None } else { char::from_u32(number) }
}

#[cfg(test)]
mod tests;
