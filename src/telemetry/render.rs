//! The two forms in which counted things leave: text and rows.

use std::collections::BTreeSet;
use std::fmt::Write;

use hashbrown::HashMap;

use crate::model::{Labels, METRIC_NAME, Metadata, MetricType, Row, STALE_NAN, Timestamp};

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

/// Makes rows, round by round, and remembers the finished label sets in between: a point that was
/// there in the last round costs a look-up. A point that is missing in a round is ended with a
/// staleness marker, as a scrape ends a series that its target no longer shows.
#[derive(Debug)]
pub struct RowSink {
    common: Vec<(String, String)>,
    at: Timestamp,
    round: u64,
    known: HashMap<String, Known>,
    family: String,
    /// The key of the point at hand, kept for its capacity.
    key: String,
    rows: Vec<Row>,
    families: BTreeSet<String>,
    metadata: Vec<(String, Metadata)>,
}

#[derive(Debug)]
struct Known {
    labels: Labels,
    round: u64,
}

/// One round of a collector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    /// Its samples, the markers of ended series among them.
    pub rows: Vec<Row>,
    /// The families that this round showed for the first time.
    pub metadata: Vec<(String, Metadata)>,
}

impl RowSink {
    /// Rows that all carry the labels `common`.
    pub fn new(common: &[(&str, &str)]) -> Self {
        RowSink {
            common: common.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            at: Timestamp::default(),
            round: 0,
            known: HashMap::new(),
            family: String::new(),
            key: String::new(),
            rows: Vec::new(),
            families: BTreeSet::new(),
            metadata: Vec::new(),
        }
    }

    /// Begins a round whose points are all of this time.
    pub fn begin(&mut self, at: Timestamp) {
        self.at = at;
        self.round += 1;
        self.rows = Vec::with_capacity(self.known.len() + self.known.len() / 8);
    }

    /// Ends the round.
    pub fn finish(&mut self) -> Collected {
        let (at, round) = (self.at, self.round);
        let mut ended = Vec::new();
        self.known.retain(|_, known| {
            let stays = known.round == round;
            if !stays {
                ended.push(known.labels.clone());
            }
            stays
        });
        ended.sort_unstable();
        let marker = f64::from_bits(STALE_NAN);
        self.rows.extend(ended.into_iter().map(|labels| Row { labels, at, value: marker.into() }));
        Collected {
            rows: std::mem::take(&mut self.rows),
            metadata: std::mem::take(&mut self.metadata),
        }
    }

    /// The last words of a collector that stops: a staleness marker for each of its series.
    pub fn end(&mut self, at: Timestamp) -> Collected {
        self.begin(at);
        let ended = self.finish();
        // What is shown after a break is not new because it was not there before.
        self.round = 0;
        ended
    }
}

impl Sink for RowSink {
    fn family(&mut self, name: &str, kind: MetricType, help: &str) {
        name.clone_into(&mut self.family);
        if !self.families.contains(name) {
            self.families.insert(name.to_owned());
            let facts = Metadata { kind, unit: String::new(), help: help.to_owned() };
            self.metadata.push((name.to_owned(), facts));
        }
    }

    fn point(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.key.clear();
        self.key.push_str(&self.family);
        self.key.push_str(suffix);
        let name_len = self.key.len();
        for (name, value) in labels {
            for text in [name, value] {
                self.key.push('\0');
                self.key.push_str(text);
            }
        }
        let (at, round) = (self.at, self.round);
        if let Some(known) = self.known.get_mut(&self.key) {
            // The same point twice in a round: the first one stands.
            if known.round != round {
                known.round = round;
                self.rows.push(Row { labels: known.labels.clone(), at, value: value.into() });
            }
            return;
        }
        let common = self.common.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let named = [(METRIC_NAME, &self.key[..name_len])];
        let all = named.into_iter().chain(labels.iter().copied()).chain(common);
        // The names come from us: valid, and apart from those of the collector. Were they not,
        // the point would be left out, which is better than a wrong one.
        if let Ok(labels) = Labels::from_pairs(all) {
            let known = Known { labels: labels.clone(), round };
            // A counter that shows up later has counted from nothing: with that said, `rate` and
            // `increase` see its first counts too.
            let is_counter = suffix.is_empty() && self.family.ends_with("_total");
            if is_counter && round > 1 && value > 0.0 {
                let (labels, before) = (labels.clone(), at.plus_millis(-1));
                self.rows.push(Row { labels, at: before, value: 0.0.into() });
            }
            self.known.insert(self.key.clone(), known);
            self.rows.push(Row { labels, at, value: value.into() });
        }
    }
}
