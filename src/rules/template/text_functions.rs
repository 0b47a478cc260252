//! Functions of texts: regular expressions, cases, addresses and links.

// `core::net` has the addresses and no sockets.
use core::net::IpAddr;

use regex::{Regex, RegexBuilder};

use super::functions::{one, text, two, wrong_count};
use super::value::Value;

/// What a compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    if name == "match" {
        let [pattern, subject] = two(name, args)?;
        let regex = regex(&text(name, pattern)?)?;
        return Ok(Value::Bool(regex.is_match(&text(name, subject)?)));
    }
    if name == "reReplaceAll" {
        let [pattern, replacement, subject] = args else {
            return Err(wrong_count(name, "3", args.len()));
        };
        let regex = regex(&text(name, pattern)?)?;
        let replacement = text(name, replacement)?;
        let subject = text(name, subject)?;
        return Ok(Value::Text(regex.replace_all(&subject, replacement).into_owned()));
    }
    if matches!(name, "html" | "js" | "urlquery") {
        // Go's own escapers take anything and print it first.
        let shown: String = args.iter().map(Value::show).collect();
        return Ok(Value::Text(match name {
            "html" => escape_html(&shown),
            "js" => escape_js(&shown),
            _ => escape_query(&shown),
        }));
    }
    let given = text(name, one(name, args)?)?;
    Ok(Value::Text(match name {
        "title" => title(&given),
        "toUpper" => given.to_uppercase(),
        "toLower" => given.to_lowercase(),
        "graphLink" => format!("/graph?g0.expr={}&g0.tab=0", escape_query(&given)),
        "tableLink" => table_link(&given),
        "urlQueryEscape" => escape_query(&given),
        "stripPort" => split_host_port(&given).map_or(given.clone(), |(host, _)| host.to_owned()),
        "stripDomain" => strip_domain(&given),
        // `safeHtml`: in a text there is nothing to be kept from escaping.
        _ => given,
    }))
}

/// A link to an expression's table.
pub(super) fn table_link(expression: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=1", escape_query(expression))
}

fn regex(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build().map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim().to_owned();
        format!("error parsing regexp: {reason}: `{pattern}`")
    })
}

/// Go's `strings.Title`: the first letter of every word large, the others as they are.
fn title(given: &str) -> String {
    let mut out = String::with_capacity(given.len());
    let mut starts = true;
    for c in given.chars() {
        match starts && c.is_alphabetic() {
            true => out.extend(c.to_uppercase()),
            false => out.push(c),
        }
        starts = !(c.is_alphanumeric() || c == '_' || c == '\'');
    }
    out
}

/// Go's `url.QueryEscape`.
fn escape_query(given: &str) -> String {
    let mut out = String::with_capacity(given.len());
    for byte in given.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn escape_html(given: &str) -> String {
    let mut out = String::with_capacity(given.len());
    for c in given.chars() {
        match c {
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn escape_js(given: &str) -> String {
    let mut out = String::with_capacity(given.len());
    for c in given.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Go's `net.SplitHostPort`: `host:port` or `[host]:port`.
fn split_host_port(given: &str) -> Option<(&str, &str)> {
    let (host, port) = given.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(inner) => {
            let host = inner.strip_suffix(']')?;
            (!host.contains(['[', ']'])).then_some((host, port))
        }
        None => {
            (!host.contains([':', '[', ']']) && !port.contains(['[', ']'])).then_some((host, port))
        }
    }
}

fn strip_domain(given: &str) -> String {
    let (host, port) = split_host_port(given).unwrap_or((given, ""));
    if host.parse::<IpAddr>().is_ok() {
        return given.to_owned();
    }
    let first = host.split('.').next().unwrap_or_default();
    if port.is_empty() { first.to_owned() } else { format!("{first}:{port}") }
}

/// The path of a URL, without query and fragment.
pub(super) fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or_default()
}

/// `slice text from to`, in bytes.
pub(super) fn slice(args: &[Value]) -> Result<Value, String> {
    let Some((Value::Text(text), bounds)) = args.split_first() else {
        return Err("slice works on a string here".to_owned());
    };
    let bound = |place: usize, default: usize| match bounds.get(place) {
        None => Ok(default),
        Some(Value::Int(at)) => {
            usize::try_from(*at).map_err(|_| format!("index out of range: {at}"))
        }
        Some(other) => Err(format!("cannot index slice/array with type {}", other.type_name())),
    };
    let (from, to) = (bound(0, 0)?, bound(1, text.len())?);
    let part = text.get(from..to).ok_or_else(|| format!("index out of range: {to}"))?;
    Ok(Value::Text(part.to_owned()))
}
