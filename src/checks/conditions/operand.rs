//! One side of a condition: what it means, and what is found in its place.

use std::cell::OnceCell;

use regex::Regex;
use serde_json::Value;

use super::body::{self, Step};
use super::numbers::{self, Number};
use super::pattern::Pattern;
use crate::model::{Observation, Timestamp, unanchored_regex};

/// An observation, with its body read once for all conditions.
pub(super) struct Subject<'o> {
    observation: &'o Observation,
    now: Timestamp,
    json: OnceCell<Option<Value>>,
}

impl<'o> Subject<'o> {
    pub(super) fn new(observation: &'o Observation, now: Timestamp) -> Self {
        Subject { observation, now, json: OnceCell::new() }
    }

    fn json(&self) -> Option<&Value> {
        let read = || serde_json::from_slice(&self.observation.body).ok();
        self.json.get_or_init(read).as_ref()
    }

    fn body(&self) -> String {
        String::from_utf8_lossy(&self.observation.body).trim().to_owned()
    }
}

/// What stands on one side.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// Text as it stands.
    Text(String),
    /// What an observation holds.
    Place(Placed),
    /// `pat(…)`
    Pattern((String, Pattern)),
    /// `any(…)`: the whole text and its options.
    Any((String, Vec<String>)),
    /// `regex(…)`
    Regex((String, Regex)),
}

/// A place with the function around it.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// As it is written.
    pub(super) text: String,
    function: Function,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Itself,
    Len,
    Has,
    Age,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Status,
    ResponseTime,
    Ip,
    Body(Vec<Step>),
    Connected,
    CertificateExpiration,
    DnsRcode,
    Header(String),
    Value(String),
}

/// What was found in a place, or the text that stands there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    Nothing,
    Text(String),
    /// A number by its type and not only by its looks.
    Number(String),
}

impl Found {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Found::Nothing => None,
            Found::Text(text) | Found::Number(text) => Some(text),
        }
    }

    pub(super) fn number(&self) -> Option<Number> {
        self.text().and_then(numbers::number)
    }

    /// Gatus's `isEqual`: as whole numbers where both are, else as texts; and as numbers where
    /// one is a number by its type (`[FREE_PERCENT] == 7.50`), which Gatus does not know.
    pub(super) fn equals(&self, other: &Found) -> bool {
        let (Some(left), Some(right)) = (self.text(), other.text()) else { return false };
        if let (Some(left), Some(right)) = (numbers::whole(left), numbers::whole(right)) {
            return left == right;
        }
        let typed = matches!(self, Found::Number(_)) || matches!(other, Found::Number(_));
        match (left.parse::<f64>(), right.parse::<f64>()) {
            (Ok(left), Ok(right)) if typed => left == right,
            _ => left == right,
        }
    }
}

fn call<'t>(text: &'t str, function: &str) -> Option<&'t str> {
    text.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')')
}

impl Operand {
    pub(super) fn parse(text: &str) -> Result<Operand, String> {
        if let Some(pattern) = call(text, "pat") {
            return Ok(Operand::Pattern((text.to_owned(), Pattern::parse(pattern)?)));
        }
        if let Some(options) = call(text, "any") {
            let options = options.split(',').map(|option| option.trim().to_owned()).collect();
            return Ok(Operand::Any((text.to_owned(), options)));
        }
        if let Some(expression) = call(text, "regex") {
            let regex = unanchored_regex(expression).map_err(|e| format!("{text}: {e}"))?;
            return Ok(Operand::Regex((text.to_owned(), regex)));
        }
        for (name, function) in
            [("len", Function::Len), ("has", Function::Has), ("age", Function::Age)]
        {
            let Some(inner) = call(text, name) else { continue };
            let place = Place::parse(inner.trim())?.ok_or_else(|| {
                format!("{text}: {name} wants a place in brackets, as in {name}([BODY].items)")
            })?;
            let dated = matches!(place, Place::Body(_) | Place::Header(_));
            if function == Function::Age && !dated {
                return Err(format!("{text}: only [BODY] and [HEADERS] hold times"));
            }
            return Ok(Operand::Place(Placed { text: text.to_owned(), function, place }));
        }
        Ok(match Place::parse(text)? {
            Some(place) => {
                Operand::Place(Placed { text: text.to_owned(), function: Function::Itself, place })
            }
            None => Operand::Text(text.to_owned()),
        })
    }

    /// Whether it is one of `pat`, `any`, `regex`.
    pub(super) fn is_matcher(&self) -> bool {
        matches!(self, Operand::Pattern(_) | Operand::Any(_) | Operand::Regex(_))
    }

    pub(super) fn is_connection(&self) -> bool {
        matches!(self, Operand::Place(placed) if placed.place == Place::Connected)
    }

    /// As it is written.
    pub(super) fn text(&self) -> &str {
        match self {
            Operand::Text(text) => text,
            Operand::Place(placed) => &placed.text,
            Operand::Pattern((text, _)) | Operand::Any((text, _)) | Operand::Regex((text, _)) => {
                text
            }
        }
    }

    pub(super) fn resolve(&self, subject: &Subject<'_>) -> Found {
        match self {
            Operand::Place(placed) => placed.resolve(subject),
            operand => Found::Text(operand.text().to_owned()),
        }
    }

    /// Whether what was found on the other side fits `pat`, `any` or `regex`.
    pub(super) fn matches(&self, found: &Found) -> bool {
        let Some(text) = found.text() else { return false };
        match self {
            Operand::Pattern((_, pattern)) => pattern.matches(text),
            Operand::Any((_, options)) => {
                options.iter().any(|option| found.equals(&Found::Text(option.clone())))
            }
            Operand::Regex((_, regex)) => regex.is_match(text),
            Operand::Text(_) | Operand::Place(_) => false,
        }
    }
}

impl Place {
    /// The place that a text names; nothing where it names none.
    fn parse(text: &str) -> Result<Option<Place>, String> {
        let Some((name, rest)) = text.strip_prefix('[').and_then(|t| t.split_once(']')) else {
            return Ok(None);
        };
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            return Ok(None);
        }
        let place = match name.to_ascii_uppercase().as_str() {
            "BODY" => return body::parse(rest).map(|steps| Some(Place::Body(steps))),
            "HEADERS" | "HEADER" => {
                let header = rest.strip_prefix('.').filter(|h| !h.is_empty()).ok_or_else(|| {
                    format!("{text}: name a header, as in [HEADERS].content-type")
                })?;
                return Ok(Some(Place::Header(header.to_ascii_lowercase())));
            }
            "DOMAIN_EXPIRATION" => {
                return Err("[DOMAIN_EXPIRATION] needs a whois service, which vedette does not \
                            ask; use an exec check with a script of yours, or \
                            [CERTIFICATE_EXPIRATION]"
                    .to_owned());
            }
            "CONTEXT" => {
                return Err("[CONTEXT] belongs to Gatus's suites, which vedette does not have; \
                            use an exec check"
                    .to_owned());
            }
            "STATUS" => Place::Status,
            "RESPONSE_TIME" => Place::ResponseTime,
            "IP" => Place::Ip,
            "CONNECTED" => Place::Connected,
            "CERTIFICATE_EXPIRATION" => Place::CertificateExpiration,
            "DNS_RCODE" => Place::DnsRcode,
            other => Place::Value(other.to_owned()),
        };
        if !rest.is_empty() {
            return Err(format!(
                "{text}: only [BODY] and [HEADERS] have something below them, and {rest:?} \
                 follows [{name}]"
            ));
        }
        Ok(Some(place))
    }
}

impl Placed {
    /// Whether it is a duration until something ends.
    pub(super) fn is_expiration(&self) -> bool {
        self.place == Place::CertificateExpiration && self.function == Function::Itself
    }

    fn resolve(&self, subject: &Subject<'_>) -> Found {
        let found = self.place.found(subject);
        match self.function {
            Function::Itself => found,
            Function::Has => {
                let whole_body = matches!(&self.place, Place::Body(steps) if steps.is_empty());
                // A part of the body that is there counts even if it is an empty text.
                let any = match &found {
                    Found::Text(text) if whole_body => !text.is_empty(),
                    found => *found != Found::Nothing,
                };
                Found::Text(any.to_string())
            }
            Function::Len => match (&self.place, &found) {
                (_, Found::Nothing) => Found::Nothing,
                (Place::Body(steps), found) => {
                    let value = subject.json().and_then(|json| body::walk(json, steps));
                    let raw = found.text().map_or(0, str::len);
                    let length = match value {
                        Some(Value::Object(_)) if steps.is_empty() => raw,
                        Some(value) => body::length(value),
                        None => raw,
                    };
                    Found::Number(length.to_string())
                }
                (_, found) => Found::Number(found.text().map_or(0, str::len).to_string()),
            },
            Function::Age => match found.text().and_then(moment) {
                Some(at) => Found::Number(subject.now.since(at).to_string()),
                None => Found::Nothing,
            },
        }
    }
}

impl Place {
    fn found(&self, subject: &Subject<'_>) -> Found {
        let seen = subject.observation;
        let text = |text: Option<&String>| text.map_or(Found::Nothing, |t| Found::Text(t.clone()));
        let number = |n: Option<String>| n.map_or(Found::Nothing, Found::Number);
        match self {
            Place::Status => number(seen.status.map(|status| status.to_string())),
            Place::ResponseTime => Found::Number((seen.phases.total_us / 1000).to_string()),
            Place::Ip => text(seen.ip.as_ref()),
            Place::Connected => Found::Text(seen.connected.to_string()),
            Place::CertificateExpiration => {
                number(seen.certificate_expires_at.map(|at| at.since(subject.now).to_string()))
            }
            Place::DnsRcode => text(seen.dns_rcode.as_ref()),
            Place::Header(name) => {
                let header = seen.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
                text(header.map(|(_, value)| value))
            }
            Place::Value(name) => number(seen.values.get(name).map(f64::to_string)),
            Place::Body(steps) if steps.is_empty() => Found::Text(subject.body()),
            Place::Body(steps) => match subject.json().and_then(|json| body::walk(json, steps)) {
                None => Found::Nothing,
                Some(value @ Value::Number(_)) => Found::Number(body::text(value)),
                Some(value) => Found::Text(body::text(value)),
            },
        }
    }
}

/// A time as Gatus's `age` reads it: RFC 3339, the dates of HTTP, or Unix time in seconds or, from
/// 1e12 on, in milliseconds.
fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_millis(at.as_millisecond()));
    }
    if let Ok(at) = jiff::fmt::rfc2822::parse(text) {
        return Some(Timestamp::from_millis(at.timestamp().as_millisecond()));
    }
    let epoch: f64 = text.parse().ok().filter(|epoch: &f64| *epoch > 0.0 && epoch.is_finite())?;
    let millis = if epoch >= 1e12 { epoch } else { epoch * 1000.0 };
    Some(Timestamp::from_millis(millis as i64))
}
