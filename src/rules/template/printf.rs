//! `printf` with Go's verbs (`fmt`).

use super::floats::go_float;
use super::value::Value;
use crate::promql::quote;

/// Width and precision beyond this are refused: one verb must not fill the memory.
const WIDTH_MAX: usize = 10_000;

#[derive(Default)]
struct Flags {
    plus: bool,
    minus: bool,
    space: bool,
    zero: bool,
    sharp: bool,
}

/// Go's `fmt.Sprintf`: what does not fit is said in the text and is no error.
pub(super) fn sprintf(format: &str, args: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = format.chars().peekable();
    let mut next = 0;
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = Flags::default();
        while let Some(c) = rest.peek() {
            match c {
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                ' ' => flags.space = true,
                '0' => flags.zero = true,
                '#' => flags.sharp = true,
                _ => break,
            }
            rest.next();
        }
        let mut number = |next: &mut usize| -> Result<Option<i64>, String> {
            if rest.peek() == Some(&'*') {
                rest.next();
                let arg = args.get(*next);
                *next += 1;
                return match arg {
                    Some(Value::Int(value)) => Ok(Some(*value)),
                    _ => Err("printf: the argument of * must be a whole number".to_owned()),
                };
            }
            let mut digits = String::new();
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            if digits.is_empty() {
                return Ok(None);
            }
            digits.parse().map(Some).map_err(|_| too_wide())
        };
        let width = number(&mut next)?;
        flags.minus |= width.is_some_and(|width| width < 0);
        let width = bounded(width)?.unwrap_or(0);
        let precision = if rest.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            if digits.is_empty() && rest.next_if_eq(&'*').is_some() {
                let arg = args.get(next).cloned();
                next += 1;
                match arg {
                    Some(Value::Int(value)) => bounded(Some(value))?,
                    _ => return Err("printf: the argument of * must be a whole number".to_owned()),
                }
            } else if digits.is_empty() {
                Some(0)
            } else {
                bounded(Some(digits.parse().map_err(|_| too_wide())?))?
            }
        } else {
            None
        };
        let Some(verb) = rest.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(arg) = args.get(next) else {
            out.push_str(&format!("%!{verb}(MISSING)"));
            continue;
        };
        next += 1;
        let text = one(verb, arg, precision, &flags);
        pad(&mut out, &text, width, &flags, matches!(arg, Value::Int(_) | Value::Float(_)));
    }
    if next < args.len() {
        let extra: Vec<String> =
            args[next..].iter().map(|arg| format!("{}={}", arg.type_name(), arg.show())).collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(out)
}

fn too_wide() -> String {
    format!("printf: a width or precision is larger than {WIDTH_MAX}")
}

fn bounded(number: Option<i64>) -> Result<Option<usize>, String> {
    let Some(number) = number else { return Ok(None) };
    let size = usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX);
    if size > WIDTH_MAX { Err(too_wide()) } else { Ok(Some(size)) }
}

fn one(verb: char, arg: &Value, precision: Option<usize>, flags: &Flags) -> String {
    match (verb, arg) {
        ('v', Value::Float(value)) => signed(go_float(*value, 'g', precision), flags),
        ('e' | 'E' | 'f' | 'F', Value::Float(value)) => {
            signed(go_float(*value, verb, Some(precision.unwrap_or(6))), flags)
        }
        ('g' | 'G', Value::Float(value)) => signed(go_float(*value, verb, precision), flags),
        ('v' | 'd', Value::Int(value)) => signed(value.to_string(), flags),
        ('x', Value::Int(value)) => based(*value, flags, "0x", |n| format!("{n:x}")),
        ('X', Value::Int(value)) => based(*value, flags, "0X", |n| format!("{n:X}")),
        ('o', Value::Int(value)) => based(*value, flags, "0", |n| format!("{n:o}")),
        ('b', Value::Int(value)) => based(*value, flags, "0b", |n| format!("{n:b}")),
        ('c', Value::Int(value)) => {
            u32::try_from(*value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()
        }
        ('U', Value::Int(value)) => format!("U+{value:04X}"),
        ('q', Value::Int(value)) => {
            let c = u32::try_from(*value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            format!("'{c}'")
        }
        ('t' | 'v', Value::Bool(value)) => value.to_string(),
        ('s' | 'v', Value::Text(text)) => cut(text, precision),
        ('q', Value::Text(text)) if flags.sharp && !text.contains('`') => format!("`{text}`"),
        ('q', Value::Text(text)) => quote(&cut(text, precision)),
        ('x', Value::Text(text)) => hex(text, |byte| format!("{byte:02x}")),
        ('X', Value::Text(text)) => hex(text, |byte| format!("{byte:02X}")),
        ('T', arg) => arg.type_name().to_owned(),
        ('v' | 's', Value::Nil) => if verb == 'v' { "<nil>" } else { "%!s(<nil>)" }.to_owned(),
        ('d', Value::Duration(nanos)) => nanos.to_string(),
        ('v' | 's', arg) if !matches!(arg, Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
            cut(&arg.show(), precision)
        }
        (verb, Value::Nil) => format!("%!{verb}(<nil>)"),
        (verb, arg) => format!("%!{verb}({}={})", arg.type_name(), arg.show()),
    }
}

fn signed(text: String, flags: &Flags) -> String {
    let bare = text.strip_prefix('+').unwrap_or(&text);
    match () {
        () if text.starts_with('-') || bare == "NaN" && !flags.plus => text,
        () if flags.plus => format!("+{bare}"),
        () if flags.space => format!(" {bare}"),
        () => text,
    }
}

fn based(value: i64, flags: &Flags, prefix: &str, digits: impl Fn(u64) -> String) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let prefix = if flags.sharp { prefix } else { "" };
    signed(format!("{sign}{prefix}{}", digits(value.unsigned_abs())), flags)
}

fn cut(text: &str, precision: Option<usize>) -> String {
    match precision {
        Some(chars) => text.chars().take(chars).collect(),
        None => text.to_owned(),
    }
}

fn hex(text: &str, digits: impl Fn(u8) -> String) -> String {
    text.bytes().map(digits).collect()
}

fn pad(out: &mut String, text: &str, width: usize, flags: &Flags, is_number: bool) {
    let missing = width.saturating_sub(text.chars().count());
    if flags.minus {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if flags.zero && is_number && !text.ends_with("Inf") && !text.ends_with("NaN") {
        let (sign, digits) = match text.chars().next() {
            Some(c @ ('+' | '-' | ' ')) => (Some(c), &text[1..]),
            _ => (None, text),
        };
        out.extend(sign);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(digits);
    } else {
        out.extend(std::iter::repeat_n(' ', missing));
        out.push_str(text);
    }
}
