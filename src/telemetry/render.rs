//! The two forms in which counted things leave: text and rows.

use std::fmt::Write;

use crate::model::{Labels, METRIC_NAME, Metadata, MetricType, Row, Timestamp};

/// Takes metrics one family at a time. Two forms exist: [`TextSink`] and [`RowSink`].
pub trait Sink {
    /// Begins a family; the points that follow belong to it.
    fn family(&mut self, name: &str, kind: MetricType, help: &str);
    /// A point of the current family. `suffix` goes behind the family's name (`_bucket`).
    fn point(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64);
}

/// Writes Prometheus text 0.0.4.
#[derive(Debug, Default)]
pub struct TextSink {
    text: String,
    family: String,
}

impl TextSink {
    /// What was written.
    pub fn into_text(self) -> String {
        self.text
    }
}

fn push_escaped(out: &mut String, text: &str) {
    for part in text.split_inclusive(['\\', '"', '\n']) {
        let (plain, special) = match part.as_bytes().last() {
            Some(b'\\') => (&part[..part.len() - 1], "\\\\"),
            Some(b'"') => (&part[..part.len() - 1], "\\\""),
            Some(b'\n') => (&part[..part.len() - 1], "\\n"),
            _ => (part, ""),
        };
        out.push_str(plain);
        out.push_str(special);
    }
}

impl Sink for TextSink {
    fn family(&mut self, name: &str, kind: MetricType, help: &str) {
        name.clone_into(&mut self.family);
        // Help texts are ours: one line, no backslashes. Writing to a String cannot fail.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn point(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(&self.family);
        self.text.push_str(suffix);
        for (place, (name, value)) in labels.iter().enumerate() {
            self.text.push(if place == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            push_escaped(&mut self.text, value);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = match value {
            f64::INFINITY => writeln!(self.text, " +Inf"),
            f64::NEG_INFINITY => writeln!(self.text, " -Inf"),
            _ => writeln!(self.text, " {value}"),
        };
    }
}

/// Makes rows, all of one time and with some labels in common.
#[derive(Debug)]
pub struct RowSink {
    at: Timestamp,
    common: Vec<(String, String)>,
    family: String,
    rows: Vec<Row>,
    metadata: Vec<(String, Metadata)>,
}

impl RowSink {
    /// Rows at `at` that all carry the labels `common`.
    pub fn new(at: Timestamp, common: &[(&str, &str)]) -> Self {
        let common = common.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        RowSink { at, common, family: String::new(), rows: Vec::new(), metadata: Vec::new() }
    }

    /// The rows, and what is known of each family.
    pub fn finish(self) -> (Vec<Row>, Vec<(String, Metadata)>) {
        (self.rows, self.metadata)
    }
}

impl Sink for RowSink {
    fn family(&mut self, name: &str, kind: MetricType, help: &str) {
        name.clone_into(&mut self.family);
        let facts = Metadata { kind, unit: String::new(), help: help.to_owned() };
        self.metadata.push((name.to_owned(), facts));
    }

    fn point(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let name = format!("{}{suffix}", self.family);
        let common = self.common.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let pairs = [(METRIC_NAME, name.as_str())];
        let all = pairs.into_iter().chain(labels.iter().copied()).chain(common);
        // Our own names are valid and distinct; a clash with the collector's labels would be a
        // series without its point, never a wrong one.
        if let Ok(labels) = Labels::from_pairs(all) {
            self.rows.push(Row { labels, at: self.at, value });
        }
    }
}
