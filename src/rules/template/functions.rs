//! The functions of templates: Go's own and Prometheus's (`template/template.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use super::compare::compare;
use super::floats::go_float;
use super::printf::sprintf;
use super::text_functions as texts;
use super::value::{TemplateSample, Value, show_time};

const NAMES: [&str; 47] = [
    "and",
    "args",
    "eq",
    "externalURL",
    "first",
    "ge",
    "graphLink",
    "gt",
    "html",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "index",
    "js",
    "label",
    "le",
    "len",
    "lt",
    "match",
    "ne",
    "not",
    "now",
    "or",
    "parseDuration",
    "pathPrefix",
    "print",
    "printf",
    "println",
    "query",
    "reReplaceAll",
    "safeHtml",
    "slice",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toDuration",
    "toLower",
    "toTime",
    "toUpper",
    "urlQueryEscape",
    "urlquery",
    "value",
];

/// Whether there is such a function.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Calls a function that [`exists`].
pub(super) fn call(name: &str, args: &[Value], context: &Context<'_>) -> Result<Value, String> {
    match name {
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => compare(name, args),
        "and" | "or" => {
            args.last().cloned().ok_or_else(|| wrong_count(name, "at least 1", args.len()))
        }
        "not" => Ok(Value::Bool(!one(name, args)?.is_true())),
        "len" => length(one(name, args)?),
        "index" => index(args),
        "slice" => texts::slice(args),
        "print" => Ok(Value::Text(print(args))),
        "println" => {
            let shown: Vec<String> = args.iter().map(Value::show).collect();
            Ok(Value::Text(shown.join(" ") + "\n"))
        }
        "printf" => {
            let Some((format, args)) = args.split_first() else {
                return Err(wrong_count(name, "at least 1", 0));
            };
            Ok(Value::Text(sprintf(&text(name, format)?, args)?))
        }
        "args" => {
            let named = args.iter().enumerate().map(|(n, arg)| (format!("arg{n}"), arg.clone()));
            Ok(Value::Map(Arc::new(named.collect::<BTreeMap<_, _>>())))
        }
        "query" => {
            let found = (context.query)(&text(name, one(name, args)?)?)?;
            let samples = found.into_iter().map(|sample| Value::Sample(Arc::new(sample)));
            Ok(Value::List(Arc::new(samples.collect())))
        }
        "first" => match one(name, args)? {
            Value::List(list) => list
                .first()
                .cloned()
                .ok_or_else(|| "first() called on vector with no elements".to_owned()),
            other => Err(wrong_type("template.queryResult", other)),
        },
        "value" => Ok(sample(one(name, args)?)?.value.clone()),
        "strvalue" => label(sample(one(name, args)?)?, "__value__"),
        "label" => {
            let [wanted, of] = two(name, args)?;
            label(sample(of)?, &text(name, wanted)?)
        }
        "sortByLabel" => {
            let [by, list] = two(name, args)?;
            sort_by_label(&text(name, by)?, list)
        }
        "now" => Ok(Value::Float(context.at.seconds())),
        "externalURL" => Ok(Value::Text(context.external_url.to_owned())),
        "pathPrefix" => Ok(Value::Text(texts::path_of(context.external_url).to_owned())),
        "humanize" => Ok(Value::Text(humanize(float(one(name, args)?)?))),
        "humanize1024" => Ok(Value::Text(humanize_1024(float(one(name, args)?)?))),
        "humanizeDuration" => Ok(Value::Text(humanize_duration(float(one(name, args)?)?))),
        "humanizePercentage" => {
            let share = float(one(name, args)?)?;
            Ok(Value::Text(go_float(share * 100.0, 'g', Some(4)) + "%"))
        }
        "humanizeTimestamp" => {
            let seconds = float(one(name, args)?)?;
            if !seconds.is_finite() {
                return Ok(Value::Text(go_float(seconds, 'g', Some(4))));
            }
            Ok(Value::Text(show_time(nanos(seconds, "timestamp")?)))
        }
        "toTime" => Ok(Value::Time(nanos(float(one(name, args)?)?, "timestamp")?)),
        "toDuration" => Ok(Value::Duration(nanos(float(one(name, args)?)?, "duration")?)),
        "parseDuration" => {
            let written = text(name, one(name, args)?)?;
            let millis =
                crate::model::parse_duration_ms(&written).map_err(|error| error.to_string())?;
            Ok(Value::Float(millis as f64 / 1000.0))
        }
        _ => texts::call(name, args),
    }
}

pub(super) fn wrong_count(name: &str, wanted: &str, got: usize) -> String {
    format!("wrong number of args for {name}: want {wanted} got {got}")
}

pub(super) fn wrong_type(wanted: &str, got: &Value) -> String {
    format!("wrong type for value; expected {wanted}; got {}", got.type_name())
}

pub(super) fn one<'v>(name: &str, args: &'v [Value]) -> Result<&'v Value, String> {
    match args {
        [only] => Ok(only),
        _ => Err(wrong_count(name, "1", args.len())),
    }
}

pub(super) fn two<'v>(name: &str, args: &'v [Value]) -> Result<[&'v Value; 2], String> {
    match args {
        [first, second] => Ok([first, second]),
        _ => Err(wrong_count(name, "2", args.len())),
    }
}

pub(super) fn text(_name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        other => Err(wrong_type("string", other)),
    }
}

/// Numbers, texts that are numbers, and durations in seconds (`convertToFloat`).
fn float(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(value) => Ok(*value),
        Value::Int(value) => Ok(*value as f64),
        Value::Duration(nanos) => Ok(*nanos as f64 / 1e9),
        Value::Text(text) => text
            .trim_start_matches('+')
            .parse()
            .map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")),
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

/// Seconds as nanoseconds, which reach to the year 2262.
fn nanos(seconds: f64, what: &str) -> Result<i64, String> {
    if !seconds.is_finite() {
        return Err(format!("{} is not a valid {what}", go_float(seconds, 'g', None)));
    }
    let nanos = seconds * 1e9;
    if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
        return Err(format!(
            "{} cannot be represented as a nanoseconds {what} since it overflows int64",
            go_float(seconds, 'g', None)
        ));
    }
    // Times are whole milliseconds, as `model.TimeFromUnixNano` makes them.
    let whole = nanos as i64;
    Ok(if what == "timestamp" { whole / 1_000_000 * 1_000_000 } else { whole })
}

fn sample(value: &Value) -> Result<&TemplateSample, String> {
    match value {
        Value::Sample(sample) => Ok(sample),
        other => Err(wrong_type("*template.sample", other)),
    }
}

fn label(sample: &TemplateSample, name: &str) -> Result<Value, String> {
    Ok(Value::Text(sample.labels.get(name).unwrap_or_default().to_owned()))
}

fn sort_by_label(by: &str, list: &Value) -> Result<Value, String> {
    let Value::List(list) = list else { return Err(wrong_type("template.queryResult", list)) };
    let mut sorted = list.as_ref().clone();
    sorted.sort_by_key(|item| match item {
        Value::Sample(sample) => sample.labels.get(by).unwrap_or_default().to_owned(),
        _ => String::new(),
    });
    Ok(Value::List(Arc::new(sorted)))
}

fn length(value: &Value) -> Result<Value, String> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::Labels(labels) => labels.len(),
        Value::Map(map) => map.len(),
        Value::List(list) => list.len(),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(args: &[Value]) -> Result<Value, String> {
    let Some((of, keys)) = args.split_first() else {
        return Err(wrong_count("index", "at least 1", 0));
    };
    let mut value = of.clone();
    for key in keys {
        value = match (&value, key) {
            (Value::Labels(_) | Value::Map(_), Value::Text(key)) => value.field(key)?,
            (Value::List(list), Value::Int(place)) => usize::try_from(*place)
                .ok()
                .and_then(|place| list.get(place).cloned())
                .ok_or_else(|| format!("index out of range: {place}"))?,
            (value, key) => {
                return Err(format!(
                    "can't index item of type {} with {}",
                    value.type_name(),
                    key.type_name()
                ));
            }
        };
    }
    Ok(value)
}

/// `fmt.Sprint`: a space between neighbours of which neither is a text.
fn print(args: &[Value]) -> String {
    let mut out = String::new();
    for (place, arg) in args.iter().enumerate() {
        let both = place > 0
            && !matches!(arg, Value::Text(_))
            && !matches!(args[place - 1], Value::Text(_));
        if both {
            out.push(' ');
        }
        out.push_str(&arg.show());
    }
    out
}

const SMALLER: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

fn short(value: f64) -> String {
    go_float(value, 'g', Some(4))
}

/// Divides by `step` while the number is not below it.
fn scale_up(mut value: f64, step: f64, prefixes: [&'static str; 8]) -> (f64, &'static str) {
    let mut prefix = "";
    for larger in prefixes {
        if value.abs() < step {
            break;
        }
        prefix = larger;
        value /= step;
    }
    (value, prefix)
}

fn scale_down(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for smaller in SMALLER {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = smaller;
        value *= 1000.0;
    }
    (value, prefix)
}

fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return short(value);
    }
    let (value, prefix) = match value.abs() >= 1.0 {
        true => scale_up(value, 1000.0, ["k", "M", "G", "T", "P", "E", "Z", "Y"]),
        false => scale_down(value),
    };
    short(value) + prefix
}

fn humanize_1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return short(value);
    }
    let (value, prefix) = scale_up(value, 1024.0, ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"]);
    short(value) + prefix
}

fn humanize_duration(value: f64) -> String {
    if !value.is_finite() {
        return short(value);
    }
    if value == 0.0 {
        return short(value) + "s";
    }
    if value.abs() < 1.0 {
        let (value, prefix) = scale_down(value);
        return format!("{}{prefix}s", short(value));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let value = value.abs();
    let whole = value as i64;
    let (days, hours) = (whole / 86_400, whole / 3600 % 24);
    let (minutes, seconds) = (whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", short(value)),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}
