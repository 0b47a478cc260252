//! What templates compute with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::model::{Histogram, Labels, Timestamp};

use super::floats::go_float;

/// One value of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// Labels: a missing one is the empty text.
    Labels(Arc<Labels>),
    /// What `args` makes, and the dot of the whole template.
    Map(Arc<BTreeMap<String, Value>>),
    /// What `query` gives.
    List(Arc<Vec<Value>>),
    /// One sample of it.
    Sample(Arc<TemplateSample>),
    /// What `toTime` gives, in nanoseconds since 1970.
    Time(i64),
    /// What `toDuration` gives, in nanoseconds.
    Duration(i64),
    /// The value of an alert on histograms.
    Histogram(Arc<Histogram>),
}

/// One sample that a query in a template gave.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateSample {
    /// Its labels, the name among them.
    pub labels: Labels,
    /// Its value.
    pub value: Value,
}

impl Value {
    /// The name of its type in Go, as errors call it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "untyped nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::Labels(_) => "map[string]string",
            Value::Map(_) => "map[string]interface {}",
            Value::List(_) => "template.queryResult",
            Value::Sample(_) => "*template.sample",
            Value::Time(_) => "*time.Time",
            Value::Duration(_) => "*time.Duration",
            Value::Histogram(_) => "*histogram.FloatHistogram",
        }
    }

    /// Whether it counts as true: not zero, not empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Labels(labels) => !labels.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::List(list) => !list.is_empty(),
            Value::Sample(_) | Value::Time(_) | Value::Duration(_) | Value::Histogram(_) => true,
        }
    }

    /// As `fmt.Print` writes it (`%v`).
    pub(in crate::rules) fn show(&self) -> String {
        match self {
            Value::Nil => "<no value>".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) => go_float(*value, 'g', None),
            Value::Text(text) => text.clone(),
            Value::Labels(labels) => show_map(labels.iter().map(|(n, v)| (n, v.to_owned()))),
            Value::Map(map) => show_map(map.iter().map(|(n, v)| (n.as_str(), v.show()))),
            Value::List(list) => {
                let items: Vec<String> = list.iter().map(Value::show).collect();
                format!("[{}]", items.join(" "))
            }
            Value::Sample(sample) => {
                let labels = show_map(sample.labels.iter().map(|(n, v)| (n, v.to_owned())));
                format!("{{{labels} {}}}", sample.value.show())
            }
            Value::Time(nanos) => show_time(*nanos),
            Value::Duration(nanos) => show_duration(*nanos),
            Value::Histogram(histogram) => show_histogram(histogram),
        }
    }

    /// A field or a key.
    pub(super) fn field(&self, name: &str) -> Result<Value, String> {
        match self {
            Value::Labels(labels) => {
                Ok(Value::Text(labels.get(name).unwrap_or_default().to_owned()))
            }
            Value::Map(map) => Ok(map.get(name).cloned().unwrap_or(Value::Nil)),
            Value::Sample(sample) => match name {
                "Labels" => Ok(Value::Labels(Arc::new(sample.labels.clone()))),
                "Value" => Ok(sample.value.clone()),
                _ => Err(format!("can't evaluate field {name} in type {}", self.type_name())),
            },
            Value::Time(nanos) => time_part(*nanos, name)
                .ok_or_else(|| format!("can't evaluate field {name} in type {}", self.type_name())),
            Value::Duration(nanos) => match name {
                "Seconds" => Ok(Value::Float(*nanos as f64 / 1e9)),
                "Minutes" => Ok(Value::Float(*nanos as f64 / 6e10)),
                "Hours" => Ok(Value::Float(*nanos as f64 / 3.6e12)),
                "Milliseconds" => Ok(Value::Int(nanos / 1_000_000)),
                "String" => Ok(Value::Text(show_duration(*nanos))),
                _ => Err(format!("can't evaluate field {name} in type {}", self.type_name())),
            },
            Value::Nil => Err(format!("nil data; no entry for key {name:?}")),
            _ => Err(format!("can't evaluate field {name} in type {}", self.type_name())),
        }
    }
}

fn show_map<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> String {
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}:{value}")).collect();
    format!("map[{}]", pairs.join(" "))
}

fn civil(nanos: i64) -> Option<jiff::Zoned> {
    let time = jiff::Timestamp::from_nanosecond(i128::from(nanos)).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC))
}

/// Go's `time.Time.String` of a time in UTC: `2006-01-02 15:04:05.999 +0000 UTC`.
pub(super) fn show_time(nanos: i64) -> String {
    let Some(time) = civil(nanos) else {
        return Timestamp::from_millis(nanos / 1_000_000).to_string();
    };
    let mut text = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let fraction = format!("{:09}", nanos.rem_euclid(1_000_000_000));
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        let _ = write!(text, ".{fraction}");
    }
    text + " +0000 UTC"
}

/// The methods of `time.Time` that take nothing.
fn time_part(nanos: i64, name: &str) -> Option<Value> {
    if name == "String" {
        return Some(Value::Text(show_time(nanos)));
    }
    if name == "UTC" {
        return Some(Value::Time(nanos));
    }
    let time = civil(nanos)?;
    Some(match name {
        "Unix" => Value::Int(nanos.div_euclid(1_000_000_000)),
        "UnixMilli" => Value::Int(nanos.div_euclid(1_000_000)),
        "Year" => Value::Int(i64::from(time.year())),
        "Month" => Value::Text(time.strftime("%B").to_string()),
        "Day" => Value::Int(i64::from(time.day())),
        "Weekday" => Value::Text(time.strftime("%A").to_string()),
        "YearDay" => Value::Int(i64::from(time.day_of_year())),
        "Hour" => Value::Int(i64::from(time.hour())),
        "Minute" => Value::Int(i64::from(time.minute())),
        "Second" => Value::Int(i64::from(time.second())),
        _ => return None,
    })
}

/// Go's `time.Time.Format` of a time in UTC, for the layouts that people use.
pub(super) fn format_time(nanos: i64, layout: &str) -> Option<String> {
    const PARTS: [(&str, &str); 22] = [
        ("2006", "%Y"),
        ("January", "%B"),
        ("Jan", "%b"),
        ("Monday", "%A"),
        ("Mon", "%a"),
        ("MST", "UTC"),
        ("Z07:00", "Z"),
        ("-07:00", "+00:00"),
        ("-0700", "+0000"),
        ("01", "%m"),
        ("02", "%d"),
        ("03", "%I"),
        ("04", "%M"),
        ("05", "%S"),
        ("06", "%y"),
        ("15", "%H"),
        ("PM", "%p"),
        ("_2", "%e"),
        ("1", "%-m"),
        ("2", "%-d"),
        ("3", "%-I"),
        ("%", "%%"),
    ];
    let mut format = String::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        match PARTS.iter().find(|(part, _)| rest.starts_with(part)) {
            Some((part, code)) => {
                format.push_str(code);
                rest = &rest[part.len()..];
            }
            None => {
                format.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    jiff::fmt::strtime::format(&format, &civil(nanos)?).ok()
}

/// Go's `time.Duration.String`: `1h2m3.5s`, `250ms`, `0s`.
pub(super) fn show_duration(nanos: i64) -> String {
    let size = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    let decimal = |unit: u64| {
        let (whole, rest) = (size / unit, size % unit);
        let digits = unit.ilog10() as usize;
        let fraction = format!("{rest:0digits$}");
        match fraction.trim_end_matches('0') {
            "" => whole.to_string(),
            fraction => format!("{whole}.{fraction}"),
        }
    };
    match size {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{size}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", decimal(1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(1_000_000)),
        _ => {
            let minutes = size / 60_000_000_000;
            let rest = size % 60_000_000_000;
            let seconds = show_duration_seconds(rest);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

fn show_duration_seconds(nanos: u64) -> String {
    let fraction = format!("{:09}", nanos % 1_000_000_000);
    match fraction.trim_end_matches('0') {
        "" => (nanos / 1_000_000_000).to_string(),
        fraction => format!("{}.{fraction}", nanos / 1_000_000_000),
    }
}

/// Count and sum: the buckets would be no text for people.
fn show_histogram(histogram: &Histogram) -> String {
    let (count, sum) = (histogram.count, histogram.sum);
    format!("{{count:{}, sum:{}}}", go_float(count, 'g', None), go_float(sum, 'g', None))
}
