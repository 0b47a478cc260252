//! Goes through an exposition, one item at a time.
//!
//! Follows Prometheus (`model/textparse/promlex.l`, `openmetricslex.l` and their parsers), and is
//! more lenient than it where nothing can be misread: spaces at the end of a line are allowed in
//! both formats, and negative times are. A carriage return before the line's end is refused, as
//! Prometheus refuses it.

use std::borrow::Cow;

use super::Format;
use super::labels::{self, LabelPairs};
use crate::model::{Exemplar, Labels, MetricType, Timestamp};

/// Why a text is not an exposition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct ExpositionError {
    /// Counted from 1.
    pub line: usize,
    /// In bytes, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
}

/// One item of an exposition.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// A sample.
    Sample(SampleLine<'a>),
    /// The help text of a family.
    Help {
        /// The family.
        family: Cow<'a, str>,
        /// The text, unescaped.
        text: Cow<'a, str>,
    },
    /// The type of a family.
    Type {
        /// The family.
        family: Cow<'a, str>,
        /// The type.
        kind: MetricType,
    },
    /// The unit of a family (OpenMetrics only).
    Unit {
        /// The family.
        family: Cow<'a, str>,
        /// The unit.
        unit: &'a str,
    },
}

/// A sample as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleLine<'a> {
    /// Name and labels as written. Equal texts of one [`Parser::kind`] mean equal labels, so that
    /// this can be the key of a cache.
    pub series: &'a str,
    /// The type of the family that was last announced.
    pub kind: MetricType,
    /// The value. Every NaN is Prometheus's `NormalNaN`.
    pub value: f64,
    /// The time in Unix milliseconds, if the text gives one.
    pub at_ms: Option<i64>,
    /// The exemplar that follows (OpenMetrics only).
    pub exemplar: Option<ExemplarLine<'a>>,
    format: Format,
    /// For errors: the whole text, and where the series stands in it.
    text: &'a str,
    offset: usize,
}

/// An exemplar as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExemplarLine<'a> {
    /// The labels with their braces, checked.
    braces: &'a str,
    value: f64,
    at_ms: Option<i64>,
    format: Format,
}

impl ExemplarLine<'_> {
    /// The exemplar of a sample at `at`, the time of the exemplar too if it has none of its own.
    /// `None` where a label comes twice.
    pub fn to_exemplar(&self, at: Timestamp) -> Option<Exemplar> {
        let mut pairs = LabelPairs::new();
        labels::read_exemplar(self.braces, self.format, &mut pairs).ok()?;
        Some(Exemplar {
            labels: Labels::from_pairs(pairs).ok()?,
            value: self.value,
            at: self.at_ms.map_or(at, Timestamp::from_millis),
            timed: self.at_ms.is_some(),
        })
    }
}

impl<'a> SampleLine<'a> {
    /// Appends the labels to `pairs`, `__name__` first, values unescaped and bucket bounds
    /// (`le`, `quantile`) in their canonical form. Not checked for duplicates.
    pub fn labels(&self, pairs: &mut LabelPairs<'a>) -> Result<(), ExpositionError> {
        labels::read(self.series, self.kind, self.format, pairs)
            .map_err(|(at, what)| locate(self.text, self.offset + at, what))
    }
}

/// The bits of the NaN that Prometheus stores (`model/value/value.go`).
const NORMAL_NAN: u64 = 0x7ff8_0000_0000_0001;

/// Reads an exposition. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Parser<'a> {
    text: &'a str,
    at: usize,
    format: Format,
    kind: MetricType,
    done: bool,
}

type Fault = (usize, String);

fn locate(text: &str, at: usize, what: String) -> ExpositionError {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    ExpositionError {
        line: 1 + memchr::memchr_iter(b'\n', before).count(),
        column: 1 + before.len() - line_start,
        what,
    }
}

fn fault<T>(at: usize, what: impl Into<String>) -> Result<T, Fault> {
    Err((at, what.into()))
}

impl<'a> Parser<'a> {
    /// Reads `body`, which must be UTF-8 as a whole.
    pub fn new(body: &'a [u8], format: Format) -> Result<Self, ExpositionError> {
        match std::str::from_utf8(body) {
            Ok(text) => Ok(Parser { text, at: 0, format, kind: MetricType::Unknown, done: false }),
            Err(error) => {
                let good = &body[..error.valid_up_to()];
                let text = std::str::from_utf8(good).unwrap_or_default();
                Err(locate(text, good.len(), "the text is not valid UTF-8".to_owned()))
            }
        }
    }

    /// The type that was last announced.
    pub fn kind(&self) -> MetricType {
        self.kind
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_spaces(&mut self) -> bool {
        let start = self.at;
        while matches!(self.byte(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        self.at > start
    }

    fn line_end(&self) -> usize {
        memchr::memchr(b'\n', &self.text.as_bytes()[self.at..])
            .map_or(self.text.len(), |len| self.at + len)
    }

    /// Up to the next space or line end.
    fn word(&mut self) -> &'a str {
        let start = self.at;
        while !matches!(self.byte(), None | Some(b' ' | b'\t' | b'\n')) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn end_of_line(&mut self, expected: &str) -> Result<(), Fault> {
        self.skip_spaces();
        match self.byte() {
            None if self.format == Format::OpenMetrics => {
                fault(self.at, "the text does not end with # EOF")
            }
            None => Ok(()),
            Some(b'\n') => {
                self.at += 1;
                Ok(())
            }
            Some(b'\r') => {
                fault(self.at, "a carriage return; lines must end with a line feed alone")
            }
            Some(_) => fault(self.at, format!("expected {expected}")),
        }
    }

    fn next_item(&mut self) -> Result<Option<Item<'a>>, Fault> {
        loop {
            let start = self.at;
            self.skip_spaces();
            match self.byte() {
                None if self.format == Format::OpenMetrics => {
                    return fault(self.at, "the text does not end with # EOF");
                }
                None => return Ok(None),
                Some(b'\n') if self.format == Format::Text => self.at += 1,
                Some(b'#') => match self.comment()? {
                    Comment::Item(item) => return Ok(Some(item)),
                    Comment::Other => {}
                    Comment::Eof => return Ok(None),
                },
                Some(b'\n') => return fault(start, "OpenMetrics allows no empty lines"),
                Some(_) => return self.sample().map(|line| Some(Item::Sample(line))),
            }
        }
    }

    fn comment(&mut self) -> Result<Comment<'a>, Fault> {
        let start = self.at;
        self.at += 1;
        let spaced = self.skip_spaces();
        let word = self.word();
        let open = self.format == Format::OpenMetrics;
        match word {
            "HELP" | "TYPE" if spaced => {}
            "UNIT" if spaced && open => {}
            "EOF" if spaced && open => {
                let rest = self.text[self.at..].trim_start_matches([' ', '\t']);
                return match rest {
                    "" | "\n" => Ok(Comment::Eof),
                    _ => fault(self.at, "there is text after # EOF"),
                };
            }
            _ if open => {
                return fault(start, "OpenMetrics allows no comments but HELP, TYPE, UNIT and EOF");
            }
            _ => {
                self.at = (self.line_end() + 1).min(self.text.len());
                return Ok(Comment::Other);
            }
        }
        self.skip_spaces();
        let family = self.family(word)?;
        let end = self.line_end();
        let at = self.at;
        let text = &self.text[at..end];
        let text = text.strip_prefix([' ', '\t']).unwrap_or(text);
        self.at = (end + 1).min(self.text.len());
        let trimmed = text.trim_matches([' ', '\t']);
        Ok(Comment::Item(match word {
            "HELP" => Item::Help { family, text: labels::unescape(text, open) },
            "TYPE" => {
                let Some(kind) = MetricType::from_name(trimmed) else {
                    return fault(at, format!("{trimmed:?} is not a metric type"));
                };
                self.kind = kind;
                Item::Type { family, kind }
            }
            _ => {
                let suffixed = family.strip_suffix(trimmed).is_some_and(|f| f.ends_with('_'));
                if !trimmed.is_empty() && !suffixed {
                    return fault(at, format!("unit {trimmed:?} is not a suffix of {family:?}"));
                }
                Item::Unit { family, unit: trimmed }
            }
        }))
    }

    /// A family's name, bare or quoted.
    fn family(&mut self, keyword: &str) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        if self.byte() == Some(b'"') {
            let end = labels::quoted_end(self.text, start, self.format)?;
            self.at = end;
            return Ok(labels::unescape(&self.text[start + 1..end - 1], true));
        }
        let name = labels::bare_name(&self.text[start..], true);
        if name.is_empty() {
            return fault(start, format!("expected a metric name after {keyword}"));
        }
        self.at += name.len();
        Ok(Cow::Borrowed(name))
    }

    fn sample(&mut self) -> Result<SampleLine<'a>, Fault> {
        let start = self.at;
        self.at += labels::bare_name(&self.text[start..], true).len();
        let named_end = self.at;
        if self.format == Format::Text {
            self.skip_spaces();
        }
        let series_end = if self.byte() == Some(b'{') {
            self.at = labels::braces_end(self.text, self.at, self.format)?;
            self.at
        } else if named_end > start {
            named_end
        } else {
            return fault(start, "expected a metric name, a brace or a comment");
        };
        self.skip_spaces();
        let value = self.value()?;
        let mut line = SampleLine {
            series: &self.text[start..series_end],
            kind: self.kind,
            value,
            at_ms: None,
            exemplar: None,
            format: self.format,
            text: self.text,
            offset: start,
        };
        self.skip_spaces();
        if matches!(self.byte(), Some(b'0'..=b'9' | b'-' | b'+' | b'.')) {
            line.at_ms = Some(self.time()?);
            self.skip_spaces();
        }
        if self.format == Format::OpenMetrics && self.byte() == Some(b'#') {
            line.exemplar = Some(self.exemplar()?);
        }
        self.end_of_line("a time or the end of the line")?;
        Ok(line)
    }

    fn value(&mut self) -> Result<f64, Fault> {
        let start = self.at;
        let word = self.word();
        match parse_float(word) {
            Some(value) if value.is_nan() => Ok(f64::from_bits(NORMAL_NAN)),
            Some(value) => Ok(value),
            None if word.is_empty() => fault(start, "expected a value"),
            None if word.ends_with('\r') => {
                fault(self.at - 1, "a carriage return; lines must end with a line feed alone")
            }
            None => fault(start, format!("{word:?} is not a number")),
        }
    }

    /// Whole milliseconds in text, seconds with a fraction in OpenMetrics.
    fn time(&mut self) -> Result<i64, Fault> {
        let start = self.at;
        let word = self.word();
        let millis = match self.format {
            Format::Text => word.parse().ok(),
            Format::OpenMetrics => parse_float(word)
                .map(|seconds| (seconds * 1000.0).round())
                .filter(|millis| millis.abs() < i64::MAX as f64)
                .map(|millis| millis as i64),
        };
        match millis {
            Some(millis) => Ok(millis),
            None => fault(start, format!("{word:?} is not a time")),
        }
    }

    /// ` # {labels} value [time]`
    fn exemplar(&mut self) -> Result<ExemplarLine<'a>, Fault> {
        self.at += 1;
        self.skip_spaces();
        if self.byte() != Some(b'{') {
            return fault(self.at, "expected the labels of an exemplar");
        }
        let start = self.at;
        self.at = labels::braces_end(self.text, start, self.format)?;
        labels::read_exemplar(&self.text[start..self.at], self.format, &mut LabelPairs::new())
            .map_err(|(at, what)| (start + at, what))?;
        let braces = &self.text[start..self.at];
        self.skip_spaces();
        let value = self.value()?;
        self.skip_spaces();
        let timed = !matches!(self.byte(), None | Some(b'\n'));
        let at_ms = if timed { Some(self.time()?) } else { None };
        Ok(ExemplarLine { braces, value, at_ms, format: self.format })
    }
}

enum Comment<'a> {
    Item(Item<'a>),
    Other,
    Eof,
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Item<'a>, ExpositionError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.next_item().map_err(|(at, what)| locate(self.text, at, what)).transpose();
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}

/// A number as Go's `strconv.ParseFloat` reads it, without hexadecimal and underscores
/// (`parseFloat` in `promparse.go`): a value that does not fit is refused, `Inf` spelt out is not.
fn parse_float(word: &str) -> Option<f64> {
    let value: f64 = word.parse().ok()?;
    let spelt = word.bytes().any(|b| matches!(b, b'n' | b'N'));
    let signed_nan = value.is_nan() && word.len() > 3;
    ((value.is_finite() || spelt) && !signed_nan).then_some(value)
}
